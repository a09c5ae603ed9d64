"""The ledger's twin in memory: the same port, for tests and for programs that want no file."""

from __future__ import annotations

from asyncio import Future, get_running_loop

from underspend.core.ports import LedgerHealth, Row, Settlement


class MemoryLedger:
    """A LedgerPort that keeps rows in plain dictionaries."""

    def __init__(self) -> None:
        self.calls: dict[str, Row] = {}
        self.settlements: dict[str, Settlement] = {}
        self.sessions: dict[str, tuple[str, str]] = {}

    def intend(self, call: Row) -> Future[None]:
        """Keeps the row."""
        self.calls.setdefault(str(call["id"]), call)
        done = get_running_loop().create_future()
        done.set_result(None)
        return done

    def settle(self, settlement: Settlement) -> None:
        """Keeps the end of a call."""
        name = str(settlement.call["id"])
        began = self.calls.get(name, settlement.call)["started_at"]
        self.settlements[name] = settlement
        self.calls[name] = {**settlement.call, "started_at": began}

    def learn_session(self, session: str, project: str, directory: str) -> None:
        """Keeps where a session works."""
        self.sessions.setdefault(session, (project, directory))

    def health(self) -> LedgerHealth:
        """Always well."""
        return LedgerHealth("ok", 0)
