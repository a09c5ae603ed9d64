from __future__ import annotations

import asyncio
import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from underspend.core.faq import MILLION, Pair, TooFew, calibrate, fewest, particulars
from underspend.stores.faq.lexical import Lexical


def alike(one, *others):
    return asyncio.run(Lexical().scores(one, others))


def test_other_spellings_forms_and_order_are_alike_and_other_questions_are_not():
    same = alike(
        "How do I reset my password?",
        "how can i reset the password",
        "Resetting passwords – how?",
        "RESET PASSWORD",
        "Where is the invoice for March?",
    )
    assert same[0] == same[2] == MILLION
    assert same[1] > 700_000
    assert same[3] < 200_000
    assert alike("Où est le café?", "ou est le cafe") == [MILLION]


@given(st.text(max_size=60), st.text(max_size=60))
def test_similarity_is_a_share_the_same_both_ways(one, two):
    [there], [back] = alike(one, two), alike(two, one)
    assert there == back
    assert 0 <= there <= MILLION
    assert alike(one, one)[0] in {0, MILLION}


def test_nothing_is_alike_to_nothing():
    assert alike("", "", "a question") == [0, 0]
    asyncio.run(Lexical().close())


PAIRS = Path(__file__).parents[2] / "fixtures" / "faq" / "pairs.jsonl"


def test_pairs_that_are_alike_in_letters_only_lead_to_no_threshold():
    """Other words for the same, and nearly the same words for something else: calibration sees that it cannot tell."""
    labelled = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    labelled = [pair for pair in labelled if particulars(pair["a"]) == particulars(pair["b"])]
    pairs = [Pair(alike(pair["a"], pair["b"])[0], pair["same"]) for pair in labelled]
    assert fewest(100_000, (50_000, 16 * MILLION)) <= len(pairs)
    found = calibrate(pairs, matcher="lexical-1", limit=100_000)
    assert isinstance(found, TooFew)
    assert "too many of the most alike pairs are not the same" in found.why
