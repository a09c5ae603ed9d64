"""Worlds: what a call would have cost with fewer strategies, each with the cache it would have had."""

from dataclasses import replace

import pytest

from underspend.core.call import Block, Call, Section
from underspend.core.editing import apply
from underspend.core.edits import ReplaceContent, SetModel
from underspend.core.plan import Decision, Plan
from underspend.core.usage import Metered, Unit, Usage
from underspend.gateway.worlds import Ended, Worlds
from underspend.pricing.catalogue import catalogue
from underspend.pricing.cost import cost
from underspend.promptcache import Cache, Growing, Names, facts
from underspend.promptcache.prompt import Settings

SECOND, MINUTE = 1_000_000, 60_000_000
START = 1_795_160_000_000_000
OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
PRICES = catalogue()


def blocks(count, *, each=2_000):
    """A prompt of so many blocks, its first and its last marked, as Claude Code does."""
    made = [
        Block(Section.SYSTEM if at == 0 else Section.MESSAGES, "tool_result", "r", b"%d" % at, each, each, ref=f"u{at}")
        for at in range(count)
    ]
    return tuple(replace(block, breakpoint="5m") if at in {0, count - 1} else block for at, block in enumerate(made))


def call(number, count, *, model=OPUS, minutes=None):
    at = START + (number if minutes is None else minutes) * MINUTE
    prompt = blocks(count)
    total = sum(block.tokens for block in prompt)
    return Call(
        id=f"c{number}",
        time=at,
        provider="anthropic",
        endpoint="messages",
        model=model,
        prompt_tokens=total,
        blocks=prompt,
    )


class Provider:
    """What the provider bills for the calls that are really sent."""

    def __init__(self):
        self.cache, self.names, self.miss = Cache(), Names(), False

    def bill(self, sent, *, output=100):
        growing = Growing(self.names)
        growing.follow(sent.blocks, Settings(model=sent.model, thinking=facts(sent.model).thinking))
        marks = [(at, block.breakpoint) for at, block in enumerate(sent.blocks) if block.breakpoint]
        if self.miss:
            self.cache.clear()
        split = self.cache.admit(growing.prompt(marks, 1024), sent.time)
        self.cache.began(split, sent.time + SECOND)
        usage = Usage(split.input, split.cache_write_5m, split.cache_write_1h, split.cache_read, output)
        return Metered(provider="anthropic", model=sent.model, units=(Unit("message", usage),), reported=usage)


class Gateway:
    """Plays calls through worlds, with edits, and keeps what was billed and what was saved."""

    def __init__(self, *strategies):
        self.worlds, self.provider = Worlds(strategies, PRICES), Provider()
        self.paid, self.saved, self.alone = 0, {}, 0
        self.without = Provider()

    def play(self, asked, *edits):
        sent, decisions = asked, []
        for strategy, edit in edits:
            sent = apply(edit, sent)
            decisions.append(Decision(strategy=strategy, edit=edit, applied=True, before=None, after=None))
        metered = self.provider.bill(sent)
        plan = Plan(asked=asked, call=sent, decisions=tuple(decisions))
        effects = self.worlds.settle("c", plan, Ended(sent=asked.time, began=asked.time + SECOND, metered=metered))
        self.paid += cost(metered, at=asked.time, catalogue=PRICES).total
        self.alone += cost(self.without.bill(asked), at=asked.time, catalogue=PRICES).total
        for effect in effects:
            self.saved[effect.strategy] = self.saved.get(effect.strategy, 0) + effect.saved
        return {effect.strategy: effect.saved for effect in effects}


def note(at, tokens=10):
    return ReplaceContent(at, "said before", tokens, "why")


def test_without_edits_nothing_is_saved_and_nothing_is_simulated_twice():
    gateway = Gateway("a", "b")
    assert all(gateway.play(call(n, 3 + n)) == {} for n in range(5))


def test_another_model_is_another_price_for_the_same_reply():
    gateway = Gateway("cheaper")
    saved = gateway.play(call(0, 5), ("cheaper", SetModel(SONNET, "why")))
    assert saved == {"cheaper": gateway.alone - gateway.paid}
    assert saved["cheaper"] > 0


@pytest.mark.parametrize("billed", [Usage(6_000, 0, 0, 0, 50), Usage(1_000, 500, 0, 4_500, 50), Usage(0, 0, 0, 0, 9)])
@pytest.mark.parametrize("edits", [[], [SetModel(SONNET, "why")], [note(2)], [SetModel(SONNET, "why"), note(2)]])
def test_a_call_that_asks_for_no_caching_is_billed_as_by_the_caches_in_less_time(monkeypatch, billed, edits):
    metered = Metered(provider="anthropic", model=OPUS, units=(Unit("message", billed),), reported=billed)
    quick, thorough = Worlds(("a", "b"), PRICES), Worlds(("a", "b"), PRICES)
    monkeypatch.setattr(thorough, "_uncached", lambda *_: [])
    for number in range(3):
        asked = call(number, 3)
        asked = sent = replace(asked, blocks=tuple(replace(block, breakpoint=None) for block in asked.blocks))
        decisions = []
        for strategy, edit in zip(("a", "b"), edits, strict=False):
            sent = apply(edit, sent)
            decisions.append(Decision(strategy=strategy, edit=edit, applied=True, before=None, after=None))
        plan = Plan(asked=asked, call=sent, decisions=tuple(decisions))
        ended = Ended(sent=asked.time, began=asked.time + SECOND, metered=metered)
        assert quick.settle("c", plan, ended) == thorough.settle("c", plan, ended)
        assert quick.warm("c", call(number, 3), asked.time) == thorough.warm("c", call(number, 3), asked.time)


