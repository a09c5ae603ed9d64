"""Answering alike questions as the gateway uses it: `look` where the response cache had nothing, `learn` afterwards.

In shadow the same is looked up and written down, and nothing is answered: those hits, labelled by the user, are the
pairs that the threshold is calibrated on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from underspend.core.faq import (
    Calibration,
    FaqEntry,
    FaqHit,
    FaqMode,
    Matcher,
    Pair,
    Standing,
    TooFew,
    calibrate,
    particulars,
    standing,
)
from underspend.core.replies import StoredReply
from underspend.formats.faq_reply import written
from underspend.formats.reply_key import Question
from underspend.stores.faq.sqlite import FaqStore, new_entry_id
from underspend.stores.replies.cache import Finished, Headers, body_of, content_of

_LONGEST = 2_000
"""Characters of a question: what is longer is a task, and alike tasks have answers of their own."""
_MOST_HELD = 10_000
_MOST_ENTRIES = 1_000
"""Entries that one question is compared with; of more, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """An entry that is alike enough. `served` says that `reply` is to be given; else it is only written down."""

    hit: int
    entry: str
    score: int
    served: bool
    reply: Finished

    @property
    def headers(self) -> Headers:
        """The head of the reply, naming the entry and the hit, so that it can be looked up and revoked."""
        made = [(b"content-type", self.reply.content_type.encode("latin-1", "replace"))]
        if "event-stream" not in self.reply.content_type:
            made.append((b"content-length", str(len(self.reply.body)).encode()))
        made.append((b"x-underspend-cache", f"faq; entry={self.entry}; hit={self.hit}".encode()))
        return made


class Faq:
    """Answers questions from entries, as far as the calibration allows. `limit` is in millionths."""

    def __init__(self, store: FaqStore, matcher: Matcher, *, wanted: FaqMode, limit: int) -> None:
        self.store = store
        self.matcher = matcher
        self._wanted = wanted
        self._limit = limit
        self._read_at = (-1, 0)
        self._entries: list[FaqEntry] = []
        self._standing = Standing(FaqMode.OFF, 0)

    async def standing(self) -> Standing:
        """What holds now, by the user's wish and the calibration in force."""
        await self._refresh()
        return self._standing

    async def look(self, question: Question, *, tenant: str, now: int) -> Alike | None:
        """The entry most alike to a question, where one is alike enough; the hit is written down before it is given.

        Only for calls that the rules of the response cache let it answer. Raises ReplyStoreError.
        """
        if self._wanted is FaqMode.OFF or not tenant or not 0 < len(question.asks) <= _LONGEST:
            return None
        await self._refresh()
        stands, as_of = self._standing, self._read_at[0]
        told = particulars(question.asks)
        known = [each for each in self._entries if each.serves(tenant, question.frame, now)]
        known = [each for each in known[-_MOST_ENTRIES:] if particulars(each.question) == told]
        if not known:
            return None
        scores = await self.matcher.scores(question.asks, [each.question for each in known])
        score, best = max(zip(scores, known, strict=True), key=lambda found: (found[0], found[1].made_at))
        reply = _reply_of(best, question) if score >= stands.threshold else None
        if reply is None or (await self.store.changes())[0] != as_of:  # the best may have been revoked meanwhile
            return None
        served = stands.mode is FaqMode.ON
        hit = FaqHit(
            id=0,
            entry=best.id,
            at=now,
            score=score,
            served=served,
            matcher=self.matcher.name,
            asked=question.asks,
            question=best.question,
            tenant=tenant,
        )
        return Alike(hit=await self.store.note(hit), entry=best.id, score=score, served=served, reply=reply)

    async def learn(  # noqa: PLR0913  # whose question, its answer, how long that holds, and since when it was asked
        self,
        question: Question,
        reply: Finished,
        *,
        tenant: str,
        ttl: int,
        now: int,
        clears: int,
        instead: bool = False,
    ) -> str | None:
        """Keeps a reply as the answer to its question, unless just that question has one; returns the entry's name.

        Only for a reply that the response cache's rules would keep. `clears` is what `store.clears` said when the call
        was asked: an answer from before a clear is not kept after it. With `instead` it replaces a learned one.
        """
        if self._wanted is FaqMode.OFF or not tenant or not 0 < len(question.asks) <= _LONGEST:
            return None
        await self._refresh()
        same = [each for each in self._entries if each.serves(tenant, question.frame, now)]
        same = [each for each in same if each.question == question.asks and not (instead and not each.curated)]
        if same:
            return None
        if instead:
            await self._revoke_learned(question, tenant, now)
        entry = FaqEntry(
            id=new_entry_id(),
            tenant=tenant,
            frame=question.frame,
            question=question.asks,
            answer=body_of(reply),
            curated=False,
            made_at=now,
            expires_at=now + ttl,
        )
        return entry.id if await self.store.add(entry, clears) else None

    async def _revoke_learned(self, question: Question, tenant: str, now: int) -> None:
        for each in self._entries:
            if each.serves(tenant, question.frame, now) and each.question == question.asks and not each.curated:
                await self.store.revoke(each.id)

    async def calibrate(self, labelled: Sequence[tuple[str, str, bool]]) -> Calibration | TooFew:
        """Calibrates on pairs of questions with the user's labels, and on the hits the user has labelled.

        A threshold that holds is put in force; where none does, none is.
        """
        hits = await self.store.hits(limit=100_000, labelled=True)
        told = [(hit.asked, hit.question, bool(hit.label)) for hit in hits]
        pairs = []
        for one, two, same in [*labelled, *told]:
            if particulars(one) == particulars(two):
                [score] = await self.matcher.scores(one, [two])
                pairs.append(Pair(score, same))
        found = calibrate(pairs, matcher=self.matcher.name, limit=self._limit)
        await self.store.calibrate(found if isinstance(found, Calibration) else None)
        return found

    async def close(self) -> None:
        """Lets go of the store and the matcher."""
        await self.matcher.close()
        await self.store.close()

    async def _refresh(self) -> None:
        """Read the entries again where anything was changed: what was revoked serves nothing from then on."""
        changes = await self.store.changes()
        if changes == self._read_at:
            return
        if changes[0] == self._read_at[0]:
            self._entries = [*self._entries, *await self.store.entries(added=self._read_at[1])][-_MOST_HELD:]
            self._read_at = changes
            return
        self._entries = (await self.store.entries())[-_MOST_HELD:]
        calibration = await self.store.calibration()
        self._standing = standing(self._wanted, matcher=self.matcher.name, limit=self._limit, calibration=calibration)
        self._read_at = changes


def _reply_of(entry: FaqEntry, question: Question) -> Finished | None:
    if not entry.curated:
        return content_of(StoredReply(key=b"", tenant="", kept_at=0, expires_at=0, body=entry.answer))
    answer = entry.answer.decode(errors="replace")
    kind, body = written(answer, name=entry.id, model=question.model, stream=question.stream)
    return Finished(status=200, content_type=kind, body=body, model=question.model)
