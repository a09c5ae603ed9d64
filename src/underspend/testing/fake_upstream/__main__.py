"""`python -m underspend.testing.fake_upstream --port N`: serves until interrupted, prints its URL first."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from underspend.testing.fake_upstream.script import script_from_json
from underspend.testing.fake_upstream.server import FakeUpstream


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line: --host, --port, --prefix, --script (a JSON file), --serve-unknown."""
    parser = argparse.ArgumentParser(prog="python -m underspend.testing.fake_upstream", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--prefix", default="", help="path before /v1")
    parser.add_argument("--script", type=Path, help="JSON file, as POST /__fake__/script takes it")
    parser.add_argument("--serve-unknown", action="store_true", help="answer for models without a price")
    return parser.parse_args(argv)


async def serve(options: argparse.Namespace) -> None:
    """Serves until cancelled."""
    script = None if options.script is None else script_from_json(options.script.read_bytes())
    async with FakeUpstream(
        script,
        host=options.host,
        port=options.port,
        prefix=options.prefix,
        serve_unknown=options.serve_unknown,
    ) as up:
        sys.stdout.write(f"{up.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(parse()))
