"""What is known of a call that nobody has taken apart: often enough to tell that there is nothing to do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from underspend.core.call import Call
from underspend.core.conversation import Habits
from underspend.core.ports import Pricing


@dataclass(slots=True, kw_only=True)
class Glance:
    """A call without its blocks, and what a look at its bytes shows.

    `begins` is whether no model has spoken in it yet. `has_breakpoints` and `asks_for_an_hour` are what its client asks
    of the cache. `came_in` is the most blocks that can stand behind, or in, the model's last words.

    `calls` are the earlier ones of its conversation, None where nobody can tell which that is. `longest_pause` is the
    longest between two of them, the one before this call included (µs), `long_tokens` as in `Conversation`. `habits`
    are brought up to date when they are asked for.
    """

    call: Call
    pricing: Pricing
    begins: bool
    has_breakpoints: bool
    asks_for_an_hour: bool
    came_in: int
    calls: int | None = None
    longest_pause: int = 0
    long_tokens: int = 0
    habits: Callable[[], Habits] = Habits
