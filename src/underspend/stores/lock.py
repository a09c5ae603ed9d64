"""One writer per data folder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from underspend.core.errors import StoreLockedError


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file while inside. The system lets go of it when the process dies, however it dies.

    Raises StoreLockedError when another process holds it.
    """
    with path.open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreLockedError(path=path.parent) from error
        yield
