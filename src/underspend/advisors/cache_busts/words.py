"""What is said about each cause of a rewrite: to whom it is news, and what helps."""

from __future__ import annotations

from typing import NamedTuple

from underspend.advisors.cache_busts.causes import Cause
from underspend.core.advisor import Urgency


class Words(NamedTuple):
    """The fixed words of a cause: `after` completes "The cache was written again …"."""

    urgency: Urgency
    after: str
    why: str
    fix: str = ""


OF: dict[Cause, Words] = {
    Cause.COMPACTION: Words(
        Urgency.FYI,
        "after compactions",
        "A compaction replaces the conversation by a summary, which is written once. That is what it is for: nothing "
        "here is lost money, and it is not counted as a saving.",
    ),
    Cause.MICROCOMPACTION: Words(
        Urgency.FYI,
        "after old tool results were dropped",
        "The client dropped old results by itself; everything behind the first one dropped had to be written again. "
        "It pays when the session goes on for long; it is not counted as a saving.",
    ),
    Cause.MODEL_SWITCH: Words(
        Urgency.HABIT,
        "after a switch of model",
        "Each model has a cache of its own: a switch in mid-session writes the whole context again at the write price.",
        "Switch models at /clear or in a new session; for plan mode avoid `opusplan`, which switches at every toggle.",
    ),
    Cause.EFFORT_CHANGE: Words(
        Urgency.HABIT,
        "after a change of effort",
        "Effort is part of the cache's key: another effort writes the conversation again.",
        'Choose the effort at the start of a session: "effortLevel" in settings.json, or /effort right after /clear.',
    ),
    Cause.SHORT_BREAK: Words(
        Urgency.HABIT,
        "after breaks of up to an hour",
        "The pause was longer than the cache lives (`ttl`), so the whole context was written again.",
    ),
    Cause.LONG_BREAK: Words(
        Urgency.HABIT,
        "after breaks of over an hour",
        "No cache lifetime on sale bridges these pauses: to go on with a long context means to write all of it again.",
        "After a long break start a new session, or run /compact before you leave (while the cache is warm), so that "
        "little is left to write.",
    ),
    Cause.RESUME: Words(
        Urgency.HABIT,
        "on resuming within the cache's lifetime",
        "The session was resumed soon enough, yet the client sent another prefix than before.",
        "Keep the session open rather than resuming it, or update the client: several versions lost the cache on "
        "--resume.",
    ),
    Cause.CLIENT_UPDATE: Words(
        Urgency.HABIT,
        "after an update of the client",
        "Another version of the client sends another system prompt and other tools, which no cache holds.",
        "Finish long sessions before restarting into a new version, or begin a new one with it.",
    ),
    Cause.TOOLS_CHANGED: Words(
        Urgency.HABIT,
        "after a change of tools",
        "Tools stand first in the prompt: one added or removed (an MCP server that connects, a tool denied) writes "
        "everything after it again.",
        "Connect MCP servers before the session starts and do not toggle them in it; leave tool search on "
        "(ENABLE_TOOL_SEARCH=true behind a gateway), which keeps their tools out of the prefix.",
    ),
    Cause.SYSTEM_CHANGED: Words(
        Urgency.HABIT,
        "after a change of the system prompt",
        "The provider reports that the system prompt differed from the call before.",
        "Do not edit output styles or appended system prompts in mid-session.",
    ),
    Cause.HISTORY_CHANGED: Words(
        Urgency.FYI,
        "because earlier messages had changed",
        "The provider reports that messages sent before came back different, and the client noted no reason.",
        "Update the client; behind a gateway, check that it passes messages on unchanged.",
    ),
    Cause.COPIED_HISTORY: Words(
        Urgency.FYI,
        "in history that was copied from another session",
        "These replies were copied when a session was continued, and all bear the time of the copying: the pauses "
        "between them, and so the cause, are lost.",
    ),
    Cause.UNEXPLAINED: Words(
        Urgency.FYI,
        "for no recorded reason",
        "The pause was within the cache's lifetime and the client noted no change. Some versions of the client change "
        "their own prefix, and the provider may drop an entry early.",
        "Compare the versions in the rows; update the client if one stands out.",
    ),
}
