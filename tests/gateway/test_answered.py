import json
import zlib
from dataclasses import replace

from cached import made
from doubles import NOW, Upstream

from underspend.core.call import Call
from underspend.core.plan import Plan
from underspend.core.usage import Usage
from underspend.gateway.answered import CACHE, Given, write

CALL = Call(
    id="c1",
    time=NOW,
    provider="anthropic",
    endpoint="messages",
    model="claude-haiku-5-5",
    stream=False,
    max_output=10,
    prompt_tokens=5,
    prompt_ceiling=50,
    size=20,
)
PLAN = Plan(asked=CALL, call=CALL)
GIVEN = Given(
    by=CACHE,
    detail="reply 3fa9",
    why="an equal call had been answered with it",
    model="claude-haiku-5-5",
    usage=Usage(input=100, cache_write_5m=1000, cache_write_1h=2000, cache_read=3000, output=10),
    body=b"reply",
    took_us=300,
)


def settled(given=GIVEN, *, content=False, plan=PLAN):
    pipe = made(Upstream([]))
    pipe.books.store_content = content
    kept = []
    settle = pipe.books.ledger.settle
    pipe.books.ledger.settle = lambda settlement: (kept.append(settlement), settle(settlement))
    write(pipe.books, plan, given, request=b"asked")
    return pipe, kept[0]


def test_a_row_that_was_billed_nothing_and_says_what_it_spared_at_the_least():
    pipe, kept = settled()
    row = kept.call
    assert (row["state"], row["outcome"], row["status"], row["evidence"]) == ("settled", "answered", 200, "estimated")
    assert row.get("cost_pico", 0) == 0
    assert "message_id" not in row
    assert not any(row.get(lane) for lane in ("input_tokens", "cache_read_tokens", "output_tokens"))
    # Haiku 5.5: what had been written to the provider's cache would be read from it.
    rates = pipe.books.catalogue.resolve("claude-haiku-5-5").model.standard_rates(NOW, 6100)
    worth = 100 * rates.input + 6000 * rates.cache_read + 10 * rates.output
    assert row["without_us_pico"] == worth > 0
    assert kept.effects == [{"call_id": "c1", "strategy": "response_cache", "saved_pico": worth}]
    (decision,) = kept.decisions
    assert (decision["before_pico"], decision["after_pico"], decision["applied"]) == (worth, 0, True)
    assert (decision["strategy"], decision["detail"]) == ("response_cache", "reply 3fa9")
    assert (row["duration_us"], row["reply_bytes"], row["notes"]) == (300, 5, None)
    assert pipe.status.calls == 1
    assert pipe.status.in_flight == 0


def test_what_is_not_known_is_said_and_not_guessed():
    for given in (replace(GIVEN, usage=Usage()), replace(GIVEN, model="no-such-model")):
        plan = PLAN if given.usage == Usage() else replace(PLAN, call=replace(CALL, model="nor-this"))
        _, kept = settled(given, plan=plan)
        assert kept.call["without_us_pico"] == 0
        assert kept.effects == []
        assert "not known" in json.loads(kept.call["notes"])[0]
        assert kept.decisions[0]["before_pico"] is None


def test_a_model_without_a_price_is_priced_as_the_one_that_was_asked():
    _, kept = settled(replace(GIVEN, model="some-alias"))
    assert kept.call["without_us_pico"] == settled()[1].call["without_us_pico"]


def test_a_client_that_went_away_saved_nothing():
    _, kept = settled(replace(GIVEN, whole=False))
    assert (kept.call["outcome"], kept.call["without_us_pico"], kept.effects) == ("aborted", 0, [])


def test_content_is_kept_only_where_the_user_stores_it():
    assert settled()[1].contents is None
    contents = settled(content=True)[1].contents
    assert (zlib.decompress(contents["request"]), zlib.decompress(contents["reply"])) == (b"asked", b"reply")
