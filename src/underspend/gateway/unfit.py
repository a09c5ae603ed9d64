"""Which models cannot take a call, and why: found out for each only when a decision asks for it, and then once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from underspend.gateway.asked import Asked


@dataclass(slots=True)
class Unfit(Mapping[str, str]):
    """Models that cannot take a call, by id, and why. `why_not` says it of one; None where it can."""

    why_not: Callable[[Asked, str], str | None]
    asked: Asked
    found: dict[str, str | None] = field(default_factory=dict)

    def __getitem__(self, model: str) -> str:
        why = self._of(model)
        if why is None:
            raise KeyError(model)
        return why

    def __contains__(self, model: object) -> bool:
        return isinstance(model, str) and self._of(model) is not None

    def __iter__(self) -> Iterator[str]:
        return (model for model, why in self.found.items() if why is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _of(self, model: str) -> str | None:
        if model not in self.found:
            self.found[model] = self.why_not(self.asked, model)
        return self.found[model]
