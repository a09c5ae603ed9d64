"""Sends sub-agents and named tasks to another model, where that is cheaper with the cache it loses counted in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from underspend.core.call import THINKING, Call, Role
from underspend.core.context import Context
from underspend.core.edits import Edit, SetModel
from underspend.core.foresight import can_bear, written_at
from underspend.core.ports import Rates
from underspend.core.strategy import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """`to` is an exact model id. Empty `roles`, `agent_types` or `kinds` limit nothing; those given must all fit."""

    to: str
    roles: tuple[Role, ...] = ()
    agent_types: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def fits(self, call: Call) -> bool:
        """Whether the call is one of those meant."""
        who = call.identity
        return (
            (not self.roles or who.role in self.roles)
            and (not self.agent_types or who.agent_type in self.agent_types)
            and (not self.kinds or call.kind in self.kinds)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice(Strategy):
    """The first choice that fits decides, for a conversation as a whole: it begins on its model and stays there.

    A conversation that runs on another model already changes over only when its cache is cold, or when as many more
    calls as it has had would pay for what the new model must write. The client's own side calls are never sent
    elsewhere, and no call is sent to a dearer model.
    """

    name: ClassVar[str] = "model_choice"
    choices: tuple[Choice, ...] = ()

    def decide(self, call: Call, ctx: Context) -> Iterable[Edit]:
        """One `SetModel` where a choice fits and pays."""
        if call.identity.role is Role.SIDE or call.endpoint != "messages":
            return
        choice = next((choice for choice in self.choices if choice.fits(call)), None)
        if choice is None or choice.to == call.model:
            return
        here, there = ctx.rates(call), ctx.rates(replace(call, model=choice.to))
        if here is None or there is None or not _is_cheaper(there, here):
            return
        if ctx.conversation.model == choice.to or _may_change(call, ctx, here, there):
            yield SetModel(
                choice.to, why=f"your choice for {call.kind or call.identity.role.value} calls is {choice.to}"
            )


def _is_cheaper(there: Rates, here: Rates) -> bool:
    """In every lane, so that no mix of tokens makes it dearer."""
    return (
        there.input <= here.input
        and there.cache_write_5m <= here.cache_write_5m
        and there.cache_write_1h <= here.cache_write_1h
        and there.cache_read <= here.cache_read
        and (there.output or 0) <= (here.output or 0)
    )


def _may_change(call: Call, ctx: Context, here: Rates, there: Rates) -> bool:
    """Whether it begins here or is cold, or the reading of what is warm will be so much cheaper that it pays.

    A conversation that holds thinking stays: it belongs to the model that thought it.
    """
    talk = ctx.conversation
    if any(block.kind in THINKING for block in call.blocks):
        return False
    if not talk.calls or talk.is_cold:
        return True
    loss = talk.warm_tokens * (written_at(call.blocks, there) - here.cache_read)
    gain = talk.warm_tokens * (here.cache_read - there.cache_read) * talk.calls
    return gain >= loss and can_bear(loss, ctx)
