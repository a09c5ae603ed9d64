"""How an attempt ended, by what was seen of its reply."""

import pytest

from underspend.core.reply import Outcome
from underspend.gateway.passage import ended
from underspend.gateway.tap import Tap
from underspend.gateway.transport import UpstreamReply

STREAM = b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n'


@pytest.mark.parametrize(
    ("status", "kind", "body", "outcome"),
    [
        (200, b"application/json", b'{"usage":{"input_tokens":1,"output_tokens":1}}', Outcome.OK),
        (429, b"application/json", b"{}", Outcome.ERROR),
        (200, b"text/event-stream", STREAM, Outcome.CUT),
    ],
)
def test_an_end_is_named_by_status_and_by_how_far_the_stream_came(status, kind, body, outcome):
    reply = UpstreamReply(status, [(b"content-type", kind)], None)
    tap = Tap(reply, print)
    tap.see(body)
    end = ended(tap, reply, notes=("why",))
    assert (end.outcome, end.status, end.reply_bytes, end.notes) == (outcome, status, len(body), ("why",))
