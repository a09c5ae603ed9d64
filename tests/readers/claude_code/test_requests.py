from __future__ import annotations

from pathlib import Path
from typing import Any

from readers.transcripts import SESSION, assistant, entry, result, tool, user, write
from underspend.readers.claude_code.messages import hash_of
from underspend.readers.claude_code.requests import WireRequest, wire_requests

FIRST = {"role": "user", "content": [{"type": "text", "text": "<system-reminder>x</system-reminder>"}]}
SHAPE = {"system": [{"type": "text", "text": "You are."}], "tools": [{"name": "Read"}]}
PARAMS = {"model": "claude-opus-5-5", "max_tokens": 100, "betas": ["b1"]}


def blob(message: dict[str, Any]) -> dict[str, Any]:
    return {"type": "api-request-blob", "sessionId": SESSION, "hash": hash_of(message), "message": message}


def shape() -> dict[str, Any]:
    return {"type": "api-request-shape", "sessionId": SESSION, "shapeHash": "s1", "shape": SHAPE}


def sent(name: str, tail: list[str], **more: Any) -> dict[str, Any]:
    return entry("api-request", id=name, shapeHash="s1", params=PARAMS, keep=0, tail=tail, querySource="sdk", **more)


def conversation(folder: Path, *, first_use: dict[str, Any] | None = None) -> list[WireRequest]:
    use = tool("t1")
    answer = {"role": "assistant", "content": [first_use or use]}
    done = {"role": "user", "content": [result("t1")]}
    mark = [
        {"path": ["messages", 2, "content", 0], "value": {"type": "ephemeral"}},
        {"path": ["system", 0], "value": {}},
    ]
    path = write(
        folder,
        "a.jsonl",
        user("Hi"),
        shape(),
        blob(FIRST),
        sent("r1", [hash_of(FIRST)]),
        assistant("msg_1", use, requestRef="r1", requestId="req_1"),
        user([result("t1")]),
        sent("r2", [hash_of(answer), hash_of(done)], base="r1", cacheControl=mark) | {"keep": 1},
        assistant("msg_2", requestRef="r2"),
    )
    return list(wire_requests(path))


def test_requests_are_rebuilt(tmp_path: Path) -> None:
    one, two = conversation(tmp_path)
    assert (one.id, one.message_id, one.request_id, one.session) == ("r1", "msg_1", "req_1", SESSION)
    assert one.body == {"model": "claude-opus-5-5", "messages": [FIRST], **SHAPE, "max_tokens": 100}
    assert (one.betas, one.purpose, one.exact) == (("b1",), "sdk", True)
    assert [message["role"] for message in two.body["messages"]] == ["user", "assistant", "user"]
    assert (two.message_id, two.exact) == ("msg_2", True)


def test_breakpoints_are_put_back(tmp_path: Path) -> None:
    one, two = conversation(tmp_path)
    assert two.breakpoints == (("messages", 2, "content", 0), ("system", 0))
    assert two.body["messages"][2]["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in one.body["system"][0]


def test_a_message_whose_hash_fits_none_is_found_by_its_place(tmp_path: Path) -> None:
    _, two = conversation(tmp_path, first_use=tool("another"))
    assert two.body["messages"][1] == {"role": "assistant", "content": [tool("t1")]}
    assert not two.exact


def test_a_string_carries_a_breakpoint_as_a_list(tmp_path: Path) -> None:
    message = {"role": "user", "content": "Hi"}
    mark = [{"path": ["messages", 0, "content", 0], "value": {"ttl": "1h"}}]
    path = write(tmp_path, "a.jsonl", shape(), blob(message), sent("r1", [hash_of(message)], cacheControl=mark))
    (found,) = wire_requests(path)
    assert found.body["messages"][0]["content"] == [{"type": "text", "text": "Hi", "cache_control": {"ttl": "1h"}}]
    assert (found.message_id, found.request_id) == (None, None)


def test_paths_that_lead_nowhere_are_left_out(tmp_path: Path) -> None:
    paths = [["system", 9], ["messages"], ["gone", 0], "x", [], ["system", "x"], ["messages", 0, "content", 0, "text"]]
    marks = [{"path": path, "value": {}} for path in paths]
    path = write(tmp_path, "a.jsonl", shape(), blob(FIRST), sent("r1", [hash_of(FIRST)], cacheControl=marks))
    (found,) = wire_requests(path)
    assert found.breakpoints == ()


def test_what_lacks_a_piece_is_left_out(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "a.jsonl",
        blob(FIRST),
        sent("shape later", [hash_of(FIRST)]),
        shape(),
        sent("no message", ["unknown"]),
        sent("no base", [], base="gone") | {"keep": 3},
        sent("odd", [1, None], base=7) | {"keep": "x"},
        b"{broken",
        b"[1]",
    )
    assert [found.id for found in wire_requests(path)] == ["shape later", "odd"]
