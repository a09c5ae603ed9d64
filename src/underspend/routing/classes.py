"""What class of task a request sets, by rules over its words and its shape.

A class is named `coarse` or `coarse/fine`; statistics of a fine class lean on those of its coarse one. The rules are
written down in docs/routing-classes.md, in the order in which they are tried; their words are in data/words.toml.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from underspend.core.call import Role
from underspend.routing.beliefs import Asked
from underspend.routing.reading import Reading, read, signs

OTHER: Final = "other"

_SHORT = 240
_LONG = 900
_PAGE = 1_800
_DIGITS = 8
_SYSTEM_CHARS = 500
_TYPE = re.compile(r"[^a-z0-9_-]+")
_TYPE_CHARS = 40


def coarse(task: str) -> str:
    """The coarse class of a class; a coarse class is its own."""
    return task.partition("/")[0]


def classify(asked: Asked) -> str:
    """The class of what is asked: the first rule that holds names it, `other/…` by length where none does."""
    return class_of(asked, read(asked.text))


def class_of(asked: Asked, reading: Reading) -> str:
    """As `classify`, of a text that is read already."""
    task = _by_role(asked, reading)
    if task:
        return task
    for rule in _RULES:
        task = rule(asked, reading)
        if task:
            return task
    return f"{OTHER}/{_size(reading)}"


def _size(reading: Reading) -> str:
    size = len(reading.text)
    return "short" if size < _SHORT else "long" if size > _LONG else "medium"


_TITLE = signs("title")
_COMPACTION = signs("compaction")
_ERRANDS = tuple((name, signs("errand", name)) for name in ("fix", "test", "refactor", "review", "build", "explore"))


def _by_role(asked: Asked, reading: Reading) -> str:
    if asked.role is Role.COMPACTION or _COMPACTION.is_said(reading):
        return "compaction"
    if asked.role is Role.SUBAGENT or asked.agent_type:
        named = _TYPE.sub("-", (asked.agent_type or "").lower()).strip("-")[:_TYPE_CHARS]
        return f"sub-agent/{named or 'untyped'}"
    if asked.role is not Role.MAIN and _is_title(asked, reading):
        return "title"
    if asked.role is Role.SIDE:
        return "background"
    if asked.role is Role.MAIN:
        return f"agentic-coding/{next((name for name, words in _ERRANDS if words.leads(reading)), OTHER)}"
    return ""


def _is_title(asked: Asked, reading: Reading) -> bool:
    """Whether the instructions ask for a conversation's title, or the text of a short call without tools does."""
    system = " ".join(asked.system[:_SYSTEM_CHARS].lower().split())
    if any(phrase in system for phrase in _TITLE.phrases):
        return True
    alone = not asked.tools and asked.turns <= 1 and "conversation" in reading.ends
    return alone and _TITLE.is_said(reading)


def _function_calling(asked: Asked, reading: Reading) -> str:
    if not asked.tools:
        return ""
    return f"function-calling/{'several' if reading.several > 1 else 'one'}-of-{'many' if asked.tools > 1 else 'one'}"


_STARTER = signs("starter")
_EXERCISE = signs("exercise")
_SIGNATURE = re.compile(r"\bdef \w+ ?\([^()]*\)[^:()]{0,80}:$")


def _exercise(_: Asked, reading: Reading) -> str:
    if _STARTER.found(reading) or ("def " in reading.text and _SIGNATURE.search(reading.text)):
        return "code-generation/signature"
    return "code-generation/program" if _EXERCISE.said(reading) > 1 else ""


_FIRST = (" a. ", " a) ", "(a) ", " a: ", " a.", " a)")
_SECOND = (" b. ", " b) ", "(b) ", " b: ")


def _multiple_choice(_: Asked, reading: Reading) -> str:
    text = f" {reading.text}"
    second = max(map(text.find, _SECOND))
    if second < 0 or not any(-1 < text.find(first) < second for first in _FIRST):
        return ""
    if len(text) > _LONG:
        return "multiple-choice/passage"
    digits = sum([len(token) for token in reading.tokens if token.isdigit()])
    return f"multiple-choice/{'figures' if digits > _DIGITS else 'words'}"


_PROOF = signs("proof")
_FENCES = ("```", "#include", ">>> ", "traceback", "def ", "class ")


def _typeset(_: Asked, reading: Reading) -> str:
    """Formulas as they are typeset (more than one: a single one may be two prices), and no program."""
    if reading.typeset < 2 or any(fence in reading.text for fence in _FENCES):  # noqa: PLR2004  # said above
        return ""
    return "maths/proof" if _PROOF.found(reading) else "maths/formal"


_RUN = signs("run")
_RUN_ASKS = signs("run_asks")
_WRITE = signs("write")
_PROGRAM = signs("program")
_REPAIR = signs("repair")
_EXPLAIN = signs("explain")


def _code(_: Asked, reading: Reading) -> str:
    coded = reading.code > 0
    written = _WRITE.leads(reading) and _PROGRAM.leads(reading)
    asks_to_run = _RUN.leads(reading) and _RUN_ASKS.leads(reading)
    if coded and asks_to_run and not _WRITE.leads(reading) and len(reading.text) < _PAGE:
        return "code-reasoning"
    if written and not (coded and _REPAIR.found(reading)):
        return "code-generation/request"
    if not coded:
        return ""
    if len(reading.text) > _SHORT and _REPAIR.found(reading):
        return "code-repair"
    return "code-explanation" if _EXPLAIN.leads(reading) else "code-other"


_ON_A_TEXT = tuple(
    (name, signs(name)) for name in ("translation", "summarisation", "classification", "extraction", "formatting")
)


def _on_a_text(asked: Asked, reading: Reading) -> str:
    """Work on a text that is there: what these verbs say, in the head or at the end of what is asked."""
    for name, words in _ON_A_TEXT:
        if words.leads(reading):
            return name
    return "extraction" if asked.structured else ""


_FIGURES = signs("figures").words
_AMOUNT = signs("amount")


def _maths(asked: Asked, reading: Reading) -> str:
    if asked.images or asked.documents:
        return ""
    formal = reading.formal + 2 * reading.typeset
    if formal and _PROOF.found(reading):
        return "maths/proof"
    asks = _AMOUNT.found(reading)
    if formal > 1 or (formal and asks):
        return "maths/formal"
    if not asks:
        return ""
    figures = sum([token.isdigit() or token in _FIGURES for token in reading.tokens])
    return "maths/word-problem" if figures > 1 else ""


_IN_WORDS = tuple((name, signs(name)) for name in ("reasoning", "analysis", "writing"))
_CHAT = signs("chat").words
_QUESTION = signs("question").words


def _in_words(asked: Asked, reading: Reading) -> str:
    short = len(reading.text) < _SHORT
    if short and reading.tokens[:1] and reading.tokens[0] in _CHAT:
        return "chat"
    for name, words in _IN_WORDS:
        if words.leads(reading):
            return name
    if asked.images or asked.documents:
        return "document-question"
    if "?" in reading.words or (reading.tokens and reading.tokens[0] in _QUESTION):
        return "short-question" if short else "long-question"
    return ""


_RULES: tuple[Callable[[Asked, Reading], str], ...] = (
    _function_calling,
    _exercise,
    _multiple_choice,
    _typeset,
    _code,
    _on_a_text,
    _maths,
    _in_words,
)
