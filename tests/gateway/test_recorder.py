import asyncio
import gzip
import zlib

import pytest
from doubles import Told

from underspend.gateway.recorder import Heard, Recorder

HEAD = [(b"content-type", b"application/json"), (b"request-id", b"req_1")]


def passed(*chunks, head=HEAD, most=100, end=True):
    told = Told()
    recorder = Recorder(told, [(b"x-ours", b"1")], most=most)

    async def work():
        assert not recorder.started
        await recorder.start(200, head)
        for chunk in chunks:
            await recorder.write(chunk)
        if end:
            await recorder.end()

    asyncio.run(work())
    return told, recorder


def test_the_client_gets_the_reply_as_it_comes_with_our_headers_after_its_own():
    told, recorder = passed(b"one ", b"two")
    assert (told.status, told.headers, told.body, told.ended) == (200, [*HEAD, (b"x-ours", b"1")], b"one two", True)
    assert recorder.started
    assert recorder.ended
    assert recorder.heard() == Heard(status=200, content_type="application/json", body=b"one two", request_id="req_1")


def test_a_reply_that_did_not_come_to_its_end_was_not_heard():
    _, recorder = passed(b"one", end=False)
    assert recorder.heard() is None
    assert not recorder.ended


def test_a_client_may_know_the_whole_reply_before_its_end_is_seen_here():
    head = [*HEAD, (b"content-length", b"6")]
    assert not passed(b"one", head=head, end=False)[1].told
    assert passed(b"one", b"two", head=head, end=False)[1].told
    assert not passed(b"one", b"two", end=False)[1].told
    assert passed(b"one")[1].told


def test_of_a_reply_that_is_too_large_nothing_is_held():
    told, recorder = passed(b"x" * 60, b"y" * 60, b"z")
    assert recorder.heard() is None
    assert recorder._parts == []
    assert len(told.body) == 121


def test_a_content_coding_is_undone_for_what_is_heard_only():
    packed = gzip.compress(b"one two")
    told, recorder = passed(packed[:5], packed[5:], head=[*HEAD, (b"content-encoding", b"gzip")])
    assert told.body == packed
    assert recorder.heard().body == b"one two"
    small = gzip.compress(b"x" * 5000)
    assert passed(small, head=[*HEAD, (b"content-encoding", b"gzip")])[1].heard() is None
    with pytest.raises(zlib.error):
        passed(b"no gzip", head=[*HEAD, (b"content-encoding", b"gzip")])[1].heard()
    with pytest.raises(ValueError, match="rot13"):
        passed(b"x", head=[*HEAD, (b"content-encoding", b"rot13")])[1].heard()


def test_another_dialects_request_id_is_known_too_and_a_client_that_is_gone_is_seen():
    told, recorder = passed(b"", head=[(b"x-request-id", b"req_2")])
    assert recorder.heard().request_id == "req_2"
    told.client_gone = True
    assert recorder.client_gone
