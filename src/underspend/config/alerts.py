"""[alerts], [[alerts.to]], [rate_limits.<name>] and [runaway] → whom to tell, how often, and what is watched."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from underspend.core.alerts import MINUTE, Alert, Kind, Quiet, Severity
from underspend.core.errors import ConfigError
from underspend.core.loops import LoopRules
from underspend.core.money import Money, from_usd
from underspend.core.rate_limits import AtLimit, Measure, Per, Rate, RateLimit
from underspend.core.runaway import FanOutRules, RunawayRules
from underspend.core.spend_trends import TrendRules
from underspend.core.velocity import Pace
from underspend.providers.keys import KINDS, check_reference

TABLES = ("alerts", "rate_limits", "runaway")
"""The tables of config.toml that this file reads."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_MAIL = re.compile(r"[^@\s,<>\"]+@[^@\s,<>\"]+")
_LENGTH = re.compile(r"([1-9][0-9]{0,6}) ?(s|m|h|d)")
_UNITS = {"s": 1_000_000, "m": MINUTE, "h": 60 * MINUTE, "d": 1440 * MINUTE}
_HERE = frozenset({"localhost"})
_Made = TypeVar("_Made")


class _To(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """One place that alerts go to."""

    name: Annotated[str, Meta(description="What you call it; `underspend alerts test NAME` tries it.")]
    least: Annotated[Severity, Meta(description="The mildest that is sent: info, warning or critical.")] = Severity.INFO
    about: Annotated[tuple[Kind, ...], Meta(description="The kinds that are sent; empty is all of them.")] = ()

    def wants(self, alert: Alert) -> bool:
        """Whether an alert goes there."""
        return alert.severity.rank >= self.least.rank and (not self.about or alert.kind in self.about)


class WebhookTo(_To, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="webhook"):
    """A server of yours that gets signed JSON."""

    kind: ClassVar[str] = "webhook"
    url: Annotated[str, Meta(description="https:// (http:// on this machine only), or a reference to where it is.")]
    secret: Annotated[str, Meta(description="Reference to the secret that the signature is made with.")]


class SlackTo(_To, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="slack"):
    """An incoming webhook of Slack, or of what speaks its format. Its address is a secret by itself."""

    kind: ClassVar[str] = "slack"
    url: Annotated[str, Meta(description="Reference to where the address is.")]


class DesktopTo(_To, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="desktop"):
    """Notifications on this machine's desktop."""

    kind: ClassVar[str] = "desktop"


class EmailTo(_To, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="email"):
    """E-mail, given to a server by SMTP."""

    kind: ClassVar[str] = "email"
    host: Annotated[str, Meta(min_length=1, description="The SMTP server.")]
    sender: Annotated[str, Meta(description="The address it comes from.")]
    to: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50, description="The addresses it goes to.")]
    port: Annotated[int, Meta(ge=1, le=65535, description="Its port.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="How the connection is secured; none is allowed on this machine only."),
    ] = "starttls"
    user: Annotated[str, Meta(description="The name to log in with; empty logs in with none.")] = ""
    password: Annotated[str, Meta(description="Reference to the password.")] = ""


To: TypeAlias = WebhookTo | SlackTo | DesktopTo | EmailTo


class AlertsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[alerts]."""

    to: Annotated[tuple[To, ...], Meta(description="Where alerts go, each a table [[alerts.to]].")] = ()
    quiet_minutes: Annotated[int, Meta(ge=0, description="For so long the same is not told again.")] = 60
    most_per_hour: Annotated[int, Meta(ge=1, description="So many are told an hour; critical ones always are.")] = 30
    rise_percent: Annotated[int, Meta(ge=1, description="A week so far above the one before it is told.")] = 30
    rise_usd: Annotated[str | int, Meta(description="And only when it is so many dollars above.")] = "5"
    month_usd: Annotated[str | int, Meta(description="Told when the month will pass this; empty is no limit.")] = ""


class RateLimitTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[rate_limits.<name>]."""

    most: Annotated[int, Meta(ge=1, description="So many in the time of `within`.")]
    within: Annotated[str, Meta(description='A length of time: "30s", "1m", "1h", "1d".')] = "1m"
    at_once: Annotated[int, Meta(ge=0, description="So many may come at once; 0 is as many as `most`.")] = 0
    of: Annotated[Per, Meta(description="Whose: each session, key or project by itself, or all together.")] = (
        Per.SESSION
    )
    measure: Annotated[Measure, Meta(description="What is counted: calls, or tokens of their prompts.")] = Measure.CALLS
    action: Annotated[AtLimit, Meta(description="Tell the client to wait, or only say it.")] = AtLimit.WAIT


Watch: TypeAlias = Literal["off", "warn", "pause"]


class RunawayTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[runaway]."""

    loops: Annotated[Watch, Meta(description="What is done about loops.")] = "warn"
    fan_out: Annotated[Watch, Meta(description="What is done about many sub-agents at once.")] = "warn"
    velocity: Annotated[Watch, Meta(description="What is done about spending faster than ever.")] = "warn"
    tries: Annotated[int, Meta(ge=2, description="From so many times on it is a loop; twice as many pause.")] = 4
    agents: Annotated[
        int, Meta(ge=1, description="So many sub-agents at once are told; three times as many pause.")
    ] = 20
    velocity_usd: Annotated[str | int, Meta(description="Ten minutes that cost less are never too fast.")] = "5"
    pause_minutes: Annotated[int, Meta(ge=1, description="A pause ends after this, if not before.")] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """All of it, as the rest of the program takes it.

    `watches` is whether calls are watched for what runs away: where [runaway] stands, or a place to tell it to.
    """

    to: tuple[To, ...] = ()
    quiet: Quiet = field(default_factory=Quiet)
    trends: TrendRules = field(default_factory=TrendRules)
    limits: tuple[RateLimit, ...] = ()
    runaway: RunawayRules = field(default_factory=RunawayRules)
    watches: bool = False


def alerts_from(document: Mapping[str, Any], where: str) -> AlertSettings:
    """The settings of a parsed config.toml; tables that are not there have their defaults. `where` is the file.

    Raises ConfigError, which names the table, for what cannot be meant, and for a secret in plain text.
    """
    alerts = _read(document.get("alerts", {}), AlertsTable, f"{where} [alerts]")
    _check_places(alerts.to, where)
    limits = document.get("rate_limits", {})
    if not isinstance(limits, dict):
        raise ConfigError(where=where, problem="rate limits are tables", mend="Write [rate_limits.<name>].")
    runaway_at = f"{where} [runaway]"
    runaway = _read(document.get("runaway", {}), RunawayTable, runaway_at)
    return AlertSettings(
        to=alerts.to,
        quiet=Quiet(period=alerts.quiet_minutes * MINUTE, most_per_hour=alerts.most_per_hour),
        trends=TrendRules(
            rise_percent=alerts.rise_percent,
            rise_at_least=_dollars(alerts.rise_usd, f"{where} [alerts] rise_usd"),
            month_limit=_dollars(alerts.month_usd, f"{where} [alerts] month_usd") if alerts.month_usd != "" else None,
        ),
        limits=tuple(_limit(name, table, f"{where} [rate_limits.{name}]") for name, table in limits.items()),
        runaway=_runaway(runaway, runaway_at),
        watches="runaway" in document or bool(alerts.to),
    )


def read_alerts(file: Path) -> AlertSettings:
    """The settings of a config.toml; the defaults where there is none. Raises ConfigError."""
    try:
        return alerts_from(tomllib.loads(file.read_text(encoding="utf-8")), str(file))
    except FileNotFoundError:
        return AlertSettings()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(where=file, problem=f"it cannot be read ({error})", mend="Mend the file.") from error


def is_loopback(host: str) -> bool:
    """Whether a host's name or address can only be this machine."""
    if host.lower() in _HERE:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(url: str, where: str) -> None:
    """Raises ConfigError for what is no https address (or http on this machine). The address is not in the error."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise ConfigError(where=where, problem="this is no address", mend="Write https://host/path.")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(where=where, problem="an address may not hold a name or password", mend="Leave it out.")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(where=where, problem=f"{host} is another machine", mend="Use https:// for it.")


def _read(table: object, kind: type[_Made], where: str) -> _Made:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(where=where, problem=str(error), mend="See docs/alerts.md.") from error


def _check_places(places: tuple[To, ...], file: str) -> None:
    names: set[str] = set()
    for place in places:
        where = f"{file} [[alerts.to]] {place.name}"
        if not _NAME.fullmatch(place.name):
            mend = "Use letters, digits, '.', '_' and '-', up to 32."
            raise ConfigError(where=f"{file} [[alerts.to]]", problem=f"{place.name!r} is no name", mend=mend)
        if place.name in names:
            raise ConfigError(where=where, problem="two places have this name", mend="Rename one of them.")
        names.add(place.name)
        match place:
            case WebhookTo():
                check_reference(place.secret, f"{where} secret")
                if not place.url.startswith(KINDS):
                    check_url(place.url, f"{where} url")
            case SlackTo():
                check_reference(place.url, f"{where} url")
            case EmailTo():
                _check_mail(place, where)
            case DesktopTo():
                pass


def _check_mail(place: EmailTo, where: str) -> None:
    for address in (place.sender, *place.to):
        if not _MAIL.fullmatch(address) or not address.isascii() or not address.isprintable():
            raise ConfigError(where=where, problem=f"{address!r} is no address", mend="Write name@host.")
    if bool(place.user) != bool(place.password):
        raise ConfigError(where=where, problem="user and password belong together", mend="Give both, or neither.")
    if place.password:
        check_reference(place.password, f"{where} password")
    if place.security == "none" and not is_loopback(place.host):
        mend = 'Use security = "starttls" or "tls".'
        raise ConfigError(where=where, problem=f"{place.host} is another machine", mend=mend)


def _limit(name: str, table: object, where: str) -> RateLimit:
    if not _NAME.fullmatch(name):
        raise ConfigError(where=where, problem=f"{name!r} is no name", mend="Use letters, digits, '.', '_' and '-'.")
    said = _read(table, RateLimitTable, where)
    length = _LENGTH.fullmatch(said.within)
    if length is None:
        mend = 'Write a number and s, m, h or d: "1m".'
        raise ConfigError(where=where, problem=f"{said.within!r} is no length of time", mend=mend)
    rate = Rate(most=said.most, per=int(length[1]) * _UNITS[length[2]], burst=said.at_once or said.most)
    return RateLimit(name=name, rate=rate, of=said.of, measure=said.measure, at_limit=said.action)


def _runaway(said: RunawayTable, where: str) -> RunawayRules:
    watched = {Kind.LOOP: said.loops, Kind.FAN_OUT: said.fan_out, Kind.VELOCITY: said.velocity}
    tries, pause = said.tries, 2 * said.tries
    loops = LoopRules(same_warn=tries, same_pause=pause, failing_warn=tries, failing_pause=pause)
    return RunawayRules(
        loops=loops if said.loops != "off" else None,
        fan_out=FanOutRules(warn=said.agents, pause=3 * said.agents) if said.fan_out != "off" else None,
        pace=Pace(floor=_dollars(said.velocity_usd, f"{where} velocity_usd")) if said.velocity != "off" else None,
        may_pause=frozenset(kind for kind, watch in watched.items() if watch == "pause"),
        pause_for=said.pause_minutes * MINUTE,
    )


def _dollars(text: str | int, where: str) -> Money:
    try:
        amount = from_usd(text)
    except ValueError as error:
        raise ConfigError(where=where, problem=str(error), mend='Write dollars as text: "5.00".') from error
    if amount < 0:
        raise ConfigError(where=where, problem=f"{text} is below zero", mend='Write dollars as text: "5.00".')
    return amount
