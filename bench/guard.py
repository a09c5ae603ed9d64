"""What a call pays for rate limits, watching and telling, with all of it on.

    python bench/guard.py

Requests are shaped like Claude Code's, each with an end of its own. "before" is what a call waits for before it is
forwarded: both limits and a look for pauses; "paused" the same while another session is paused. "after" is what is done
when its reply is out: taking its prompt apart, watching, telling; "known" the same where strategies had taken it apart
already. "told" is a call that is sent away because a limit is reached, while a place's server never answers.
"""

from __future__ import annotations

import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bodies
from underspend.config.alerts import alerts_from
from underspend.core.call import BillingMode, Call, Identity, Role
from underspend.core.plan import Plan
from underspend.core.rate_limits import RateLimits
from underspend.core.reply import Bill, Outcome, Reply
from underspend.core.runaway import Pause, Runaway
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist, Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.asked import Asked
from underspend.gateway.clock import SystemClock
from underspend.gateway.destinations import Destination
from underspend.gateway.entries import Entry
from underspend.gateway.guard import Guard
from underspend.gateway.status import Status
from underspend.integrations.alerts.deliver import Deliveries
from underspend.integrations.alerts.opening import open_alerts
from underspend.providers.anthropic import Anthropic

BAR_US = 50
_RUNS = 2_000
_NOBODY = Destination(provider=Anthropic(name="anthropic", base_url="http://127.0.0.1:1"), upstream=None)  # type: ignore[arg-type]
_CLOCK = SystemClock()


def guard(tells: Deliveries, most: int = 10**6) -> Guard:
    """Everything on, nothing reached."""
    rates = {"key": {"most": most, "of": "key"}, "session": {"most": most}}
    said = alerts_from({"rate_limits": rates, "runaway": {"loops": "pause"}}, "bench")
    anatomist = Anatomist()

    def anatomy(message: MessagesRequest) -> Anatomy:
        return anatomist.anatomy(tools=message.tools, system=message.system, messages=message.messages)

    status, runaway = Status(clock=_CLOCK, version="bench"), Runaway(said.runaway)
    limits = RateLimits(said.limits)
    return Guard(clock=_CLOCK, status=status, anatomy=anatomy, tells=tells, limits=limits, runaway=runaway)


def asked(raw: bytes, number: int) -> Asked:
    """A call with an end of its own."""
    message = anthropic_request.read(raw.replace(bodies.SERIAL.encode(), b"%016d" % number))
    who = Identity(session="s", key="k", role=Role.MAIN, billing=BillingMode.API_KEY)
    made = Call(id=f"{number:016x}", time=_CLOCK.now(), provider="anthropic", endpoint="messages", model=bodies.MODEL)
    call = replace(made, identity=who, prompt_tokens=len(raw) // 4)
    return Asked(
        call=call, endpoint="messages", login=False, dialect="anthropic", named="m", to=_NOBODY, message=message
    )


def measured(
    raw: bytes, work: Callable[[Asked], None], *, is_known: Callable[[MessagesRequest], Anatomy] | None = None
) -> float:
    """The median of the CPU time (µs) that the work takes for a call; with `is_known`, one taken apart already."""
    took = []
    for number in range(_RUNS):
        call = asked(raw, number)
        if is_known is not None and call.message is not None:
            call.call = replace(call.call, blocks=is_known(call.message).blocks)
        began = time.thread_time()
        work(call)
        took.append((time.thread_time() - began) * 1e6)
    return statistics.median(took[10:])


def before(made: Guard, *, is_stopped: bool = False) -> Callable[[Asked], None]:
    """What is done before a call; all but the first are stopped, or none is."""

    def work(call: Asked) -> None:
        found = made.stopped(call)
        if (found is not None) != is_stopped and call.call.id.strip("0"):
            raise RuntimeError("a call was stopped that should not be, or went on that should be stopped")

    return work


def after(made: Guard) -> Callable[[Asked], None]:
    """What is done behind a call that was answered."""
    reply = Reply(outcome=Outcome.OK, status=200, metered=None, bill=Bill(total=10**9))

    def work(call: Asked) -> None:
        made.watch(call, Entry(call.call, Plan(asked=call.call, call=call.call), {}, call.parts), reply)

    return work


def main() -> int:
    """Print the table; 1 where a call waits for longer than the bar."""
    print(f"{'body':>5} {'before':>10} {'paused':>10} {'told':>10} {'after':>10} {'known':>10}   (p50 of CPU, µs)")
    good = True
    with socket.create_server(("127.0.0.1", 0)) as silent, tempfile.TemporaryDirectory() as folder:
        to = {"name": "x", "kind": "webhook", "url": f"http://127.0.0.1:{silent.getsockname()[1]}/", "secret": "env:S"}
        said = alerts_from({"alerts": {"to": [to]}}, "bench")
        opened = open_alerts(
            said, Path(folder), _CLOCK, environ={"S": "s"}, on_fault=lambda *_: None, look=lambda _: ()
        )
        with opened as tells:
            for name, size in bodies.SIZES.items():
                row = figures(bodies.request(size, stream=True), tells)
                good &= max(row[:2]) <= BAR_US
                print(f"{name:>5} " + " ".join(f"{each:10.1f}" for each in row))
    print(f"bar: a call that is forwarded waits for at most {BAR_US} µs: {'held' if good else 'MISSED'}")
    return 0 if good else 1


def figures(raw: bytes, tells: Deliveries) -> list[float]:
    """A line of the table."""
    made = guard(tells)
    row = [measured(raw, before(made))]
    if made.runaway is not None:
        made.runaway._pauses["other", None] = Pause(words="", since=0, until=2**62, session="other")  # noqa: SLF001  # as if it had looped
    row.append(measured(raw, before(made)))
    row.append(measured(raw, before(guard(tells, most=1), is_stopped=True)))
    row.append(measured(raw, after(made)))
    row.append(measured(raw, after(made), is_known=made.anatomy))
    return row


if __name__ == "__main__":
    sys.exit(main())