def test_what_enters_shortened_saves_from_then_on():
    gateway = Gateway("trim")
    for n in range(6):
        edits = [("trim", note(3))] if n >= 1 else []
        gateway.play(call(n, 3 + n), *edits)
    assert gateway.saved["trim"] == gateway.alone - gateway.paid > 0


def test_the_rewrite_that_an_edit_causes_is_charged_to_it():
    gateway = Gateway("prune")
    for n in range(3):
        gateway.play(call(n, 30 + n))
    first = gateway.play(call(3, 33), ("prune", note(2)))
    assert first["prune"] < 0
    later = [gateway.play(call(n, 30 + n), ("prune", note(2)))["prune"] for n in range(4, 8)]
    assert all(saved > 0 for saved in later)
    assert gateway.saved["prune"] == gateway.alone - gateway.paid


def test_each_strategy_against_the_world_before_it():
    gateway = Gateway("trim", "unused", "prune")
    for n in range(8):
        edits = [("trim", note(3))] + ([("prune", note(2))] if n >= 4 else [])
        gateway.play(call(n, 30 + n), *edits)
    assert set(gateway.saved) == {"trim", "prune"}
    assert sum(gateway.saved.values()) == gateway.alone - gateway.paid


def test_a_pause_that_lets_the_cache_die_makes_a_prune_free():
    gateway = Gateway("prune")
    for n in range(3):
        gateway.play(call(n, 30 + n))
    assert gateway.play(call(3, 33, minutes=20), ("prune", note(2)))["prune"] > 0


def test_a_prompt_that_missed_for_no_reason_of_ours_misses_in_every_world():
    gateway = Gateway("trim")
    for n in range(4):
        gateway.play(call(n, 30 + n), ("trim", note(3)))
    gateway.provider.miss = gateway.without.miss = True
    saved = gateway.play(call(4, 34), ("trim", note(3)))["trim"]
    rates = PRICES.rates(OPUS, START, 60_000)
    assert saved == pytest.approx(1_990 * rates.cache_write_5m, rel=0.05)


def test_what_is_warm_is_known_before_the_call():
    gateway = Gateway("trim")
    asked = call(0, 10)
    assert gateway.worlds.warm("c", asked, asked.time) == (0, None)
    gateway.play(asked)
    following = call(1, 12)
    assert gateway.worlds.warm("c", following, following.time) == (20_000, START + 5 * MINUTE)
    assert gateway.worlds.warm("c", following, following.time + 10 * MINUTE) == (0, None)


def test_a_prompt_of_unknown_parts_is_split_as_it_was_billed():
    gateway = Gateway("cheaper")
    bare = replace(call(0, 5), blocks=())
    usage = Usage(input=10, cache_read=100, output=5)
    metered = Metered(provider="anthropic", model=SONNET, units=(Unit("message", usage),), reported=usage)
    sent = replace(bare, model=SONNET)
    decision = Decision(strategy="cheaper", edit=SetModel(SONNET, "why"), applied=True, before=None, after=None)
    plan = Plan(asked=bare, call=sent, decisions=(decision,))
    (effect,) = gateway.worlds.settle("c", plan, Ended(sent=START, began=START, metered=metered))
    dearer = cost(replace(metered, model=OPUS), at=START, catalogue=PRICES).total
    assert effect.saved == dearer - cost(metered, at=START, catalogue=PRICES).total


def test_a_gateway_that_runs_for_months_forgets(monkeypatch):
    monkeypatch.setattr("underspend.gateway.worlds._NAMES", 10)
    monkeypatch.setattr("underspend.gateway.worlds._CONVERSATIONS", 2)
    gateway = Gateway("trim")
    for n in range(20):
        asked = call(n, 5)
        metered = gateway.provider.bill(asked)
        gateway.worlds.settle(
            f"k{n}", Plan(asked=asked, call=asked), Ended(sent=asked.time, began=asked.time, metered=metered)
        )
    assert len(gateway.worlds._names) < 50
    assert len(gateway.worlds._worlds[0].prompts) <= 2


def test_a_breakpoint_left_to_the_provider_stands_on_the_last_block_that_can_carry_it():
    gateway = Gateway("trim")

    def bare(number, count):
        plain = tuple(replace(block, breakpoint=None) for block in blocks(count))
        return replace(call(number, count), blocks=plain, automatic="5m")

    asked = bare(0, 10)
    metered = gateway.provider.bill(
        replace(asked, blocks=(*asked.blocks[:-1], replace(asked.blocks[-1], breakpoint="5m")))
    )
    gateway.worlds.settle("c", Plan(asked=asked, call=asked), Ended(sent=START, began=START, metered=metered))
    assert gateway.worlds.warm("c", bare(1, 12), START + MINUTE)[0] == 20_000
