"""What the files say, each for itself → one `History` in which every reply, prompt and result counts once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from underspend.core.call import Role
from underspend.core.history import Answered, Event, History, Mark, MarkKind, Skipped, Timeline, Transcript
from underspend.formats.client_identity import project_name
from underspend.readers.claude_code import usage
from underspend.readers.claude_code.records import Extract, Part, Source
from underspend.readers.claude_code.tool_uses import SPAWNING

_WORKTREES = "/.claude/worktrees/"


@dataclass(slots=True)
class _Held:
    """A reply in one of the files that hold it."""

    file: int
    part: Part
    answered: Answered
    foreign: bool


def merged(read: Sequence[tuple[Source, Extract]], skipped: Iterable[Skipped] = ()) -> History:
    """The history of all the files."""
    ordered = sorted(read, key=lambda pair: (bool(pair[1].foreign), pair[1].first, pair[1].last, pair[0].raw_path))
    history = History(skipped=list(skipped))
    for source, extract in ordered:
        history.files.append(
            Transcript(file=source.shown, size=source.size, modified=source.modified, lines=extract.lines)
        )
        history.totals.extend(extract.totals)
        history.always_loaded.extend(extract.loaded)
        history.skipped.extend(extract.skipped)
        for kind, times in extract.unknown.items():
            history.unknown[kind] = history.unknown.get(kind, 0) + times
    extracts = [extract for _, extract in ordered]
    if len(extracts) > 1:
        # One file names each reply once.
        _count_once(extracts)
        _drop_copied_entries(extracts)
    history.timelines = _timelines(ordered)
    return history


def _count_once(extracts: list[Extract]) -> None:
    """Leave each reply with its owner alone, merged with all its copies."""
    first: dict[str, tuple[int, Part, Answered]] = {}
    twice: dict[str, list[_Held]] = {}
    for number, extract in enumerate(extracts):
        foreign = set(extract.foreign)
        for part in extract.parts:
            for answered in part.answered:
                key = answered.message_id
                before = first.setdefault(key, (number, part, answered))
                if before[2] is answered:
                    continue
                holders = twice.get(key)
                if holders is None:
                    earlier = key in extracts[before[0]].foreign
                    holders = twice[key] = [_Held(*before, earlier)]
                holders.append(_Held(number, part, answered, key in foreign))
    if twice:
        _settle(extracts, twice)


def _settle(extracts: list[Extract], twice: dict[str, list[_Held]]) -> None:
    """Give the replies that several files hold to one, and take what came with their copies out of the others."""
    won: dict[str, Answered] = {}
    lost: dict[int, dict[str, int]] = {}
    for key, holders in twice.items():
        owner = min(holders, key=_claim)
        won[key] = _joined(owner, holders)
        for held in holders:
            if held is not owner:
                lost.setdefault(held.file, {})[key] = owner.file
        _put(owner, won[key])
    results = {number: _results_in(extracts[number]) for owners in lost.values() for number in set(owners.values())}
    for number, owners in lost.items():
        for part in extracts[number].parts:
            _take_out(part, owners, won, results)
            if part.agent is None:
                sessions = {extracts[owner].session for owner in owners.values()} - {extracts[number].session}
                _mark_fork(part, sorted(sessions))


def _results_in(extract: Extract) -> set[str]:
    return {result.use_id for part in extract.parts for result in part.results}


def _claim(held: _Held) -> tuple[bool, bool, bool, int, int]:
    """Who owns a reply: the smallest."""
    return held.part.nested, held.foreign, held.part.agent is not None, held.answered.at, held.file


def _joined(owner: _Held, holders: list[_Held]) -> Answered:
    answered = owner.answered
    best, finalised = answered.metered, answered.finalised
    estimate = answered.metered.usage.output + answered.unseen_output
    for held in holders:
        other = held.answered
        estimate = max(estimate, other.metered.usage.output + other.unseen_output)
        best, finalised = usage.larger(best, other.metered), finalised or other.finalised
    longest = max(holders, key=lambda held: (len(held.answered.tools), held.answered.text_chars)).answered
    return msgspec.structs.replace(
        answered,
        metered=best,
        finalised=finalised,
        unseen_output=0 if finalised else max(0, estimate - best.usage.output),
        tools=longest.tools if len(longest.tools) > len(answered.tools) else answered.tools,
        text_chars=max(held.answered.text_chars for held in holders),
        thinking_chars=max(held.answered.thinking_chars for held in holders),
        copies=len({held.file for held in holders}) - 1,
    )


def _put(owner: _Held, answered: Answered) -> None:
    replies = owner.part.answered
    replies[next(i for i, reply in enumerate(replies) if reply is owner.answered)] = answered


def _take_out(part: Part, owners: dict[str, int], won: dict[str, Answered], results: dict[int, set[str]]) -> None:
    """Leave out the replies that others own, and those results of their tools that the owners have too."""
    gone = {key for reply in part.answered if (key := reply.message_id) in owners and won[key] is not reply}
    part.answered = [reply for reply in part.answered if reply.message_id not in gone]
    uses = {use.id for key in gone for use in won[key].tools if use.id in results[owners[key]]}
    if uses:
        part.results = [result for result in part.results if result.use_id not in uses]


def _mark_fork(part: Part, parents: list[str]) -> None:
    begun = min((reply.at for reply in part.answered), default=None)
    if begun is None or not parents:
        return
    place = min((reply.place for reply in part.answered), key=lambda place: place.line)
    part.marks.append(Mark(at=begun - 1, place=place, kind=MarkKind.RESUME, detail=f"copy of {' '.join(parents)}"))
    part.mark_ids.append(hash((place.file, place.line, "fork")) & 0x7FFF_FFFF_FFFF_FFFF)


def _drop_copied_entries(extracts: list[Extract]) -> None:
    """Prompts and marks stay with the first file that holds them: files come in the order in which they may own."""
    seen: set[int] = set()
    for extract in extracts:
        for part in extract.parts:
            if not seen.isdisjoint(part.typed_ids):
                part.typed = [event for event, own in zip(part.typed, part.typed_ids, strict=True) if own not in seen]
            if not seen.isdisjoint(part.mark_ids):
                part.marks = [event for event, own in zip(part.marks, part.mark_ids, strict=True) if own not in seen]
        for part in extract.parts:
            seen.update(part.typed_ids, part.mark_ids)


def _timelines(ordered: Sequence[tuple[Source, Extract]]) -> list[Timeline]:
    found: dict[tuple[str, str | None], Timeline] = {}
    for source, extract in ordered:
        for part in extract.parts:
            key = (extract.session, part.agent)
            line = found.get(key)
            if line is None:
                line = found[key] = _timeline(source, extract, part)
            line.agent_type = line.agent_type or part.agent_type
            line.parent_use = line.parent_use or part.parent_use
            line.events.extend([*part.answered, *part.results, *part.typed, *part.marks])
    kept = [line for line in found.values() if line.events]
    for line in kept:
        line.events.sort(key=_order)
    untyped = [
        line for line in kept if line.agent is not None and line.agent_type is None and line.parent_use is not None
    ]
    if untyped:
        started = _types_started(extract for _, extract in ordered)
        for line in untyped:
            line.agent_type = started.get(line.parent_use or "") or None
    return kept


def _types_started(extracts: Iterable[Extract]) -> dict[str, str]:
    """The types of the agents that were started, by the tool use that did it."""
    return {
        use.id: use.target
        for extract in extracts
        for part in extract.parts
        for reply in part.answered
        for use in reply.tools
        if use.name in SPAWNING
    }


def _order(event: Event) -> tuple[int, int]:
    return event.at, event.place.line


def _timeline(source: Source, extract: Extract, part: Part) -> Timeline:
    root = extract.directory.split(_WORKTREES, 1)[0]
    return Timeline(
        session=extract.session,
        project=project_name(root) if root else source.project,
        directory=extract.directory,
        agent=part.agent,
        agent_type=part.agent_type,
        parent_use=part.parent_use,
        role=Role.MAIN if part.agent is None else Role.SUBAGENT,
        entrypoint=extract.entrypoint,
    )
