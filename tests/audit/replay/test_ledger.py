from hashlib import blake2b

import pytest
from sqlalchemy import insert, select

from audit.replay.policies import Lifetime, cost_of, on
from reports.ledger_rows import add_call, add_decision, new_ledger
from underspend.audit.replay.ledger import ledger_traffic
from underspend.audit.replay.play import play
from underspend.core.call import Role, Section, Verb
from underspend.pricing.catalogue import catalogue
from underspend.stores.schema import blocks, prompts

AT = 1_795_132_800_000_000
MINUTE = 60_000_000
MODEL = "claude-sonnet-4-5"
FRONT = [("tools", "tool", "Read", 900), ("system", "text", "system", 1100), ("messages", "text", "user", 500)]
MORE = [("messages", "tool_use", "Read", 40), ("messages", "tool_result", "Read result", 460)]


@pytest.fixture
def engine(tmp_path):
    made = new_ledger(tmp_path)
    yield made
    made.dispose()


def call(engine, name, minute, usage, pieces, *, marks='{"1": "5m", "2": "5m"}', **more):
    rates = catalogue().rates(MODEL, AT)
    lanes = (rates.input, rates.cache_write_5m, rates.cache_write_1h, rates.cache_read, rates.output)
    paid = sum(tokens * rate for tokens, rate in zip(usage, lanes, strict=True))
    add_call(engine, name, AT + minute * MINUTE, usage, **({"model_served": MODEL, "cost_pico": paid} | more))
    if pieces is None:
        return
    digests = [blake2b(repr(piece).encode(), digest_size=16).digest() for piece in pieces]
    with engine.begin() as connection:
        known = set(connection.execute(select(blocks.c.digest)).scalars())
        for digest, piece in zip(digests, pieces, strict=True):
            if digest not in known:
                row = dict(zip(("section", "kind", "label", "tokens"), piece, strict=True))
                connection.execute(insert(blocks).values(digest=digest, size=piece[3] * 4, **row))
        connection.execute(insert(prompts).values(call_id=name, digests=b"".join(digests), breakpoints=marks))


def two_calls(engine, **more):
    call(engine, "a", 0, (0, 5000, 0, 0, 50), FRONT, **more)
    call(engine, "b", 9, (0, 6000, 0, 0, 50), [*FRONT, *MORE], marks='{"1": "5m", "4": "5m"}', **more)


def test_prompts_add_up_to_what_was_billed(engine):
    two_calls(engine)
    made = ledger_traffic(engine)
    first, second = (asked.recorded for asked in made.calls)
    assert [block.tokens for block in first.base] == [1800, 2200, 1000]
    assert sum(block.tokens for block in second.base) == 6000
    assert (second.base[:3], second.shared, second.row) == (first.base, 3, first.row)
    assert second.marks == ((1, "5m"), (4, "5m"))
    assert made.recorded == sum(asked.paid.total for asked in made.calls)


def test_blocks_have_their_messages_roles_and_tools(engine):
    two_calls(engine)
    base = ledger_traffic(engine).calls[1].recorded.base
    assert [(block.message, block.role) for block in base[2:]] == [(0, "user"), (1, "assistant"), (2, "user")]
    assert base[4].verb is Verb.READ
    assert base[0].section is Section.TOOLS
    asked = ledger_traffic(engine).calls[0].recorded.call
    assert (asked.identity.role, asked.kind) == (Role.MAIN, "main")


def test_a_policy_can_be_replayed(engine):
    two_calls(engine)
    made = ledger_traffic(engine)
    assert cost_of(made, play(made, on())) == made.recorded
    assert cost_of(made, play(made, on(Lifetime()))) < made.recorded


def test_without_a_session_calls_belong_together_by_their_first_message(engine):
    two_calls(engine, session=None)
    assert {asked.recorded.row for asked in ledger_traffic(engine).calls} == {0}


def test_what_cannot_be_replayed_is_set_apart_at_its_cost(engine):
    two_calls(engine)
    call(engine, "c", 12, (10, 0, 0, 0, 5), None, session="s-two")
    call(engine, "d", 13, (10, 0, 0, 0, 5), [("messages", "text", "user", 3)], marks="{}", cost_pico=77, session="s-3")
    made = ledger_traffic(engine)
    assert [asked.recorded.call.id for asked in made.calls] == ["a", "b"]
    assert made.apart[("shop", "s-3")] == 77
    assert set(made.apart) == {("shop", "s-two"), ("shop", "s-3")}


def test_a_conversation_in_which_a_strategy_acted_is_set_apart(engine):
    two_calls(engine)
    add_decision(engine, "b", applied=False)
    assert len(ledger_traffic(engine).calls) == 2
    add_decision(engine, "b", 1)
    assert ledger_traffic(engine).calls == []


def test_since_counts_later_calls_and_replays_all(engine):
    two_calls(engine)
    made = ledger_traffic(engine, since=AT + 5 * MINUTE)
    assert [asked.counted for asked in made.calls] == [False, True]


def test_an_empty_ledger(engine):
    assert ledger_traffic(engine).calls == []


def test_what_was_answered_here_never_reached_the_provider_and_is_left_out(engine):
    two_calls(engine)
    before = ledger_traffic(engine)
    add_call(engine, "hit", AT, outcome="answered", evidence="estimated", without_us_pico=9)
    after = ledger_traffic(engine)
    assert (after.recorded, len(after.calls)) == (before.recorded, len(before.calls))
    assert after.apart == before.apart
