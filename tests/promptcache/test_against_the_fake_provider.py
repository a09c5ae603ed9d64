"""The block-level cache against the fake provider's independent one: the same requests, equal to the token."""

import itertools
import random

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from underspend.audit.wire_prompt import prompt_of
from underspend.promptcache import Cache, InvalidPromptError
from underspend.testing.fake_upstream import PriceList, PromptCache, blocks, build_prompt
from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.tokens import count

SECOND = 1_000_000
FACTS = PriceList()
MODELS = ("claude-opus-5-5", "claude-haiku-4-5-20251001", "claude-opus-4-6", "claude-sonnet-4-6")
GAPS = (0, 1, 60, 299, 300, 301, 3599, 3600, 3601)
ACTIONS = (
    *("say", "say", "say", "use", "use", "burst", "think", "picture", "reminder", "cite", "empty"),
    *("cut", "model", "effort", "speed", "choice", "thinking", "tool", "search", "deferred", "renote"),
)
unique = itertools.count()


def words(dice, most=700):
    size = dice.choice((1, 40, 600, 2400, most * 4))
    return (f"{dice.randrange(5)} " * size)[:size]


class Talk:
    """A conversation that changes at random; `body()` is its next request."""

    def __init__(self, dice):
        self.dice = dice
        self.system = [{"type": "text", "text": "s" * dice.choice((40, 3000))}]
        self.offered = [{"name": "Read", "description": "d" * 900, "input_schema": {"type": "object"}}]
        self.messages = [{"role": "user", "content": [{"type": "text", "text": "begin"}]}]
        self.extra = {"model": MODELS[0]}

    def act(self, action):
        getattr(self, action)()

    def add(self, role, *content, **beside):
        self.messages.append({"role": role, "content": list(content), **beside})

    def say(self):
        self.add("assistant", {"type": "text", "text": words(self.dice)})
        self.add("user", {"type": "text", "text": words(self.dice)})

    def burst(self):
        number = self.dice.choice((9, 18, 19, 20, 21, 25))
        self.add("user", *({"type": "text", "text": f"{self.dice.randrange(9)}"} for _ in range(number)))

    def think(self):
        thought = {"type": "thinking", "thinking": words(self.dice, 50), "signature": "x"}
        self.add("assistant", thought, {"type": "text", "text": "so"})
        if self.dice.random() < 0.5:
            self.say()

    def picture(self):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
        use = {"type": "tool_use", "id": "p", "name": "Read", "input": {}}
        self.add("assistant", use)
        self.add(
            "user",
            {"type": "tool_result", "tool_use_id": "p", "content": [image]} if self.dice.random() < 0.5 else image,
        )

    def reminder(self):
        content = [{"type": "text", "text": "note"}] if self.dice.random() < 0.5 else []
        self.add("system", *content, output_config={"effort": self.dice.choice(("low", "high"))})

    def cite(self):
        document = {"type": "document", "source": {"type": "text", "data": "x"}, "citations": {"enabled": True}}
        self.add("user", document)

    def empty(self):
        self.add("assistant", {"type": "text", "text": ""})

    def cut(self):
        keep = self.dice.randrange(1, len(self.messages) + 1)
        del self.messages[keep:]

    def model(self):
        self.extra["model"] = self.dice.choice(MODELS)

    def effort(self):
        self.extra["output_config"] = {"effort": self.dice.choice(("low", "medium", "high", None))}

    def speed(self):
        self.extra["speed"] = self.dice.choice(("fast", "standard"))

    def choice(self):
        kinds = ({"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "Read"}, None)
        kind = self.dice.choice(kinds)
        disabled = {"disable_parallel_tool_use": self.dice.random() < 0.5} if kind else {}
        self.extra["tool_choice"] = kind and {**kind, **disabled}

    def thinking(self):
        kinds = ({"type": "adaptive"}, {"type": "enabled", "budget_tokens": 2000}, {"type": "disabled"}, None)
        self.extra["thinking"] = self.dice.choice(kinds)

    def renote(self):
        """The same content in another notation."""
        for message in self.messages:
            content = message["content"]
            if (
                isinstance(content, list)
                and len(content) == 1
                and content[0].get("type") == "text"
                and content[0]["text"]
            ):
                message["content"] = content[0]["text"]
            elif isinstance(content, list):
                message["content"] = [dict(reversed(list(block.items()))) for block in content]

    def use(self):
        names = [f"t{next(unique)}" for _ in range(self.dice.choice((1, 1, 2, 10)))]
        inputs = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
        uses = [{"type": "tool_use", "id": n, "name": "Read", "input": self.dice.choice(inputs)} for n in names]
        self.add("assistant", *uses)
        results = []
        for name in names:
            text = words(self.dice)
            content = self.dice.choice((text, [{"type": "text", "text": text}], None))
            results.append({"tool_use_id": name, "type": "tool_result", "content": content})
        self.add("user", *results)

    def tool(self):
        self.offered.append({"name": f"T{self.dice.randrange(3)}", "description": words(self.dice), "input_schema": {}})

    def search(self):
        found = [tool for tool in self.offered if not tool.get("type")]
        web = {"type": "web_search_20250305", "name": "web_search"}
        self.offered = found if len(found) < len(self.offered) else [*found, web]

    def deferred(self):
        later = {"name": "Later", "description": words(self.dice), "input_schema": {}, "defer_loading": True}
        self.offered = [*(tool for tool in self.offered if not tool.get("defer_loading")), later]
        reference = {"type": "tool_reference", "tool_name": "Later"}
        self.add("user", {"type": "tool_result", "tool_use_id": "x", "content": [reference]})

    def body(self):
        """The request, with breakpoints where the dice put them; they may break the rules."""
        dice = self.dice
        offered = [dict(tool) for tool in self.offered]
        system = [dict(block) for block in self.system]
        messages = [
            {**message, "content": [dict(block) for block in content] if isinstance(content, list) else content}
            for message in self.messages
            for content in [message["content"]]
        ]
        places = [tool for tool in offered if not tool.get("defer_loading")] + system
        for message in messages:
            if isinstance(message["content"], list):
                places += [place for block in message["content"] for place in carriers(block)]
        longs = dice.choice((0, 1, 2, 9))
        spread = dice.sample(range(len(places)), min(len(places), dice.choice((0, 1, 2, 3, 4, 5))))
        chosen = sorted([*spread[1:], len(places) - 1] if spread and dice.random() < 0.8 else spread)
        for rank, at in enumerate(dict.fromkeys(chosen)):
            places[at]["cache_control"] = {"type": "ephemeral"} | ({"ttl": "1h"} if rank < longs else {})
        made = {"tools": offered, "system": system, "messages": messages, **self.extra}
        if dice.random() < 0.3:
            made["cache_control"] = {"type": "ephemeral", "ttl": dice.choice(("5m", "1h"))}
        return {key: value for key, value in made.items() if value is not None}


def carriers(block):
    """The block, and of a tool's result what it holds, as far as they can carry a breakpoint."""
    inner = block.get("content")
    if isinstance(inner, list):
        block["content"] = [dict(part) for part in inner]
        # The fake provider takes a marked picture in a result for longer than it is, so pictures stay unmarked there.
        return [*(part for part in block["content"] if part["type"] == "text"), block]
    empty = block.get("type") == "text" and not block["text"]
    return [] if empty or block.get("type") == "thinking" else [block]


def tokens(block):
    """The fake provider's own count of one block."""
    if "type" not in block:
        return count(json.encode(block))
    return blocks.positions({"messages": [{"role": "user", "content": [block]}]})[0].tokens


class Pair:
    """Both caches, given the same requests."""

    def __init__(self):
        self.ours, self.theirs, self.waiting = Cache(), PromptCache(), []

    def ask(self, body, now):
        name = body["model"]
        minimum = FACTS.min_cache_tokens(name)
        try:
            theirs = build_prompt(body, workspace="w", model=name, facts=FACTS.find(name))
        except ApiError:
            theirs = None
        try:
            ours = prompt_of(body, minimum=minimum, scope="w", measure=tokens)
        except InvalidPromptError:
            ours = None
        assert (ours is None) == (theirs is None)
        if ours is None or theirs is None:
            return
        split, placed = self.ours.admit(ours, now), self.theirs.admit(theirs, minimum=minimum, now=now)
        wanted = (placed.input, placed.cache_read, placed.cache_write_5m, placed.cache_write_1h)
        assert (split.input, split.cache_read, split.cache_write_5m, split.cache_write_1h) == wanted
        self.waiting.append((split, placed))

    def begin(self, now):
        for split, placed in self.waiting:
            self.ours.began(split, now)
            self.theirs.began(placed, now=now)
        self.waiting.clear()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from(ACTIONS), min_size=3, max_size=25))
def test_both_caches_bill_the_same(seed, actions):
    dice = random.Random(seed)
    talks, pair, now = [Talk(dice), Talk(random.Random(seed))], Pair(), 0
    for action in actions:
        talk = talks[0] if dice.random() < 0.8 else talks[1]
        talk.act(action)
        now += dice.choice(GAPS) * SECOND if dice.random() < 0.4 else SECOND
        pair.ask(talk.body(), now)
        if dice.random() < 0.7:
            now += dice.choice((0, 1, 20)) * SECOND
            pair.begin(now)
