"""The acceptance run on the bundled recordings, and each kind of file it must read."""

from __future__ import annotations

import base64
import gzip
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from formats.recorded import ROOT, acceptance, recordings

BODY = {"type": "message", "id": "msg_1", "model": "m", "content": [{"text": "é 🎉"}], "usage": {"input_tokens": 3}}
EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]
REQUEST = {"method": "POST", "uri": "https://api.example/v1/messages", "body": '{"model":"m"}', "headers": {"A": ["b"]}}
STATUS = {"code": 201, "message": "x"}


def test_the_bundled_recordings_pass(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "provider-traffic").symlink_to(ROOT)
    assert acceptance.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "recordings can be read: 39/39 files" in out
    assert "26/26 recordings, 45/45 replies" in out
    assert "OpenRouter's own cost is ours: 3/3 replies" in out
    assert "FAIL" not in out


def test_a_wrong_answer_fails_the_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    name = "vercel-ai/packages/anthropic/src/__fixtures__/anthropic-refusal.json"
    root = tmp_path / "provider-traffic"
    (root / name).parent.mkdir(parents=True)
    (root / name).write_bytes((ROOT / name).read_bytes())
    expected = json.loads((ROOT / "expected-usage.json").read_text())
    (row,) = expected["files"][name]
    row["list_usd"] = 0.00043
    (root / "expected-usage.json").write_text(json.dumps({"files": {name: [row]}}))
    assert acceptance.main([str(tmp_path)]) == 1
    assert "FAIL  bills are exact: 0/1 replies" in capsys.readouterr().out
    row["final_usage"]["input_tokens"] += 1
    (root / "expected-usage.json").write_text(json.dumps({"files": {name: [row]}}))
    assert acceptance.main([str(tmp_path)]) == 1
    assert "FAIL  usage is exact, whole and in chunks: 0/1 recordings, 0/1 replies" in capsys.readouterr().out


def test_the_run_wants_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert acceptance.main([]) == 2
    assert capsys.readouterr().out == "usage: acceptance.py DATA\n"


def test_data_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert acceptance.main([str(tmp_path)]) == 2
    assert "there is no " in capsys.readouterr().out


def test_a_file_that_cannot_be_read_fails_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = tmp_path / "provider-traffic"
    root.mkdir()
    (root / "expected-usage.json").write_text('{"files": {"gone.json": []}}')
    (root / "bad.yaml").write_text("{")
    (root / "good.json").write_text(json.dumps(BODY))
    assert acceptance.main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  recordings can be read: 1/3 files" in out
    assert "bad.yaml: ParserError" in out
    assert "gone.json: not there" in out
    assert "every other recording is metered or explained: 1 anthropic" in out


def sse(*events: Any) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def read(tmp_path: Path, name: str, content: bytes) -> list[Any]:
    path = tmp_path / name
    path.write_bytes(content)
    assert list(recordings.files(tmp_path)) == [path]
    return recordings.exchanges(path)


def cassette(body: Any) -> bytes:
    response = {"status": STATUS, "headers": {"Request-Id": ["req_1"]}, **body}
    return yaml.safe_dump({"interactions": [{"request": REQUEST, "response": response}]}).encode()


def framed(payload: bytes) -> bytes:
    inner = json.dumps({"bytes": base64.b64encode(payload).decode()}).encode()
    prelude = struct.pack(">II", 16 + len(inner), 0)
    head = prelude + struct.pack(">I", zlib.crc32(prelude))
    return head + inner + struct.pack(">I", zlib.crc32(head + inner))


@pytest.mark.parametrize(
    "body",
    [
        {"parsed_body": BODY},
        {"body": {"string": json.dumps(BODY)}},
        {"body": {"string": json.dumps(BODY).encode()}},
        {"body": {"string": gzip.compress(json.dumps(BODY).encode())}},
    ],
)
def test_a_cassette_with_json(tmp_path: Path, body: Any) -> None:
    (exchange,) = read(tmp_path, "a.yaml", cassette(body))
    assert json.loads(exchange.reply) == BODY
    assert (exchange.url, exchange.status, exchange.request) == (REQUEST["uri"], 201, b'{"model":"m"}')
    assert exchange.headers == {"request-id": "req_1"}


def test_a_cassette_with_a_stream_as_text_or_in_awss_frames(tmp_path: Path) -> None:
    (exchange,) = read(tmp_path, "a.yaml", cassette({"body": {"string": sse(*EVENTS).decode()}}))
    assert exchange.reply == sse(*EVENTS)
    payloads = [json.dumps(event).encode() for event in EVENTS]
    (exchange,) = read(tmp_path, "a.yaml", cassette({"body": {"string": b"".join(map(framed, payloads))}}))
    assert exchange.reply == sse(*EVENTS)


def test_a_cassette_with_two_lists(tmp_path: Path) -> None:
    request = {**REQUEST, "body": b'{"model":"m"}'}
    response = {"status": STATUS, "body": {"string": gzip.compress(sse(*EVENTS))}, "headers": {}}
    lists = {"requests": [request, request], "responses": [response, response]}
    found = read(tmp_path, "a.yml", yaml.safe_dump(lists).encode())
    assert [(each.request, each.reply) for each in found] == [(b'{"model":"m"}', sse(*EVENTS))] * 2


def test_a_binary_body_stays_as_it_is(tmp_path: Path) -> None:
    image = b"\xff\xd8\xff\xe0" + bytes(40)
    (exchange,) = read(tmp_path, "a.yaml", cassette({"body": {"string": image}}))
    assert (exchange.reply, exchange.textual) == (image, False)


def test_a_list_of_snapshots(tmp_path: Path) -> None:
    pairs = [
        {
            "request": {"url": "u", "body": {"a": 1}},
            "response": {"status_code": 429, "headers": {"X": "y"}, "body": BODY},
        },
        {"request": {"url": "u/count_tokens", "body": None}, "response": {"body": sse(*EVENTS).decode()}},
    ]
    first, second = read(tmp_path, "a.json", json.dumps(pairs).encode())
    assert (first.status, first.request, json.loads(first.reply)) == (429, b'{"a":1}', BODY)
    assert (second.status, second.request, second.reply) == (200, None, sse(*EVENTS))
    assert (first.counts_tokens, second.counts_tokens) == (False, True)


@pytest.mark.parametrize("name", ["a.json", "a.txt"])
def test_a_whole_reply(tmp_path: Path, name: str) -> None:
    raw = json.dumps(BODY, indent=2).encode()
    (exchange,) = read(tmp_path, name, raw)
    assert exchange.reply == raw


@pytest.mark.parametrize("name", ["a.txt", "a.sse"])
def test_a_stream_as_it_was(tmp_path: Path, name: str) -> None:
    (exchange,) = read(tmp_path, name, sse(*EVENTS))
    assert exchange.reply == sse(*EVENTS)


def test_payloads_line_by_line_are_split_where_a_reply_starts(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(event) for event in [*EVENTS, *EVENTS, EVENTS[0]])
    found = read(tmp_path, "a.chunks.txt", lines.encode() + b"\n\n")
    assert [each.reply for each in found] == [sse(*EVENTS), sse(*EVENTS), sse(EVENTS[0])]
    gemini = read(tmp_path, "a.chunks.txt", b'{"candidates": []}\n{"usageMetadata": {}}\n')
    assert [each.reply for each in gemini] == [b'data: {"candidates": []}\n\ndata: {"usageMetadata": {}}\n\n']
