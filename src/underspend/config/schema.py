"""Every setting there is, with its default and what it does. `docs/settings.md` is checked against this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from underspend.config.cache import FaqAnswers, ResponseCache
from underspend.config.paths import Paths

if TYPE_CHECKING:
    from underspend.config.alerts import AlertSettings
    from underspend.core.budgets import Budget
    from underspend.core.engine import Step
    from underspend.providers.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Where the gateway listens and whom it lets in."""

    host: Annotated[str, Meta(description="Address to listen on; any but loopback demands access_key.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 4100
    access_key: Annotated[
        str, Meta(description="Secret clients send as x-underspend-key; needed when not on loopback.")
    ] = ""
    allowed_hosts: Annotated[list[str], Meta(description="Host names, besides loopback's, that requests may name.")] = (
        field(default_factory=list)
    )
    body_limit_mb: Annotated[int, Meta(ge=1, description="Largest message request that is read; larger is a 413.")] = 32
    drain_seconds: Annotated[
        int, Meta(ge=0, description="How long calls in flight may finish after a stop is asked for.")
    ] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """The provider behind the gateway."""

    anthropic: Annotated[str, Meta(description="Base URL that Anthropic-style requests are forwarded to.")] = (
        "https://api.anthropic.com"
    )
    connect_seconds: Annotated[float, Meta(gt=0, description="Longest wait for a connection.")] = 30.0
    idle_seconds: Annotated[
        float, Meta(ge=0, description="Longest silence of an upstream; 0 is none. Slow models think for minutes.")
    ] = 900.0
    openai: Annotated[
        Literal["translate", "forward"],
        Meta(
            description="What becomes of OpenAI-style calls that no provider is configured for: those for Claude are "
            "translated, or (forward) all go to the Anthropic upstream as they are, for one that speaks both."
        ),
    ] = "translate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuits:
    """When a provider that fails is left alone for a while. It matters only where [fallbacks] name another."""

    failures: Annotated[int, Meta(ge=1, description="So many failures in a row open the circuit.")] = 3
    open_seconds: Annotated[
        float, Meta(gt=0, description="How long it stays open before one call may try again; retry-after may say more.")
    ] = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The durable record of every call."""

    url: Annotated[str, Meta(description="SQLAlchemy URL; empty is the SQLite file in the data folder.")] = ""
    durability: Annotated[
        Literal["process", "power"],
        Meta(description='What a record survives: the end of the process, or ("power") of the machine too.'),
    ] = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Calls made with the login of a subscription (OAuth)."""

    act: Annotated[
        bool, Meta(description="Let strategies change or refuse such calls. Off: they are observed, never touched.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How savings are shown to be real."""

    holdout: Annotated[
        float, Meta(ge=0, le=1, description="Share of sessions that strategies leave alone, to compare the rest with.")
    ] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """What is kept of prompts and replies."""

    store_content: Annotated[
        bool, Meta(description="Keep the text of requests and replies in the ledger. Off: none of it is stored.")
    ] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How figures are shown."""

    timezone: Annotated[str, Meta(description="IANA time zone of days and months; empty is the machine's.")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """What the router does to learn. How it decides is set in [strategies.auto_model]."""

    explore: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of sessions (of calls without one) that get a model by chance, where auto_model may "
            "act: certificates are made of how those went.",
        ),
    ] = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStore:
    """Where budgets are counted, and what a client gets at a cap. The budgets are [budgets.<name>] tables."""

    url: Annotated[
        str,
        Meta(
            description="Where: empty is a SQLite file in the data folder, sqlite:///PATH one that gateways share, "
            "memory:, or redis:// by its URL."
        ),
    ] = ""
    prefix: Annotated[str, Meta(min_length=1, description="Tells installations that share one Redis apart.")] = (
        "underspend:holds"
    )
    hold_seconds: Annotated[
        int, Meta(ge=3, le=86_400, description="A killed gateway's holds end after so long; live ones are renewed.")
    ] = 180
    on_breach: Annotated[
        Literal["auto", "message", "error"],
        Meta(
            description="What a refused call gets: a final message, an error (402), or (auto) a message for the main "
            "loop of Claude Code and an error for others."
        ),
    ] = "auto"
    reserve: Annotated[
        Literal["worst", "learned"],
        Meta(
            description="What is held: all that a call can cost, or what 99 in 100 calls like it have cost; with that "
            "a budget can be passed."
        ),
    ] = "worst"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The tables of config.toml besides [strategies.*], [prices.*], [providers.*], [fallbacks], budgets and alerts."""

    gateway: Gateway = field(default_factory=Gateway)
    upstream: Upstream = field(default_factory=Upstream)
    circuits: Circuits = field(default_factory=Circuits)
    ledger: Ledger = field(default_factory=Ledger)
    subscription: Subscription = field(default_factory=Subscription)
    proof: Proof = field(default_factory=Proof)
    routing: Routing = field(default_factory=Routing)
    privacy: Privacy = field(default_factory=Privacy)
    report: Report = field(default_factory=Report)
    budget_store: BudgetStore = field(default_factory=BudgetStore)
    cache: ResponseCache = field(default_factory=ResponseCache)
    faq: FaqAnswers = field(default_factory=FaqAnswers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """One setting as it stands: its dotted name, its value, and where that was said."""

    name: str
    value: object
    source: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, resolved. `steps` are the strategies in order with their states.

    `fallbacks` maps a model to those to ask after it, as "provider/model" or a model alone. `alerts` is None where none
    of the tables [alerts], [rate_limits] and [runaway] stands in the file.
    """

    paths: Paths
    gateway: Gateway
    upstream: Upstream
    circuits: Circuits
    ledger: Ledger
    subscription: Subscription
    proof: Proof
    routing: Routing
    privacy: Privacy
    report: Report
    budget_store: BudgetStore
    cache: ResponseCache
    faq: FaqAnswers
    steps: tuple[Step, ...]
    prices: Mapping[str, Mapping[str, Any]]
    providers: tuple[Provider, ...]
    fallbacks: Mapping[str, tuple[str, ...]]
    budgets: tuple[Budget, ...]
    alerts: AlertSettings | None
    origins: tuple[Origin, ...]
