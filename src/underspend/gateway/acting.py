"""What strategies get to know of a call's conversation, and what came of their edits.

Nothing of this runs where no strategy could edit a call.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields, replace
from typing import Any

import xxhash

from underspend.core.call import THINKING, Call, Role, Section
from underspend.core.conversation import Conversation, Habits, Kept, name_of
from underspend.core.editing import apply
from underspend.core.edits import ContentEdit, ReplaceContent, SetBreakpoint, ShortenContent
from underspend.core.engine import Step, made_again
from underspend.core.money import Money
from underspend.core.past import Past
from underspend.core.plan import Decision, Plan
from underspend.core.ports import Row
from underspend.core.slots import Failure, Slot, after
from underspend.core.usage import Usage
from underspend.formats import anthropic_request
from underspend.formats.anthropic_blocks import Anatomist, Anatomy
from underspend.formats.anthropic_request import MessagesRequest
from underspend.gateway.talks import Talk, cache_row
from underspend.gateway.worlds import Effect, Ended, Worlds
from underspend.pricing.catalogue import Catalogue

_CONVERSATIONS = 2_000
_KEPT = 50_000
_PUT_DOWN = 500
_FAILURES = 20
_CHOOSES = "auto_model"
_SLOT = tuple(each.name for each in fields(Slot) if each.name != "failures")
SLOT = "slot"
"""Stands in the ledger's `kept_edits` for a block's name where the row is a conversation's slot."""


