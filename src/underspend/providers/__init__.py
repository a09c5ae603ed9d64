"""The shelf of providers. To add one: write its file, and put its class on the list; or ship it as an entry point."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from underspend.providers.anthropic import Anthropic
from underspend.providers.bedrock import Bedrock
from underspend.providers.compatible import Compatible, presets
from underspend.providers.fake import Fake
from underspend.providers.gemini import Gemini
from underspend.providers.openai import OpenAi
from underspend.providers.provider import Provider
from underspend.providers.vertex import Vertex

BUILTIN: tuple[type[Provider], ...] = (Anthropic, OpenAi, Gemini, Compatible, Bedrock, Vertex, Fake)
GROUP = "underspend.providers"
"""The entry points of other packages: each gives a class such as those above."""


@cache
def kinds() -> dict[str, type[Provider]]:
    """Every kind there is, by its name; ours win over those of other packages."""
    others = [found.load() for found in entry_points(group=GROUP)]
    return {kind.kind: kind for kind in (*others, *BUILTIN)}


def kind_of(name: str, said: str) -> str:
    """The kind of a provider: as said, else by its name, else compatible."""
    if said:
        return said
    return name if name in kinds() and name not in presets() else Compatible.kind
