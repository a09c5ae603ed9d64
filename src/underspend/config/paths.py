"""Where Underspend keeps its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """`home` is named by $UNDERSPEND_HOME; without it, config and data are in the platform's own places."""

    config_file: Path
    data: Path

    @property
    def home(self) -> Path:
        """The folder that holds the ledger."""
        return self.data

    @property
    def ledger(self) -> Path:
        """The SQLite ledger."""
        return self.data / "ledger.sqlite3"

    @property
    def spool(self) -> Path:
        """Where records wait while the ledger cannot be written."""
        return self.data / "spool.jsonl"

    @property
    def secret(self) -> Path:
        """The random bytes that key the hashes of credentials (mode 600)."""
        return self.data / "secret"

    @property
    def quota(self) -> Path:
        """The readings of a plan's limits."""
        return self.data / "quota.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the one gateway that writes this folder."""
        return self.data / "gateway.lock"

    @property
    def undo(self) -> Path:
        """What `underspend on` changed in other programs' settings, so that `off` restores it to the byte."""
        return self.data / "undo"


def find(home: Path | None = None) -> Paths:
    """The paths under `home`, else under $UNDERSPEND_HOME, else the platform's own."""
    named = home or (Path(value) if (value := os.environ.get("UNDERSPEND_HOME")) else None)
    if named is not None:
        folder = named.expanduser().absolute()
        return Paths(folder / "config.toml", folder)
    import platformdirs

    return Paths(
        platformdirs.user_config_path("underspend", appauthor=False) / "config.toml",
        platformdirs.user_data_path("underspend", appauthor=False),
    )
