"""What came into a prompt between two calls, as blocks with a first guess of their tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import xxhash

from underspend.core.call import Block, Section, Verb
from underspend.core.history import Answered, Event, Result, ToolUse, Typed
from underspend.formats.tool_uses import verb_of
from underspend.tokens.estimate import tokens_in

_IMAGE_TOKENS = 1_500
"""An image at the size to which clients shrink it."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """A block to be: all of it but how many tokens it will be given. `guess` are its tokens by its characters."""

    kind: str
    label: str
    name: str | bytes
    guess: int
    size: int = 0
    role: str = "user"
    ref: str | None = None
    verb: Verb | None = None
    subject: bytes | None = None
    span: tuple[int, int] = (0, 0)
    is_error: bool = False

    @property
    def is_result(self) -> bool:
        """Whether it is a tool's result."""
        return self.kind == "tool_result"

    def made(self, tokens: int, message: int) -> Block:
        """The block, with so many tokens, in the message of that number."""
        digest = self.name if isinstance(self.name, bytes) else digest_of(self.name)
        return Block(
            Section.MESSAGES,
            self.kind,
            self.label,
            digest,
            self.size,
            tokens,
            None,
            self.ref,
            message,
            self.role,
            self.verb,
            self.subject,
            self.span,
            self.is_error,
        )


def digest_of(text: str) -> bytes:
    """A digest as blocks bear it."""
    return xxhash.xxh3_128_digest(text.encode("utf-8", "surrogatepass"))


def said(reply: Answered, output: int) -> list[Draft]:
    """What a reply of so many tokens added to the prompt after it: thinking, text, uses of tools.

    Its tokens are shared out by characters; where it shows none, they are text.
    """
    drafts = list(_said(reply))
    if not drafts:
        return [_text(reply, output)] if output else []
    total = sum(draft.guess for draft in drafts)
    left = output
    for draft in drafts[1:]:
        draft.guess = output * draft.guess // max(total, 1)
        left -= draft.guess
    drafts[0].guess = left
    return drafts


def _said(reply: Answered) -> Iterator[Draft]:
    if reply.thinking_chars or reply.metered.thinking_tokens:
        guess = reply.metered.thinking_tokens or tokens_in(reply.thinking_chars)
        yield Draft(
            kind="thinking",
            label="assistant",
            name=f"{reply.message_id} thinking",
            guess=guess,
            size=reply.thinking_chars,
            role="assistant",
        )
    if reply.text_chars:
        yield _text(reply, tokens_in(reply.text_chars))
    for use in reply.tools:
        yield Draft(
            kind="tool_use",
            label=use.name,
            name=f"{use.id} use",
            guess=max(1, tokens_in(use.size)),
            size=use.size,
            role="assistant",
            ref=use.id,
            verb=verb_of(use.name),
            subject=subject_of(use),
            span=(use.first_line, use.line_count),
        )


def _text(reply: Answered, guess: int) -> Draft:
    return Draft(
        kind="text",
        label="assistant",
        name=f"{reply.message_id} text",
        guess=guess,
        size=reply.text_chars,
        role="assistant",
    )


def came_in(events: Iterable[Event], uses: dict[str, ToolUse]) -> list[Draft]:
    """The tool results and prompts among these events. `uses` are the tools used so far, by id."""
    drafts = []
    for event in events:
        if isinstance(event, Result):
            drafts.append(_result(event, uses.get(event.use_id)))
        elif isinstance(event, Typed):
            drafts.append(
                Draft(
                    kind="text",
                    label="user",
                    name=f"{event.place.file}:{event.place.line} typed",
                    guess=tokens_in(event.size),
                    size=event.size,
                )
            )
    return drafts


def _result(result: Result, use: ToolUse | None) -> Draft:
    return Draft(
        kind="tool_result",
        label=f"{use.name} result" if use else "tool result",
        name=result.digest or f"{result.use_id} result",
        guess=tokens_in(result.size) + result.images * _IMAGE_TOKENS,
        size=result.size,
        ref=result.use_id,
        verb=verb_of(use.name) if use else None,
        subject=subject_of(use) if use else None,
        span=(use.first_line, use.line_count) if use else (0, 0),
        is_error=result.is_error,
    )


def subject_of(use: ToolUse) -> bytes | None:
    """A digest of what a tool was used on: for reads and edits the file.

    For all else the gateway takes the whole input, of which the record keeps a part and the length: both together tell
    nearly as much.
    """
    if verb_of(use.name) in {Verb.READ, Verb.EDIT}:
        return digest_of(use.target) if use.target else None
    return digest_of(f"{use.name} {use.size} {use.target}") if use.size else None
