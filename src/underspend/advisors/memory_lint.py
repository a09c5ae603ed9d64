"""What is wrong with the text of a CLAUDE.md file: everything in it is sent with every session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

from underspend.advisors.memory_text import Row, Section, rows_of, sections_of
from underspend.advisors.rule_data import rules

_TOP_BULLET = re.compile(r"[-*+]\s|\d{1,3}[.)]\s")
_LONGEST_LOOKED_AT = 1000
_WHOLE = "claude.md"
_BOLD_LEAD = re.compile(r"\s*(?:[-*+]\s+)?\*\*[^*]{1,80}\*\*")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Remark:
    """One thing to cut or mend, on the lines `line` to `last_line` of a file.

    `optional` remarks cost nothing as they are: what is missing, what the client hides by itself.
    """

    path: str
    line: int
    last_line: int
    rule: str
    section: str
    message: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class _Pattern:
    name: str
    message: str
    expressions: tuple[re.Pattern[str], ...]

    def hits(self, text: str) -> bool:
        return any(expression.search(text) for expression in self.expressions)


def lint(text: str, path: str, *, is_whole: bool | None = None) -> list[Remark]:
    """Everything to say about a memory file, in the order of its lines.

    `is_whole` says whether the sections of the lean template are missed in it: by default in a CLAUDE.md, but not in
    what one imports.
    """
    rows = rows_of(text)
    found = _Found(path)
    sections = sections_of(rows)
    found.lengths(rows)
    found.phrases(rows, sections)
    found.trees(rows)
    found.comments(rows)
    found.duplicates(rows, sections)
    found.limits(sections)
    if PurePath(path).name.casefold() == _WHOLE if is_whole is None else is_whole:
        found.gaps(rows, sections)
    return sorted(found.remarks)


class _Found:
    """The remarks on one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.remarks: list[Remark] = []

    def say(self, rule: str, first: Row, message: str, *, last: Row | None = None, optional: bool = False) -> None:
        end = (last or first).number
        remark = Remark(
            path=self.path,
            line=first.number,
            last_line=end,
            rule=rule,
            section=first.section,
            message=message,
            optional=optional,
        )
        self.remarks.append(remark)

    def lengths(self, rows: list[Row]) -> None:
        """The lines beyond the limit."""
        limit = rules("claude_md")["length"]
        sent = [row for row in rows if not row.hidden]
        if len(sent) > limit["most"]:
            message = f"{len(sent)} lines; keep to {limit['aim']}–{limit['most']}, the model follows short files better"
            self.say("too-long", sent[limit["most"]], message, last=sent[-1])

    def phrases(self, rows: list[Row], sections: list[Section]) -> None:
        """Lines that a rule of the data file names; where it names a heading, the whole section."""
        ends = {section.rows[0].number: section.rows[-1] for section in sections}
        for row in rows:
            if row.hidden or row.fenced or not row.text.strip():
                continue
            for rule in _patterns():
                if rule.hits(row.text[:_LONGEST_LOOKED_AT]):
                    self.say(rule.name, row, rule.message, last=ends[row.number] if row.heading else row)

    def trees(self, rows: list[Row]) -> None:
        """Runs of lines that draw a file tree."""
        tree = rules("claude_md")["tree"]
        drawn = re.compile(tree["pattern"])
        for run in _runs(row for row in rows if not row.hidden and drawn.search(row.text[:200])):
            if len(run) >= tree["least"]:
                self.say(
                    "file-tree", run[0], "a file tree: the model lists files itself, and this one ages", last=run[-1]
                )

    def comments(self, rows: list[Row]) -> None:
        """HTML comments, which only older clients send."""
        since = rules("claude_md")["comments"]["hidden_since"]
        message = f"an HTML comment: left out of prompts since Claude Code {since}, paid for before"
        for run in _runs(row for row in rows if row.hidden):
            self.say("commented-out", run[0], message, last=run[-1], optional=True)

    def duplicates(self, rows: list[Row], sections: list[Section]) -> None:
        """Sections, then single lines, that say what an earlier one says."""
        least = rules("claude_md")["duplicate"]["least_characters"]
        told: set[int] = set()
        seen: dict[str, int] = {}
        for section in sections:
            body = _normal(" ".join(row.text for row in section.body))
            if (
                len(body) >= least
                and (first := seen.setdefault(body, section.rows[0].number)) != section.rows[0].number
            ):
                self.say("duplicate", section.rows[0], f"the same section as on line {first}", last=section.rows[-1])
                told.update(row.number for row in section.rows)
        lines: dict[str, int] = {}
        for row in rows:
            text = _normal(row.text)
            if len(text) < least or row.hidden or row.fenced or row.number in told:
                continue
            if (first := lines.setdefault(text, row.number)) != row.number:
                self.say("duplicate", row, f"says the same as line {first}")

    def limits(self, sections: list[Section]) -> None:
        """Lists of rules that are longer than a model keeps in mind."""
        for section in sections:
            limit = next((each for each in _limits() if each[1].search(section.title)), None)
            bullets = [row for row in section.body if not row.fenced and _TOP_BULLET.match(row.text)]
            if limit and len(bullets) > limit[2]:
                message = f"{len(bullets)} entries under “{section.title}”; keep the {limit[2]} that matter"
                self.say(limit[0], bullets[limit[2]], message, last=bullets[-1])

    def gaps(self, rows: list[Row], sections: list[Section]) -> None:
        """Sections of the lean template that are not there."""
        if not any(row.text.strip() for row in rows):
            return
        leads = [row.text for row in rows if not row.fenced and not row.hidden and _BOLD_LEAD.match(row.text)]
        heads = "\n".join([section.title for section in sections] + leads)
        for part in rules("claude_md")["template"]:
            if not re.search(part["pattern"], heads, re.IGNORECASE):
                self.say("missing-section", rows[0], f"no section “{part['name']}”: {part['message']}", optional=True)


def _runs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows with consecutive numbers, together."""
    run: list[Row] = []
    for row in rows:
        if run and row.number != run[-1].number + 1:
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def _normal(text: str) -> str:
    return " ".join(text.casefold().split()).strip("-*+ ")


@cache
def _patterns() -> tuple[_Pattern, ...]:
    return tuple(
        _Pattern(rule["name"], rule["message"], tuple(re.compile(each, re.IGNORECASE) for each in rule["patterns"]))
        for rule in rules("claude_md")["rule"]
    )


@cache
def _limits() -> tuple[tuple[str, re.Pattern[str], int], ...]:
    return tuple(
        (each["name"], re.compile(each["heading"], re.IGNORECASE), each["most"]) for each in rules("claude_md")["limit"]
    )
