"""From the model ids that clients, clouds and routers write to the names under which prices are listed.

A lookup is always exact. This module only lists, in order, the names an id may be listed under; the first that is
listed is taken. Nothing is matched by prefix: `claude-opus-5-5` is not `claude-opus-5`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

PROVIDERS = (
    "anthropic",
    "openai",
    "google",
    "deepseek",
    "x-ai",
    "mistral",
    "moonshotai",
    "zai",
    "minimax",
    "groq",
    "together",
    "fireworks",
    "openrouter",
    "perplexity",
    "aws",
)
"""Every provider with a price file."""

VENDORS = PROVIDERS[:9]
"""Those that make their own models. Without a provider named only these are searched: hosts share ids, not prices."""

_PROVIDER_NAMES = {
    "bedrock": "aws",
    "amazon": "aws",
    "vertex": "google",
    "google-vertex": "google",
    "vertex_ai": "google",
    "gemini": "google",
    "xai": "x-ai",
    "x.ai": "x-ai",
    "z.ai": "zai",
    "z-ai": "zai",
    "moonshot": "moonshotai",
    "kimi": "moonshotai",
    "mistralai": "mistral",
    "fireworks-ai": "fireworks",
    "together-ai": "together",
    "togetherai": "together",
}
_CLAUDE_HOSTS = frozenset({"anthropic", "aws", "google", "azure", "foundry", "claude-platform-on-aws"})

_CLAUDE_ON_BEDROCK = re.compile(r"(?:(?P<area>[a-z]{2,6}|us-gov)\.)?anthropic\.(?P<id>claude-.+?)(?:-v\d+)?(?::\d+)?")
_DATE = re.compile(r"-(?:20\d{6}|20\d\d-\d\d-\d\d)$")
_DOTTED = re.compile(r"(?<=\d)\.(?=\d)")
_AT_DATE = re.compile(r"@(20\d{6})$")


@dataclass(frozen=True, slots=True)
class Name:
    """A name to look up: exact `model` id in `provider`'s list.

    `regional` is True for a cloud's regional endpoint, which costs more than its global one for newer models; `notes`
    say what was changed on the way here.
    """

    provider: str
    model: str
    regional: bool = False
    notes: tuple[str, ...] = ()


def provider_id(provider: str | None) -> str | None:
    """The name of a provider's price file, from any of the names in use ("bedrock" → "aws"); None stays None."""
    if provider is None:
        return None
    lowered = provider.lower()
    return _PROVIDER_NAMES.get(lowered, lowered)


def candidates(model: str, *, provider: str | None = None) -> Iterator[Name]:
    """The names an id may be listed under, best first.

    Undone on the way: letter case, Claude Code's `[1m]`, Bedrock ARNs, area prefixes and `-v1:0`, Vertex `@date` and
    `@default`, `publishers/…/models/` and Google's `models/`, OpenRouter's `anthropic/` and dotted Claude versions, and
    last a trailing date, so that a dated id is taken when it is itself listed and its base otherwise.
    """
    home = provider_id(provider)
    seen: set[tuple[str, str]] = set()
    for name in _undated(_spelled(model.strip().lower(), home)):
        if (name.provider, name.model) not in seen:
            seen.add((name.provider, name.model))
            yield name


def _undated(names: Iterator[Name]) -> Iterator[Name]:
    """Each name, then each again without its trailing date."""
    kept = list(names)
    yield from kept
    for name in kept:
        base = _DATE.sub("", name.model)
        if base != name.model:
            yield replace(name, model=base, notes=(*name.notes, f"priced as {base}"))


def _spelled(model: str, home: str | None) -> Iterator[Name]:
    notes: tuple[str, ...] = ()
    if model.endswith("[1m]"):
        model, notes = model.removesuffix("[1m]"), ("[1m] suffix left out",)
    if model.startswith("arn:"):
        model = model.rsplit("/", 1)[-1]
    bedrock = _CLAUDE_ON_BEDROCK.fullmatch(model)
    if bedrock:
        regional = bedrock["area"] != "global"
        yield Name("anthropic", bedrock["id"], regional, (*notes, "Bedrock id"))
        return
    for name in _homed(_without_path(model), home):
        yield replace(name, notes=(*notes, *name.notes))


def _without_path(model: str) -> str:
    """A Vertex or Google resource name without its path."""
    return model.rsplit("/models/", 1)[-1].removeprefix("models/")


def _homed(model: str, home: str | None) -> Iterator[Name]:
    if home is not None and home in PROVIDERS:
        yield Name(home, model)
    vendor, _, rest = model.partition("/")
    vendor = _PROVIDER_NAMES.get(vendor, vendor)
    if rest and vendor in VENDORS and home in (None, vendor, "openrouter"):
        note = ("the vendor's own price: not in OpenRouter's list",) if home == "openrouter" else ()
        yield from (replace(name, notes=note) for name in _vendors_own(rest, vendor))
    elif model.startswith("claude-") and (home is None or home in _CLAUDE_HOSTS or home not in PROVIDERS):
        yield from _vendors_own(model, "anthropic")
    elif home is None:
        yield from (Name(known, model) for known in VENDORS)


def _vendors_own(model: str, vendor: str) -> Iterator[Name]:
    if vendor == "anthropic":
        model = _AT_DATE.sub(r"-\1", model.removesuffix("@default").removesuffix("@latest"))
        yield Name(vendor, model)
        yield Name(vendor, _DOTTED.sub("-", model))
        return
    yield Name(vendor, model)
