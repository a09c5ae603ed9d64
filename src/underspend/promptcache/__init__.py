"""The provider's prompt cache as a state machine on a virtual clock: over blocks, and over tokens alone."""

from underspend.promptcache.cache import Cache, Split
from underspend.promptcache.conversation import Ask, Commons, Conversation, Forecast, Reset, Why
from underspend.promptcache.growing import Growing, Names
from underspend.promptcache.models import Facts, facts, settings_of
from underspend.promptcache.prompt import InvalidPromptError, Piece, Prompt, Settings, build, next_pass, piece_of

__all__ = [
    "Ask",
    "Cache",
    "Commons",
    "Conversation",
    "Facts",
    "Forecast",
    "Growing",
    "InvalidPromptError",
    "Names",
    "Piece",
    "Prompt",
    "Reset",
    "Settings",
    "Split",
    "Why",
    "build",
    "facts",
    "next_pass",
    "piece_of",
    "settings_of",
]
