"""A faithful scripted Anthropic Messages API on loopback: an own prompt cache, an own price list, an own bill.

    async with FakeUpstream(Queue([Reply(content="Hello")])) as up:
        client = AsyncAnthropic(base_url=up.url, api_key="sk-ant-fake")

It imports nothing else of this package, so that it can witness what the package computes.
"""

from underspend.testing.fake_upstream.bill import Bill, Counts
from underspend.testing.fake_upstream.clock import FakeClock
from underspend.testing.fake_upstream.faults import Delivery, Fault, prompt_too_long
from underspend.testing.fake_upstream.ledger import Seen
from underspend.testing.fake_upstream.limits import Limits
from underspend.testing.fake_upstream.prices import PriceList, PriceSource
from underspend.testing.fake_upstream.prompt_cache import Placement, Prompt, PromptCache, build_prompt
from underspend.testing.fake_upstream.recorded import Recorded, from_payloads, from_sse
from underspend.testing.fake_upstream.replies import (
    Growth,
    Iteration,
    Reply,
    server_tool,
    thinking,
    tool_use,
)
from underspend.testing.fake_upstream.script import Answer, Queue, Routed, Script, default_reply, in_turn
from underspend.testing.fake_upstream.server import FakeUpstream, run_in_thread
from underspend.testing.fake_upstream.tool_loop import Call, ToolLoop
from underspend.testing.fake_upstream.view import RequestView

__all__ = [
    "Answer",
    "Bill",
    "Call",
    "Counts",
    "Delivery",
    "FakeClock",
    "FakeUpstream",
    "Fault",
    "Growth",
    "Iteration",
    "Limits",
    "Placement",
    "PriceList",
    "PriceSource",
    "Prompt",
    "PromptCache",
    "Queue",
    "Recorded",
    "Reply",
    "RequestView",
    "Routed",
    "Script",
    "Seen",
    "ToolLoop",
    "build_prompt",
    "default_reply",
    "from_payloads",
    "from_sse",
    "in_turn",
    "prompt_too_long",
    "run_in_thread",
    "server_tool",
    "thinking",
    "tool_use",
]
