"""Settings that do nothing, name what is gone, or cost money on the user's own calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar
from urllib.parse import urlsplit

import msgspec

from underspend.advisors.caching_off import Off, caching_off, seen_off
from underspend.advisors.claimed import Claimed
from underspend.advisors.client_settings import SettingsFile, settings_files
from underspend.advisors.lifetime_settings import Lifetimes, lifetimes, seen_lifetimes
from underspend.advisors.model_steps import day, known
from underspend.advisors.rule_data import rules
from underspend.advisors.unused_tools import CarriedTools, server_of
from underspend.core.advisor import Advisor, Confidence, Finding, Seen, Surroundings, Urgency
from underspend.core.evidence import Evidence
from underspend.core.history import History
from underspend.core.money import Money

TOOL_SEARCH = "ENABLE_TOOL_SEARCH"
_TOOL_SEARCH = "settings/tool-search"
_BASE_URL = "ANTHROPIC_BASE_URL"
_OFF = frozenset({"0", "false", "no", "off"})
_FIRST_PARTY = "anthropic.com"

_Row = Mapping[str, str | int]


class SettingFacts(msgspec.Struct, array_like=True, gc=False):
    """What settings did to sessions: caching switched off by variable, the other lifetimes of main loops and agents.

    `searches` is how many sessions carried MCP tools for want of tool search, `definitions` what these cost.
    """

    off: dict[str, Off]
    lifetimes: dict[str, Lifetimes]
    searches: int
    definitions: Money


class SettingsDoctor(Advisor[SettingFacts]):
    """What is wrong in the settings files, with dollars where the user's calls show them."""

    __slots__ = ()
    name: ClassVar[str] = "settings"
    facts: ClassVar[type] = SettingFacts

    def look(self, history: History, around: Surroundings) -> Seen | None:
        """What the settings that cost money cost in these sessions."""
        files = list(settings_files(history, around))
        off, off_claims = seen_off(self.name, files, around)
        found, lifetime_claims = seen_lifetimes(self.name, history, around)
        carried, definitions = _definitions(files, history, around)
        claims = {**off_claims, **lifetime_claims, _TOOL_SEARCH: definitions.all()}
        return Seen(SettingFacts(off, found, len(carried), definitions.total), claims)

    def sum_up(self, facts: Sequence[SettingFacts], around: Surroundings) -> Iterable[Finding]:
        """Nothing without settings files, but for the cache's lifetime, whose default can lose too."""
        files = list(settings_files(History(), around))
        yield from _plain("invented", Urgency.FIX_NOW, _INVENTED, list(_invented(files)))
        yield from _plain("models", Urgency.FIX_NOW, _MODELS, list(_models(files, around.now)))
        yield from _plain("obsolete", Urgency.FYI, _OBSOLETE, list(_obsolete(files)))
        yield from _tool_search(files, facts)
        yield from caching_off(self.name, files, [each.off for each in facts])
        yield from lifetimes(self.name, files, [each.lifetimes for each in facts])


_INVENTED = (
    "settings that do not exist: {names}",
    "Claude Code ignores keys it does not know: what they were to save was not saved. They are copied from posts.",
)
_MODELS = (
    "settings name models that are gone or will be: {names}",
    "A request for a retired model is an error, or is served by another model at its price.",
)
_OBSOLETE = ("settings without the effect they had: {names}", "They are read no more, or only by older models.")


def _plain(kind: str, urgency: Urgency, text: tuple[str, str], rows: Sequence[_Row]) -> Iterator[Finding]:
    """A finding without dollars over the rows, if there are any."""
    if not rows:
        return
    title, why = text
    names = ", ".join(dict.fromkeys(str(row["setting"]) for row in rows))
    yield Finding(
        id=f"{SettingsDoctor.name}/{kind}",
        urgency=urgency,
        title=title.format(names=names),
        amount=0,
        confidence=Confidence.HIGH,
        evidence=Evidence.BILLED,
        why=why,
        fix="\n".join(f"{row['file']}: {row['setting']} → {row['instead']}" for row in rows),
        rows=tuple(rows),
    )


