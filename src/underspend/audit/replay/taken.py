"""What a replay takes for granted, as far as it mattered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from underspend.audit.replay.assumptions import Assumption, assumptions
from underspend.audit.replay.play import Deeds

_BY_EDIT = {
    "SetModel": ("tokenizer", "model_work"),
    "SetEffort": ("effort_output",),
    "SetMaxOutput": ("max_output",),
    "ReplaceContent": ("content", "content_tokens"),
    "ShortenContent": ("content", "content_tokens"),
    "DropMessages": ("content", "content_tokens"),
    "ReplaceMessages": ("content", "content_tokens"),
}


def taken_for_granted(deeds: Iterable[Deeds]) -> Sequence[Assumption]:
    """The assumptions behind what these strategies did, each once."""
    kinds = {kind for deed in deeds for kind in deed.kinds}
    names = {name for kind in kinds for name in _BY_EDIT.get(kind, ())}
    return [each for each in assumptions() if each.name in names]