class Acting:
    """Conversations and worlds of one gateway, in memory.

    `kept_before` gives a conversation's edits as the ledger has them: after a restart they are made again all the same,
    since the provider may refuse a prompt that its own replies do not fit any more. `calls_before` gives the calls of a
    session and agent (or role). With `everything` all calls are taken apart before they are sent. `also` are the names
    of others, not strategies, whose edits are to have a world of their own.
    """

    def __init__(  # noqa: PLR0913  # what it is made of
        self,
        steps: Iterable[Step],
        prices: Catalogue,
        kept_before: Callable[[str], Iterable[Row]] = lambda _: (),
        *,
        calls_before: Callable[[str, str], Iterable[Row]] = lambda _session, _agent: (),
        everything: bool = True,
        also: tuple[str, ...] = (),
    ) -> None:
        self.everything = everything
        self.has_edited_without_session = False
        self._kept_before, self._calls_before = kept_before, calls_before
        self._steps = tuple(step for step in steps if step.strategy.edits)
        # The router acts on calls that leave it the model, whatever its state.
        on = [each.strategy.name for each in self._steps if each.is_on_somewhere or each.strategy.name == _CHOOSES]
        self._anatomist = Anatomist()
        self._worlds = Worlds([*on, *also], prices)
        self._talks: OrderedDict[str, Talk] = OrderedDict()
        self._past = Past()
        self._put_down: list[tuple[Hashable, Call, int, int]] = []
        self._kept_anywhere: OrderedDict[bytes, Kept] = OrderedDict()

    @property
    def habits(self) -> Habits:
        """What this gateway's calls were like so far."""
        self._catch_up()
        return self._past.habits

    def _catch_up(self) -> None:
        """Take in the calls that have only been put down: to sort them in is work, and seldom asked for."""
        if self._put_down:
            self._past.note_all(self._put_down)
            self._put_down.clear()

    def anatomy(self, message: MessagesRequest) -> Anatomy:
        """The blocks of a request."""
        return self._anatomist.anatomy(tools=message.tools, system=message.system, messages=message.messages)

    def conversation(self, call: Call, *, noted: bool = True) -> Conversation:
        """What is known of a call's conversation before it; unless it is `noted`, the call is only thought of."""
        key = key_of(call)
        talk = self._talk(key, call)
        self._catch_up()
        self._past.until(call.time)
        if not talk.calls and self._kept_anywhere and call.identity.role is not Role.SIDE:
            self._adopt(talk, call)
        kept = dict(talk.kept)
        again, _ = made_again(call, Conversation(kept=kept)) if kept else (call, None)
        warm, until = max(self._worlds.warm(key, again, call.time), talk.held(again), key=lambda found: found[0])
        return Conversation(
            calls=talk.calls,
            idle=talk.pause(call.time, noted=noted),
            gaps=talk.gaps,
            kept=kept,
            model=talk.model,
            effort=talk.effort,
            paid=talk.paid,
            saved=talk.saved,
            marked=talk.marked,
            warm_tokens=warm,
            long_tokens=min(warm, talk.long) if call.time < talk.long_until else 0,
            cold_at=until,
        )

    def _adopt(self, talk: Talk, call: Call) -> None:
        """A conversation that was forked from another holds the other's blocks: what was done to them is done again."""
        for block in call.blocks:
            if block.ref is not None or block.kind in THINKING:
                found = self._kept_anywhere.get(name_of(block))
                if found is not None:
                    talk.kept.setdefault(name_of(block), found)

    @staticmethod
    def name_of(call: Call) -> str | None:
        """The name of a call's conversation where that can be told without its blocks."""
        return key_of(call) if call.identity.session is not None else None

    def known(self, key: str) -> Talk | None:
        """A conversation that was seen since the start."""
        return self._talks.get(key)

    def recalled(self, key: str, *, begins: bool) -> Talk:
        """A conversation, as the ledger has it where this gateway has not seen it yet."""
        return self._talk(key, begins=begins)

    def passed(self, call: Call, usage: Usage, paid: Money) -> None:
        """Take in a call that nobody took apart; nothing where it is not known to which conversation it belongs."""
        key = self.name_of(call)
        if key is None:
            return
        self._talk(key, begins=True).passed(call, usage, paid)
        self._put_down.append((key, call, usage.prompt, usage.output))
        if len(self._put_down) >= _PUT_DOWN:
            self._catch_up()

    def answered(self, call: Call) -> None:
        """A call that was noted got its reply from us: for the provider the pause before it goes on."""
        talk = self._talk(key_of(call))
        gap = talk.pause(call.time, noted=False)
        if gap in talk.gaps:
            talk.gaps.remove(gap)

    def slot(self, call: Call) -> Slot | None:
        """What the conversation of a call was last sent to; None where it begins."""
        return self._talk(key_of(call), call).slot

    def sent(self, plan: Plan) -> Slot:
        """Remember what a conversation is sent to; its slot then."""
        talk = self._talk(key_of(plan.asked))
        talk.slot = after(talk.slot, plan)
        return talk.slot

    def failed(self, conversation: str, failures: tuple[Failure, ...]) -> Slot | None:
        """Remember failures of a conversation's model; its slot then."""
        talk = self._talk(conversation)
        if talk.slot is not None and failures:
            talk.slot = replace(talk.slot, failures=(*talk.slot.failures, *failures)[-_FAILURES:])
        return talk.slot

    def mended(self, conversation: str) -> Slot | None:
        """A check has passed: what had failed of the work is mended, unless it was a certain failure; the slot then."""
        talk = self._talk(conversation)
        if talk.slot is not None and talk.slot.failures:
            left = tuple(failure for failure in talk.slot.failures if failure.certain)
            talk.slot = replace(talk.slot, failures=left)
        return talk.slot

    def measured(self, plan: Plan, body: bytes) -> Plan:
        """The plan with the sizes that edited blocks really have in the body that is sent: strategies only guess."""
        if not any(_is_content(each) for each in plan.decisions):
            return plan
        message = anthropic_request.read(body)
        if message is None:
            return plan
        sizes = {block.ref: block.tokens for block in self.anatomy(message).blocks if block.kind == "tool_result"}
        call, decisions = plan.asked, list[Decision]()
        for each in plan.decisions:
            edit = each.edit
            if _is_content(each) and isinstance(edit, ReplaceContent | ShortenContent):
                edit = replace(edit, tokens=sizes.get(plan.asked.blocks[edit.at].ref, edit.tokens))
            decisions.append(replace(each, edit=edit))
            call = apply(edit, call) if each.applied else call
        return replace(plan, call=call, decisions=tuple(decisions))

    def keep(self, plan: Plan) -> list[Row]:
        """Remember the edits that later calls of the conversation need again; they are given as rows, to be kept."""
        key, rows = key_of(plan.asked), list[Row]()
        for each in plan.decisions:
            edit = each.edit
            if _is_content(each) and not each.again and isinstance(edit, ReplaceContent | ShortenContent):
                name = name_of(plan.asked.blocks[edit.at])
                self._talk(key).kept[name] = self._kept_anywhere[name] = Kept(each.strategy, edit)
                if len(self._kept_anywhere) > _KEPT:
                    self._kept_anywhere.popitem(last=False)
                rows.append(kept_row(key, name, each.strategy, edit, plan.asked.time))
        talk = self._talk(key)
        self.has_edited_without_session |= bool(rows) and plan.asked.identity.session is None
        talk.marked = talk.marked or _marks_what_is_bare(plan)
        talk.lowered = plan.call.effort if plan.call.effort != plan.asked.effort else None
        if talk.cached != talk.said and (any(talk.said) or talk.lowered or _marks(plan)):
            talk.said = talk.cached
            rows.append(cache_row(key, talk, plan.asked.time))
        if talk.slot != talk.kept_slot and talk.slot is not None and (talk.kept_slot or talk.slot.is_away):
            talk.kept_slot = talk.slot
            rows.append(slot_row(key, talk.slot, plan.asked.time))
        return rows

    def settle(self, plan: Plan, ended: Ended, paid: Money) -> tuple[Effect, ...]:
        """Take in how a call ended and what it cost: what strategies saved on it."""
        key = key_of(plan.asked)
        talk = self._talk(key)
        effects = self._worlds.settle(key, plan, ended)
        talk.calls, talk.last, talk.simulated = talk.calls + 1, plan.asked.time, plan.asked.time
        talk.paid += paid
        talk.saved += sum(effect.saved for effect in effects)
        usage = ended.metered.usage
        talk.went(plan.call, usage)
        self._catch_up()
        self._past.note(key, plan.asked, usage.prompt, usage.output)
        return effects

    def _talk(self, key: str, call: Call | None = None, *, begins: bool = False) -> Talk:
        found = self._talks.get(key)
        if found is None:
            # Nothing was kept of a conversation in which no model has spoken yet.
            if call is not None:
                begins = not any(block.role == "assistant" for block in call.blocks)
            rows = [] if begins else list(self._kept_before(key))
            slot = slot_of(rows)
            found = self._talks[key] = Talk(kept=dict(kept_of(rows)), slot=slot, kept_slot=slot)
            if not begins:
                session, _, agent = key.rpartition(" ")
                found.remember(self._calls_before(session, agent) if session else (), rows)
            if len(self._talks) > _CONVERSATIONS:
                self._talks.popitem(last=False)
        self._talks.move_to_end(key)
        return found


