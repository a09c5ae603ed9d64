"""Prompts of exact size for tests: `ask` admits one and lets its response begin at once."""

from underspend.core.call import Section
from underspend.promptcache import Piece, Settings, build

SECOND = 1_000_000
MODEL = Settings(model="claude-opus-5-5")


def piece(name, tokens, ttl=None, *, section=Section.MESSAGES, cacheable=True):
    return Piece(section=section, identity=name.encode(), tokens=tokens, ttl=ttl, cacheable=cacheable)


def tool(name, tokens, ttl=None):
    return piece(name, tokens, ttl, section=Section.TOOLS)


def system(name, tokens, ttl=None):
    return piece(name, tokens, ttl, section=Section.SYSTEM)


def ask(cache, *pieces, at=0, began=None, settings=MODEL, minimum=0, automatic=None):
    prompt = build(pieces, settings, minimum=minimum, automatic=automatic)
    split = cache.admit(prompt, at * SECOND)
    cache.began(split, (at if began is None else began) * SECOND)
    return lanes(split)


def lanes(split):
    return split.input, split.cache_read, split.cache_write_5m, split.cache_write_1h
