"""The settings of the response cache, `[cache]` and `[faq]`, and the objects they make."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from underspend.core.errors import ConfigError
from underspend.core.faq import MILLION, FaqMode, Matcher
from underspend.core.replies import MOST_TAGS, SECOND, TAG, CacheRoute, ReplyStore, Rules

if TYPE_CHECKING:
    from underspend.stores.faq.answers import Faq  # what opens a store is loaded where one is opened

_MB = 1_000_000
_KB = 1_000
_FAQ_FILE = "faq.sqlite3"


class Route(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of `[[cache.routes]]`: calls that match every pattern are cached; a pattern may end in `*`.

    A word that is not known here is an error: without its pattern a route would take every call.
    """

    ttl: Annotated[int, Meta(ge=1, description="Seconds that a reply may be given again.")]
    tags: Annotated[tuple[Annotated[str, Meta(pattern=TAG)], ...], Meta(max_length=MOST_TAGS)] = ()
    project: str = "*"
    model: str = "*"
    key: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseCache:
    """`[cache]`: equal calls answered with the reply kept from the first. Nothing is kept unless it is enabled."""

    enabled: Annotated[
        bool, Meta(description="Keep replies, sealed, for calls opted in by header or by [[cache.routes]].")
    ] = False
    url: Annotated[
        str, Meta(description="Where replies are kept: empty is SQLite in the data folder, memory:, or redis://.")
    ] = ""
    key: Annotated[Literal["file", "keyring"], Meta(description="Where the key is that replies are sealed with.")] = (
        "file"
    )
    max_mb: Annotated[int, Meta(ge=1, description="Most megabytes of replies; the longest unused go first.")] = 256
    longest_hours: Annotated[int, Meta(ge=1, description="Longest life of a reply, whatever a call asks for.")] = 720
    largest_kb: Annotated[int, Meta(ge=1, description="Largest reply that is kept.")] = 1_000
    any_temperature: Annotated[
        bool, Meta(description="Answer calls too that set a temperature above zero, and so ask for variety.")
    ] = False
    routes: Annotated[list[Route], Meta(description="Calls that are cached without a header.")] = field(
        default_factory=list
    )

    def rules(self, *, subscription: bool = False) -> Rules:
        """What the user allows."""
        return Rules(
            longest=self.longest_hours * 3600 * SECOND,
            largest=self.largest_kb * _KB,
            any_temperature=self.any_temperature,
            subscription=subscription,
        )

    def opted_in(self) -> tuple[CacheRoute, ...]:
        """The routes, as the rules read them."""
        return tuple(
            CacheRoute(ttl=each.ttl * SECOND, tags=each.tags, project=each.project, model=each.model, key=each.key)
            for each in self.routes
        )

    def store(self, folder: Path) -> ReplyStore:
        """The store in a data folder. Raises ReplyStoreError."""
        from underspend.stores.replies.opening import open_replies

        return open_replies(self.url, folder=folder, bound=self.max_mb * _MB, key=self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaqAnswers:
    """`[faq]`: questions answered from those alike. It takes the calls that the response cache takes."""

    mode: Annotated[
        Literal["off", "shadow", "on"],
        Meta(description="shadow writes down what would be answered; on answers, once a threshold is calibrated."),
    ] = "off"
    wrong_percent: Annotated[
        float, Meta(gt=0, lt=100, description="Most answers in a hundred that may be wrong, with 95% confidence.")
    ] = 1.0
    days: Annotated[
        int, Meta(ge=1, description="Most days that a learned answer holds; no longer than its call's ttl.")
    ] = 7
    matcher: Annotated[
        Literal["lexical", "endpoint"], Meta(description="What compares questions: letters, or an embedding model.")
    ] = "lexical"
    url: Annotated[str, Meta(description="Base URL of an OpenAI-compatible embeddings endpoint.")] = ""
    model: Annotated[str, Meta(description="Its model.")] = ""
    key_variable: Annotated[str, Meta(description="Environment variable that holds its key; empty is none.")] = ""

    def was_used(self, folder: Path) -> bool:
        """Whether there are questions and answers in a data folder."""
        return (folder / _FAQ_FILE).exists()

    def opened(self, folder: Path, key: Literal["file", "keyring"], environ: Mapping[str, str] | None = None) -> Faq:
        """Questions and answers in a data folder. Raises ReplyStoreError, and ConfigError for half an endpoint."""
        from underspend.stores.faq.answers import Faq
        from underspend.stores.faq.sqlite import FaqStore
        from underspend.stores.replies.opening import sealer_in

        store = FaqStore(folder / _FAQ_FILE, sealer_in(folder, key))
        limit = round(self.wrong_percent * MILLION / 100)
        return Faq(store, self._matcher(environ), wanted=FaqMode(self.mode), limit=max(1, limit))

    def _matcher(self, environ: Mapping[str, str] | None) -> Matcher:
        from underspend.stores.faq.endpoint import Endpoint
        from underspend.stores.faq.lexical import Lexical

        if self.matcher == "lexical":
            return Lexical()
        if not self.url or not self.model:
            raise ConfigError(where="[faq]", problem="the endpoint has no url or no model", mend="Set both.")
        named = (os.environ if environ is None else environ).get(self.key_variable, "") if self.key_variable else ""
        return Endpoint(self.url, self.model, key=named)
