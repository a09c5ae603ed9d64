from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from underspend.core.errors import StoreLockedError
from underspend.stores.lock import exclusive

HOLDER = """
import sys
from pathlib import Path
from underspend.stores.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_one_holds_it(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock"),
        pytest.raises(StoreLockedError, match=tmp_path.name),
        exclusive(tmp_path / "lock"),
    ):
        pytest.fail("two hold the lock")
    with exclusive(tmp_path / "lock"):
        pass


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreLockedError), exclusive(file):
            pass
        holder.kill()
        holder.wait()
    with exclusive(file):
        pass
