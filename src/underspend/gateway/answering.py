"""The response cache and the FAQ from settings, and their end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from underspend.config.schema import Settings
from underspend.core.errors import ConfigError
from underspend.core.replies import SECOND, ReplyStoreError
from underspend.gateway.answers import Answers
from underspend.gateway.books import Books
from underspend.gateway.credentials import KeyHasher
from underspend.gateway.holdout import Holdout
from underspend.stores.replies.cache import ReplyCache

_DAY = 86_400 * SECOND


def answers_of(settings: Settings, books: Books, keys: KeyHasher) -> Answers | None:
    """What answers calls here; None where the user has not turned the cache on.

    Raises ReplyStoreError for a cache that cannot be opened, ConfigError for settings that do not fit together.
    """
    cache, faq, folder = settings.cache, settings.faq, settings.paths.data
    if not cache.enabled:
        if faq.mode != "off":
            problem = "it takes the calls that the response cache takes, and that is off"
            raise ConfigError(where=f"faq.mode = {faq.mode}", problem=problem, mend="Set [cache] enabled = true.")
        return None
    made = Answers(
        cache=ReplyCache(cache.store(folder), cache.rules(subscription=settings.subscription.act)),
        books=books,
        keys=keys,
        routes=cache.opted_in(),
        faq=faq.opened(folder, cache.key) if faq.mode != "off" else None,
        learned_for=faq.days * _DAY,
        holdout=Holdout(settings.proof.holdout),
    )
    books.status.answers = made.snapshot
    return made


@asynccontextmanager
async def closing(answers: Answers | None) -> AsyncIterator[None]:
    """Lets go of the stores in the end."""
    try:
        yield
    finally:
        if answers is not None:
            try:
                await answers.close()
            except ReplyStoreError as error:
                answers.books.status.fault("cache", str(error))