def _invented(files: Iterable[SettingsFile]) -> Iterator[_Row]:
    names = {_plainly(each["key"]): each["instead"] for each in rules("settings_doctor")["invented"]}
    for file in files:
        for key in (*file.keys, *file.env):
            if _plainly(key) in names:
                yield {"file": file.path, "setting": key, "instead": names[_plainly(key)]}


def _plainly(key: str) -> str:
    return key.replace("_", "").replace("-", "").casefold()


def _obsolete(files: Iterable[SettingsFile]) -> Iterator[_Row]:
    for file in files:
        for each in rules("settings_doctor")["obsolete"]:
            if file.env.get(each["name"]) not in {None, each.get("unless")}:
                yield {"file": file.path, "setting": each["name"], "instead": each["instead"]}


def _models(files: Iterable[SettingsFile], now: int) -> Iterator[_Row]:
    for file in files:
        for setting, model in _named(file):
            problem = _problem(model, now)
            if problem:
                instead = f"{problem}; an alias (opus, sonnet, haiku) follows the current one"
                yield {"file": file.path, "setting": f"{setting}={model}", "instead": instead}


def _named(file: SettingsFile) -> Iterator[tuple[str, str]]:
    names = rules("settings_doctor")["models"]
    for key in names["keys"]:
        value = file.keys.get(key)
        for model in value if isinstance(value, list) else [value]:
            if isinstance(model, str):
                yield key, model
    yield from ((name, file.env[name]) for name in names["env"] if name in file.env)


def _problem(model: str, now: int) -> str:
    """What is wrong with a model's full name; nothing for aliases and other providers' names."""
    if "claude-" not in model:
        return ""
    listed, today = known(model), day(now)
    if listed is None:
        return "no model of that name is listed"
    if listed.retired_on is None:
        return ""
    left = (listed.retired_on - today).days
    if left <= 0:
        return f"retired on {listed.retired_on}"
    return f"retires on {listed.retired_on}" if left <= rules("settings_doctor")["models"]["warn_days"] else ""


def _definitions(files: Iterable[SettingsFile], history: History, around: Surroundings) -> tuple[list[str], Claimed]:
    """The sessions that carried the definitions of MCP tools because tool search is off, and what these cost."""
    sessions = {line.session for file in files if _searches_not(file) for line in file.timelines}
    claimed = Claimed(around.bills)
    if not sessions:
        return [], claimed
    tools = CarriedTools(history, around)
    mcp = {name for known in tools.sizes.values() for name in known if server_of(name)}
    return tools.claim(mcp, claimed, sessions), claimed


def _tool_search(files: Iterable[SettingsFile], facts: Sequence[SettingFacts]) -> Iterator[Finding]:
    """MCP definitions in every prompt because tool search is off, by itself or behind a base URL."""
    without = [file for file in files if _searches_not(file)]
    if not without:
        return
    yield Finding(
        id=_TOOL_SEARCH,
        urgency=Urgency.FIX_NOW,
        title="Tool search is off: the definitions of all MCP tools are in every prompt",
        amount=sum(each.definitions for each in facts),
        confidence=Confidence.MEDIUM,
        evidence=Evidence.ESTIMATED,
        why=(
            "Behind a base URL that is not Anthropic's, Claude Code turns tool search off. The dollars are the MCP"
            f" tools' sizes at what the replies of the {sum(each.searches for each in facts)} sessions whose prompt is"
            " known were billed."
        ),
        fix=f'In settings.json: "env": {{"{TOOL_SEARCH}": "true"}}; the gateway must pass tool_reference blocks on.',
        claimed=(_TOOL_SEARCH,),
        rows=tuple(
            {
                "file": file.path,
                "base_url": _host(file.env.get(_BASE_URL, "")),
                "tool_search": file.env.get(TOOL_SEARCH, "(not set)"),
            }
            for file in without
        ),
    )


def _searches_not(file: SettingsFile) -> bool:
    said = file.env.get(TOOL_SEARCH, "").strip().lower()
    host = _host(file.env.get(_BASE_URL, ""))
    elsewhere = bool(host) and host != _FIRST_PARTY and not host.endswith(f".{_FIRST_PARTY}")
    return said in _OFF or (elsewhere and not said)


def _host(url: str) -> str:
    """The host of a URL: what else is in it may be a secret."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return "(no URL)"
