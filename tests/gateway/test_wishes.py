"""What a client wishes beside its request."""

import json

import pytest

from underspend.gateway.wishes import is_dry, preferred, tags_of

BODY = b'{"model":"auto","strategy":"cheapest","max_tokens":5}'


@pytest.mark.parametrize(
    ("named", "fields", "raw", "wanted"),
    [
        ("auto", {}, b"{}", "quality"),
        ("auto", {"x-underspend-strategy": "balanced"}, b"{}", "balanced"),
        ("auto", {"x-underspend-strategy": "balanced"}, BODY, "cheapest"),
        ("auto:balanced", {"x-underspend-strategy": "quality"}, BODY, "balanced"),
    ],
)
def test_what_is_said_nearest_to_the_call_counts(named, fields, raw, wanted):
    assert preferred(named, fields, raw, default="quality")[0] == wanted


@pytest.mark.parametrize(
    "raw", [BODY, b'{"strategy":"cheapest","model":"auto"}', b'{"model":"auto" , "strategy" : "cheapest" }']
)
def test_the_bodys_own_word_is_taken_out_and_nothing_else(raw):
    _, left = preferred("auto", {}, raw, default="balanced")
    assert json.loads(left) == {key: value for key, value in json.loads(raw).items() if key != "strategy"}


@pytest.mark.parametrize("raw", [b'{"strategy":7}', b'{"strategy":"fast"}'])
def test_a_word_that_means_nothing_is_refused(raw):
    with pytest.raises(ValueError, match="there is no strategy"):
        preferred("auto", {}, raw, default="balanced")


@pytest.mark.parametrize(
    ("fields", "dry"),
    [
        ({}, False),
        ({"x-dry-run": "true"}, True),
        ({"x-underspend-dry-run": "TRUE"}, True),
        ({"x-dry-run": "false"}, False),
    ],
)
def test_a_dry_run_is_asked_for_by_either_header(fields, dry):
    assert is_dry(fields) is dry


def test_tags_are_parted_by_commas_and_bounded():
    assert tags_of({}) == ()
    assert tags_of({"x-underspend-tag": " nightly, ,eval "}) == ("nightly", "eval")
    assert len(tags_of({"x-underspend-tag": ",".join(["x" * 100] * 50)})) == 20
    assert len(tags_of({"x-underspend-tag": "x" * 100})[0]) == 64
