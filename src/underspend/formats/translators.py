"""Every translator there is, by its name: `<what the client speaks>_<what the provider speaks>`."""

from __future__ import annotations

from dataclasses import replace

from underspend.formats.dialects.anthropic import ANTHROPIC
from underspend.formats.dialects.gemini import GEMINI
from underspend.formats.dialects.limits import openai_efforts
from underspend.formats.dialects.openai import OPENAI
from underspend.formats.dialects.responses import RESPONSES
from underspend.formats.translation import Target, Translator
from underspend.pricing.capabilities import capabilities
from underspend.pricing.catalogue import catalogue

_ALL = (
    Translator(ANTHROPIC, OPENAI),
    Translator(ANTHROPIC, RESPONSES),
    Translator(ANTHROPIC, GEMINI),
    Translator(OPENAI, ANTHROPIC),
    Translator(OPENAI, RESPONSES),
    Translator(OPENAI, GEMINI),
    Translator(RESPONSES, ANTHROPIC),
    Translator(RESPONSES, OPENAI),
    Translator(RESPONSES, GEMINI),
)

TRANSLATORS = {each.name: each for each in _ALL}
"""By name, as in `anthropic_openai`."""


def translator(client: str, provider: str) -> Translator | None:
    """The translator from a client's dialect to a provider's.

    None where both are the same: then the bytes go as they came. Raises KeyError for a pair that there is not.
    """
    return None if client == provider else TRANSLATORS[f"{client}_{provider}"]


def target_of(model: str, provider: str, *, sent_as: str | None = None) -> Target:
    """A model as a place to send a request to, with all that the catalogue knows of what it takes.

    `provider` is its name in the price catalogue, `sent_as` the provider's own name for the model where it has another.
    What is not known is taken to be possible: the provider then says no itself.
    """
    listed, known = catalogue().find(model, provider=provider), capabilities(model, provider)
    target = Target(
        model=sent_as or model, provider=provider, max_output=listed.max_output if listed is not None else None
    )
    if known is None:
        efforts = openai_efforts(listed.id) if listed is not None and listed.provider == "openai" else None
        return replace(target, efforts=efforts, sampling=not efforts, thinking=efforts != ())
    return replace(
        target,
        thinking=bool(known.thinking - {"disabled"}),
        efforts=known.efforts,
        adaptive="adaptive" in known.thinking,
        sampling=known.sampling,
        mid_system=known.system_messages,
        quiet="disabled" in known.thinking,
        forced_tools=known.forced_tools,
    )
