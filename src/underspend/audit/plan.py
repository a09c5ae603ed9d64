"""Who pays: an API key, or a subscription whose dollars are only what the API would have charged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from underspend.core.call import BillingMode


class Plan(StrEnum):
    """What a user pays with. `plan` is a subscription of unknown size."""

    API = "api"
    PRO = "pro"
    MAX5 = "max5"
    MAX20 = "max20"
    PLAN = "plan"
    UNKNOWN = "unknown"

    @property
    def is_subscription(self) -> bool:
        """Whether dollars are API-equivalent and nobody's invoice."""
        return self not in {Plan.API, Plan.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Paying:
    """What is paid with, and how that is known, in words."""

    plan: Plan
    why: str

    @property
    def label(self) -> str:
        """What to write beside dollars."""
        if self.plan.is_subscription:
            return "API-equivalent: what these tokens cost at API prices, not an invoice"
        if self.plan is Plan.API:
            return "API prices: what the provider bills, before discounts of your own"
        return "API prices; on a subscription they are only an equivalent (say --plan pro, max5 or max20)"

    @property
    def said(self) -> str:
        """The label as a sentence, with how it is known where it is."""
        return f"{self.label}." if self.plan is Plan.UNKNOWN else f"{self.label}. Known from: {self.why}."


_API_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_CLOUD_VARIABLES = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
_SUBSCRIPTIONS = {"pro": Plan.PRO, "max": Plan.PLAN, "team": Plan.PLAN, "enterprise": Plan.PLAN}


class _Login(msgspec.Struct):
    """The two words of a login that say what it is; its tokens are not decoded."""

    kind: str | None = msgspec.field(default=None, name="subscriptionType")
    tier: str | None = msgspec.field(default=None, name="rateLimitTier")


class _Credentials(msgspec.Struct):
    login: _Login | None = msgspec.field(default=None, name="claudeAiOauth")


def detect(
    *,
    told: str | None = None,
    environ: Mapping[str, str],
    settings: Mapping[str, Mapping[str, object]],
    config_folders: Sequence[Path] = (),
    billing: Iterable[str] = (),
) -> Paying:
    """The plan, from the strongest sign to the weakest.

    `told` is the user's word. Then: a cloud or a key named in the environment or in the settings' `env`, an
    `apiKeyHelper`, the kind of the stored login (never its tokens), and how the gateway's ledger saw calls being paid.
    """
    if told:
        return Paying(plan=Plan(told), why="you said so")
    return (
        _from_variables(environ, "the environment")
        or _from_settings(settings)
        or _from_login(config_folders)
        or _from_ledger(billing)
        or Paying(plan=Plan.UNKNOWN, why="nothing on this machine says so")
    )


def _from_variables(variables: Mapping[str, object], where: str) -> Paying | None:
    for name in (*_CLOUD_VARIABLES, *_API_VARIABLES):
        if variables.get(name) not in {None, "", "0", "false"}:
            return Paying(plan=Plan.API, why=f"{name} is set in {where}")
    return None


def _from_settings(settings: Mapping[str, Mapping[str, object]]) -> Paying | None:
    for path, table in settings.items():
        env = table.get("env")
        found = _from_variables(env, path) if isinstance(env, dict) else None
        if found:
            return found
        if table.get("apiKeyHelper"):
            return Paying(plan=Plan.API, why=f"apiKeyHelper is set in {path}")
    return None


def _from_login(folders: Iterable[Path]) -> Paying | None:
    for folder in folders:
        path = folder / ".credentials.json"
        try:
            login = msgspec.json.decode(path.read_bytes(), type=_Credentials).login
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            continue
        if login is not None and login.kind:
            return Paying(plan=_size(login), why=f"Claude Code is logged in with a {login.kind} subscription")
    return None


def _size(login: _Login) -> Plan:
    tier = login.tier or ""
    if tier.endswith("max_20x"):
        return Plan.MAX20
    if tier.endswith("max_5x"):
        return Plan.MAX5
    return _SUBSCRIPTIONS.get((login.kind or "").lower(), Plan.PLAN)


def _from_ledger(billing: Iterable[str]) -> Paying | None:
    seen = set(billing)
    if BillingMode.OAUTH.value in seen:
        return Paying(plan=Plan.PLAN, why="the gateway saw calls with a subscription's login")
    if BillingMode.API_KEY.value in seen:
        return Paying(plan=Plan.API, why="the gateway saw calls with an API key")
    return None
