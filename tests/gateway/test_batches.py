import asyncio
import gzip
import json

import pytest

from underspend.gateway.batches import rewritten
from underspend.gateway.transport import UpstreamReply

URL = "https://api.anthropic.com/v1/messages/batches/b1/results"
HOST = [(b"host", b"127.0.0.1:4100")]


def rewrite(body, *headers, status=200, prefix="/p/x"):
    async def chunks():
        yield body[:10]
        yield body[10:]

    async def play():
        reply = await rewritten(UpstreamReply(status, list(headers), chunks()), HOST, prefix)
        return reply, b"".join([chunk async for chunk in reply.chunks])

    return asyncio.run(play())


@pytest.mark.parametrize("spacing", [(",", ":"), (", ", ": ")])
def test_every_results_url_points_at_the_gateway_and_nothing_else_changes(spacing):
    body = {"id": "b1", "results_url": URL, "note": URL, "data": [{"results_url": URL}, {"results_url": None}]}
    reply, changed = rewrite(json.dumps(body, separators=spacing).encode(), (b"content-type", b"application/json"))
    ours = "http://127.0.0.1:4100/p/x/v1/messages/batches/b1/results"
    assert json.loads(changed) == {**body, "results_url": ours, "data": [{"results_url": ours}, {"results_url": None}]}
    assert dict(reply.headers)[b"content-length"] == str(len(changed)).encode()


def test_a_compressed_reply_is_decoded_to_be_rewritten():
    packed = gzip.compress(json.dumps({"results_url": URL}).encode())
    headers = ((b"content-type", b"application/json"), (b"content-encoding", b"gzip"), (b"content-length", b"9"))
    reply, changed = rewrite(packed, *headers)
    assert b"127.0.0.1:4100" in changed
    assert b"content-encoding" not in dict(reply.headers)


def test_a_reply_without_a_url_stays_as_it_came():
    packed = gzip.compress(b'{"results_url": null}')
    headers = [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")]
    reply, same = rewrite(packed, *headers)
    assert (same, reply.headers) == (packed, headers)


@pytest.mark.parametrize(("status", "kind"), [(404, b"application/json"), (200, b"text/plain")])
def test_errors_and_other_types_are_left_alone(status, kind):
    body = json.dumps({"results_url": URL}).encode()
    assert rewrite(body, (b"content-type", kind), status=status)[1] == body
