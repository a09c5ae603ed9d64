"""How advisors read a timeline: prompts by position, replies with what came before them, how long a result stayed."""

from underspend.advisors.reading.carried import Carried, Stretch, stretches
from underspend.advisors.reading.prompts import PROMPT_ORDER, Part, Prompt, prompt_of
from underspend.advisors.reading.rows import Rows, first
from underspend.advisors.reading.shared import NO_BILL, Account, accounts_of, replies_of, steps_of, stretches_of
from underspend.advisors.reading.steps import MINUTE, Step, moment, segments, steps

__all__ = [
    "MINUTE",
    "NO_BILL",
    "PROMPT_ORDER",
    "Account",
    "Carried",
    "Part",
    "Prompt",
    "Rows",
    "Step",
    "Stretch",
    "accounts_of",
    "first",
    "moment",
    "prompt_of",
    "replies_of",
    "segments",
    "steps",
    "steps_of",
    "stretches",
    "stretches_of",
]
