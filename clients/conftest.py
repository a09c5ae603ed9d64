"""Real clients against the fake upstream, directly and through the gateway. Loopback only; nothing of the user's."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "gateway"), str(Path(__file__).parent)]

VERSION = os.environ.get("CLAUDE_CODE_VERSION", "2.1.328")


def installed(prefix: Path) -> Path:
    """The native binary of Claude Code, installed from npm into a prefix of its own."""
    found = sorted(prefix.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    if not found:
        package = f"@anthropic-ai/claude-code@{VERSION}"
        command = ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", "--loglevel=error", package]
        with tempfile.TemporaryDirectory() as home:
            subprocess.run(command, check=True, timeout=600, env={**os.environ, "HOME": home})
        found = sorted(prefix.glob("node_modules/@anthropic-ai/claude-code-*/claude"))
    return found[0]


@pytest.fixture(scope="session")
def claude() -> Path:
    prefix = Path(tempfile.gettempdir()) / f"underspend-clients-{VERSION}"
    prefix.mkdir(exist_ok=True)
    return installed(prefix)