def kept_row(key: str, name: bytes, strategy: str, edit: ContentEdit, at: int) -> Row:
    """An edit as a row of the ledger. It holds no text of the prompt."""
    made = json.dumps({"edit": type(edit).__name__, **asdict(edit)})
    return {"conversation": key[:255], "block": name.hex()[:255], "strategy": strategy, "edit": made, "kept_at": at}


def slot_row(key: str, slot: Slot, at: int) -> Row:
    """A slot away from the model asked for, as a row of the ledger: after a restart it stays there."""
    said = {name: getattr(slot, name) for name in _SLOT}
    made = json.dumps({"edit": SLOT, **said, "failures": ()})
    return {"conversation": key[:255], "block": SLOT, "strategy": _CHOOSES, "edit": made, "kept_at": at}


def slot_of(rows: Iterable[Row]) -> Slot | None:
    """A conversation's slot among its rows; None where it was never away."""
    for row in rows:
        if row["block"] == SLOT:
            said: dict[str, Any] = json.loads(str(row["edit"]))
            said.pop("edit", None)
            with suppress(TypeError):
                return Slot(**{**said, "failures": ()})
    return None


def kept_of(rows: Iterable[Row]) -> Iterator[tuple[bytes, Kept]]:
    """Rows of the ledger as edits by the name of their block; what this version does not know is left out."""
    for row in rows:
        said: dict[str, Any] = json.loads(str(row["edit"]))
        kind = _CONTENT_EDITS.get(str(said.pop("edit", "")))
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
        if kind is not None:
            with suppress(TypeError):
                yield bytes.fromhex(str(row["block"])), Kept(str(row["strategy"]), kind(**values))


_CONTENT_EDITS: dict[str, Callable[..., ContentEdit]] = {
    "ReplaceContent": ReplaceContent,
    "ShortenContent": ShortenContent,
}


def _marks_what_is_bare(plan: Plan) -> bool:
    """Whether breakpoints were set where the client sets none."""
    return _marks(plan) and not any(block.breakpoint for block in plan.asked.blocks)


def _marks(plan: Plan) -> bool:
    return any(each.applied and isinstance(each.edit, SetBreakpoint) for each in plan.decisions)


def _is_content(decision: Decision) -> bool:
    return decision.applied and isinstance(decision.edit, ReplaceContent | ShortenContent)


def key_of(call: Call) -> str:
    """A conversation's name: its session and agent, else what it begins with."""
    identity = call.identity
    if identity.session is not None:
        return f"{identity.session} {identity.agent or identity.role}"
    begin = []
    for block in call.blocks:
        begin.append(block.digest)
        if block.section is Section.MESSAGES:
            break
    return xxhash.xxh3_128_hexdigest(b"".join((*begin, str(identity.key).encode())))
