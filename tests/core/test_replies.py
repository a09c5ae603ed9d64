from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.call import BillingMode, Role
from underspend.core.replies import (
    SECOND,
    Asked,
    CacheRoute,
    Ended,
    ReplyStoreError,
    Rules,
    Wish,
    reason_not_to_answer,
    reason_not_to_keep,
    repeated,
    wish_of,
)
from underspend.core.usage import Usage

RULES = Rules(longest=1000 * SECOND, largest=100)
ROUTES = [
    CacheRoute(ttl=60 * SECOND, tags=("docs",), project="docs-*", model="m-1"),
    CacheRoute(ttl=5 * SECOND, key="key-1"),
]
ASKED = Asked(endpoint="messages", tenant="one")
ENDED = Ended(status=200, whole=True, stop="end_turn", size=100)


def wish(header=None, *, project="docs-a", model="m-1", key="key-2"):
    return wish_of(header, ROUTES, RULES, project=project, model=model, key=key)


def test_nothing_is_cached_that_nobody_asked_for():
    assert wish(project="other") is None
    assert wish(model="m-2") is None
    assert wish(project=None, key=None) is None
    assert wish("tag=x", project="other") is None
    assert wish("ttl=0", project="other") is None


def test_a_route_opts_calls_in():
    assert wish() == Wish(ttl=60 * SECOND, tags=("docs",))
    assert wish(project="other", key="key-1") == Wish(ttl=5 * SECOND)


def test_the_header_says_it_for_one_call():
    assert wish("ttl=90; tag=a, tag=b/c", project="other") == Wish(ttl=90 * SECOND, tags=("a", "b/c"))
    assert wish("ttl=90") == Wish(ttl=90 * SECOND, tags=("docs",))
    assert wish("TTL=90;refresh") == Wish(ttl=90 * SECOND, tags=("docs",), refresh=True)
    assert wish("tag=docs;tag=new") == Wish(ttl=60 * SECOND, tags=("docs", "new"))
    assert wish("off") is None
    assert wish("ttl=0") is None
    assert wish("ttl=999999999") == Wish(ttl=RULES.longest, tags=("docs",))


@pytest.mark.parametrize(
    "header", ["on", "ttl", "ttl=-1", "ttl=1e3", "ttl=٣", "ttl=" + "9" * 13, "tag=", "tag=a b", "tag=*", "off=1"]
)
def test_a_header_that_says_something_else_is_an_error(header):
    with pytest.raises(ValueError, match="x-underspend-cache has no"):
        wish(header)


def test_tags_are_few():
    assert len(wish(";".join(f"tag={n}" for n in range(7))).tags) == 8
    with pytest.raises(ValueError, match="at most 8"):
        wish(";".join(f"tag={n}" for n in range(8)))


@given(st.text(max_size=40))
def test_no_header_does_more_than_it_may(header):
    try:
        made = wish(header)
    except ValueError:
        return
    assert made is None or (0 < made.ttl <= RULES.longest and len(made.tags) <= 8)


def test_a_plain_call_may_be_answered():
    assert reason_not_to_answer(ASKED, RULES) is None
    assert reason_not_to_answer(replace(ASKED, output=5, role=Role.MAIN), RULES) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"endpoint": "count_tokens"}, "endpoint"),
        ({"endpoint": "post"}, "endpoint"),
        ({"tenant": ""}, "nobody"),
        ({"safety": True}, "safety"),
        ({"role": Role.SIDE}, "own"),
        ({"role": Role.COMPACTION}, "own"),
        ({"billing": BillingMode.OAUTH}, "subscription"),
        ({"varied": True}, "temperature"),
        ({"outside": "an MCP server"}, "an MCP server"),
        ({"output": 0}, "warms"),
    ],
)
def test_what_is_never_answered(change, reason):
    assert reason in reason_not_to_answer(replace(ASKED, **change), RULES)


def test_two_rules_can_be_relaxed():
    open_rules = Rules(any_temperature=True, subscription=True)
    assert reason_not_to_answer(replace(ASKED, varied=True, billing=BillingMode.OAUTH), open_rules) is None
    assert reason_not_to_answer(replace(ASKED, safety=True), open_rules) is not None


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", "stop", "completed", "STOP"])
def test_a_finished_reply_may_be_kept(stop):
    assert reason_not_to_keep(replace(ENDED, stop=stop), RULES) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 529}, "529"),
        ({"whole": False}, "end was not seen"),
        ({"stop": "max_tokens"}, "max_tokens"),
        ({"stop": ""}, "no reason"),
        ({"uses_tools": True}, "tools"),
        ({"refused": True}, "refusal"),
        ({"failed": True}, "error"),
        ({"strange": "a thing"}, "a thing"),
        ({"size": 101}, "larger"),
    ],
)
def test_what_is_never_kept(change, reason):
    assert reason in reason_not_to_keep(replace(ENDED, **change), RULES)


@given(st.tuples(*[st.integers(0, 10**6)] * 5))
def test_a_repeated_call_would_have_read_what_was_written(lanes):
    usage = Usage(*lanes)
    again = repeated(usage)
    assert (again.prompt, again.output, again.input) == (usage.prompt, usage.output, usage.input)
    assert (again.cache_write_5m, again.cache_write_1h) == (0, 0)


def test_the_error_names_the_cache():
    assert str(ReplyStoreError(path="p", problem="q")) == "The response cache at p cannot be used: q."
