import asyncio
import json
from datetime import date

import pytest
from doubles import Asked, FixedClock, Told, Upstream, home

from targets import to
from underspend.gateway.destinations import Destinations
from underspend.gateway.model_list import ModelList, dialect_of
from underspend.gateway.routes import classify
from underspend.pricing.catalogue import catalogue

BEARER = [(b"authorization", b"Bearer k")]
VERSION = [(b"anthropic-version", b"2023-06-01")]
GROQ = to(Upstream([]), "groq", prices="groq", models=("llama-mine",))


def made(*others, **options):
    destinations = Destinations(home(Upstream([])), others, catalogue=catalogue())
    return ModelList(destinations=destinations, catalogue=catalogue(), clock=FixedClock(), **options)


def ask(models, headers=(), path="/v1/models"):
    told = Told()
    request = Asked(b"", method="GET", path=path.encode(), headers=list(headers))
    asyncio.run(models.handle(request, told, classify("GET", path)))
    return told.status, json.loads(told.body)


@pytest.mark.parametrize(
    ("headers", "path", "dialect"),
    [
        (BEARER, "/v1/models", "openai"),
        ([*BEARER, *VERSION], "/v1/models", "anthropic"),
        ([(b"x-api-key", b"k")], "/v1/models", "anthropic"),
        ([], "/v1/models", "anthropic"),
        (BEARER, "/anthropic/v1/models", "anthropic"),
        (VERSION, "/openai/v1/models", "openai"),
        (VERSION, "/p/x/openai/v1/models", "openai"),
    ],
)
def test_dialects_are_told_apart(headers, path, dialect):
    fields = {name.decode(): value.decode() for name, value in headers}
    assert dialect_of(fields, classify("GET", path)) == dialect


def test_the_list_in_each_shape():
    models = made(GROQ, auto=True)
    _, theirs = ask(models, BEARER)
    assert theirs["object"] == "list"
    assert {frozenset(each) for each in theirs["data"]} == {frozenset({"id", "object", "created", "owned_by"})}
    _, claude = ask(models, VERSION)
    assert (claude["has_more"], claude["first_id"]) == (False, "auto")
    assert {each["type"] for each in claude["data"]} == {"model"}
    for listed in (theirs, claude):
        names = [each["id"] for each in listed["data"]]
        assert {"auto", "auto:cheapest", "claude-opus-5-5", "llama-mine", "groq/llama-mine"} <= set(names)
        assert len(names) == len(set(names))


def test_models_that_are_gone_are_not_listed():
    names = {each["id"] for each in ask(made(GROQ), BEARER)[1]["data"]}
    gone = {m.id for m in catalogue().models() if m.retired_on is not None and m.retired_on <= date(2026, 11, 20)}
    assert gone
    assert not gone & names
    assert "auto" not in names


@pytest.mark.parametrize("path", ["/v1/models/groq/llama-mine", "/v1/models/groq%2Fllama-mine"])
def test_one_model(path):
    assert ask(made(GROQ), BEARER, path)[1]["id"] == "groq/llama-mine"
    status, said = ask(made(GROQ), BEARER, "/v1/models/nobody")
    assert (status, "error" in said) == (404, True)


@pytest.mark.parametrize(
    ("others", "options", "headers", "ours"),
    [
        ((), {}, VERSION, False),
        ((), {}, BEARER, True),
        ((), {"forward": True}, BEARER, False),
        ((GROQ,), {}, VERSION, True),
        ((GROQ,), {"forward": True}, BEARER, True),
        ((), {"auto": True}, VERSION, True),
    ],
)
def test_the_upstream_s_own_list_is_given_as_long_as_there_is_nothing_else(others, options, headers, ours):
    request = Asked(b"", method="GET", headers=headers)
    assert made(*others, **options).ours(request, classify("GET", "/v1/models")) is ours
