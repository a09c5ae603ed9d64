"""For whose calls a strategy is in which state."""

from __future__ import annotations

from dataclasses import dataclass

from underspend.core.call import Identity, Role
from underspend.core.strategy import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A state for some calls. All that is given has to fit; a scope of nothing fits every call.

    `key` is the name that the ledger has for an API key, never the key. Of a call whose project, key or agent type is
    not known nothing that names one fits.
    """

    state: State
    project: str | None = None
    key: str | None = None
    role: Role | None = None
    agent_type: str | None = None

    def fits(self, who: Identity) -> bool:
        """Whether the state holds for a call of this caller."""
        return (
            (self.project is None or self.project == who.project)
            and (self.key is None or self.key == who.key)
            and (self.role is None or self.role is who.role)
            and (self.agent_type is None or self.agent_type == who.agent_type)
        )
