"""What a reader or a writer leaves out, said once each, in the order it was met."""

from __future__ import annotations

from collections.abc import Iterable


class LeftOut:
    """Notes for the user: what of a request is not sent on, and why."""

    __slots__ = ("_notes",)

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}

    def note(self, what: str, why: str = "") -> None:
        """Say that something is left out, or is sent otherwise than it was given."""
        self._notes.setdefault(f"{what}: {why}" if why else what)

    def unknown(self, names: Iterable[str]) -> None:
        """Say that members are left out because nothing here knows them."""
        for name in names:
            self.note(name, "the provider has nothing like it")

    @property
    def notes(self) -> tuple[str, ...]:
        """Each note once."""
        return tuple(self._notes)
