from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from underspend.testing.fake_upstream.__main__ import parse, serve

MODULE = "underspend.testing.fake_upstream"


def test_the_command_line() -> None:
    options = parse(["--port", "5", "--prefix", "/p", "--serve-unknown"])
    assert (options.port, options.prefix, options.serve_unknown, options.host) == (5, "/p", True, "127.0.0.1")


def test_it_prints_its_url_and_serves_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"default": {"type": "reply", "content": "from file"}}))
    with subprocess.Popen(
        [sys.executable, "-m", MODULE, "--port", "0", "--script", str(script)], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        body = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
        request = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), {"x-api-key": "k"})
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["content"][0]["text"] == "from file"
        running.terminate()


def test_serving_ends_when_cancelled(capsys: pytest.CaptureFixture[str]) -> None:
    async def briefly() -> None:
        async with asyncio.timeout(0.2):
            await serve(parse([]))

    with pytest.raises(TimeoutError):
        asyncio.run(briefly())
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")
