import asyncio
import gzip
from dataclasses import replace

import pytest
from doubles import NOW, Told, daily
from replies import events

from underspend.core.budgets import AtCap
from underspend.core.call import Call
from underspend.core.usage import Usage
from underspend.core.windows import window
from underspend.gateway.capped import CappedResponder, ReachedCapError, so_far

ENDS = daily("1", name="one", window=window("request"), at_cap=AtCap.END)
STREAM = [(b"content-type", b"text/event-stream"), (b"content-length", b"9"), (b"x-request-id", b"r")]


class Growing:
    """Tokens so far: sixteen more with each look."""

    def __init__(self, step=16):
        self.output, self.step = 0, step

    def __call__(self):
        self.output += self.step
        return Usage(output=self.output)


def passed(chunks, *, price, headers=STREAM, status=200, dialect="anthropic", seen=None):
    told = Told()
    capped = CappedResponder(told, ENDS, dialect, seen=seen or Growing(), price=price)

    async def run():
        await capped.start(status, headers)
        for chunk in chunks:
            await capped.write(chunk)
        await capped.end()

    try:
        asyncio.run(run())
    except ReachedCapError as error:
        return told, str(error)
    return told, ""


def test_a_reply_within_its_cap_goes_through_event_by_event():
    told, ended = passed(events(), price=lambda usage: 0)
    assert (told.body, ended, told.ended) == (b"".join(events()), "", True)
    assert told.headers == [STREAM[0], STREAM[2]]


def test_a_reply_that_reaches_its_cap_is_ended_as_a_whole_message():
    told, ended = passed(events() * 3, price=lambda usage: usage.output * ENDS.cap // 64)
    assert "reached the budget 'one'" in ended
    assert told.ended
    assert b"The reply was ended here" in told.body
    assert told.body.endswith(b'data: {"type":"message_stop"}\n\n')
    assert b'"output_tokens":64' in told.body


def test_a_reply_that_is_ending_by_itself_is_let_to():
    last = [*events()[:-1]]
    told, ended = passed([b"".join(last), events()[-1]], price=lambda usage: ENDS.cap if usage.output > 16 else 0)
    assert (told.body, ended) == (b"".join(events()), "")


def test_the_price_is_looked_at_every_few_tokens_only():
    looks = []
    passed(events() * 4, price=lambda usage: looks.append(1) or 0, seen=Growing(1))
    assert 1 <= len(looks) <= 5


def test_compressed_streams_are_passed_on_plain():
    packed = gzip.compress(b"".join(events()))
    headers = [*STREAM, (b"content-encoding", b"gzip")]
    told, _ = passed([packed[:40], packed[40:]], price=lambda usage: 0, headers=headers)
    assert told.body == b"".join(events())
    assert b"content-encoding" not in dict(told.headers)


@pytest.mark.parametrize(("status", "kind"), [(200, b"application/json"), (529, b"text/event-stream")])
def test_what_is_no_stream_or_no_reply_is_not_touched(status, kind):
    headers = [(b"content-type", kind), (b"content-length", b"2")]
    told, ended = passed([b"{}"], price=lambda usage: ENDS.cap, headers=headers, status=status)
    assert (told.body, told.headers, ended) == (b"{}", headers, "")


def test_it_is_a_responder_in_all_else():
    told = Told()
    capped = CappedResponder(told, ENDS, "anthropic", seen=Growing(), price=lambda usage: 0)
    told.started = told.client_gone = True
    assert (capped.client_gone, capped.started) == (True, True)


def test_what_came_so_far_can_be_priced():
    call = Call(id="c", time=NOW, provider="anthropic", endpoint="messages", model="m", speed="fast")
    made = so_far(call, Usage(output=5))
    assert (made.model, made.speed, made.complete, made.usage) == ("m", "fast", False, Usage(output=5))
    assert replace(made, complete=True) != made
