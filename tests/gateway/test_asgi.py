import asyncio

import pytest

from underspend.gateway.asgi import AsgiRequest, AsgiResponder, Watch
from underspend.gateway.transport import BodyTooLargeError, ClientGoneError

SCOPE = {"method": "POST", "path": "/a b", "raw_path": b"/a%20b", "query_string": b"q=1"}


def request(messages, headers=((b"content-length", b"6"),)):
    waiting = list(messages)

    async def receive():
        if not waiting:
            await asyncio.sleep(60)
        return waiting.pop(0)

    return AsgiRequest({**SCOPE, "headers": list(headers)}, receive)


def part(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def test_the_body_is_put_together_and_the_target_is_raw():
    made = request([part(b"abc", more=True), part(b"def")])
    assert asyncio.run(made.body(100)) == b"abcdef"
    assert (made.path, made.query) == (b"/a%20b", b"q=1")


@pytest.mark.parametrize("fields", [[], [(b"content-length", b"0")]])
def test_no_body_is_read_from_the_start_so_that_a_client_that_leaves_is_noticed(fields):
    assert request([], fields).whole
    assert asyncio.run(request([], fields).body(100)) == b""


def test_a_declared_length_over_the_limit_is_refused_unread():
    with pytest.raises(BodyTooLargeError):
        asyncio.run(request([], [(b"content-length", b"101")]).body(100))


def test_an_undeclared_length_over_the_limit_is_refused_while_read():
    made = request([part(b"x" * 60, more=True), part(b"x" * 60)], [(b"transfer-encoding", b"chunked")])
    with pytest.raises(BodyTooLargeError):
        asyncio.run(made.body(100))


def test_a_client_that_leaves_while_it_sends():
    with pytest.raises(ClientGoneError):
        asyncio.run(request([part(b"a", more=True), {"type": "http.disconnect"}]).body(100))


@pytest.mark.parametrize("ended", [False, True])
def test_a_client_that_leaves_later_cancels_the_work_unless_it_is_done(ended):
    made = request([part(b"abcdef"), {"type": "http.disconnect"}])

    async def play():
        responder = AsgiResponder(lambda message: asyncio.sleep(0))
        with Watch(made, responder):
            await made.body(100)
            if ended:
                await responder.end()
            await asyncio.sleep(0.2)
        return responder.client_gone

    if ended:
        assert asyncio.run(play()) is False
    else:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(play())
