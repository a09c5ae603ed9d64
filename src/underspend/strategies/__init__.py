"""The shelf of strategies. This list is the pipeline: calls pass the strategies in its order.

First what changes the model and its settings, then what a prompt holds, then where its breakpoints stand. Of contents
whole messages go last: indices of blocks are those of the call as it then is.

To add one, write `strategies/<name>.py`, put its class here, and give it a test and a page in `docs/strategies/`.
"""

from underspend.core.strategy import Strategy
from underspend.strategies.auto_model import AutoModel
from underspend.strategies.cache_breakpoints import CacheBreakpoints
from underspend.strategies.cache_ttl import CacheTtl
from underspend.strategies.cap_output import CapOutput
from underspend.strategies.cold_prune import ColdPrune
from underspend.strategies.dedupe_reads import DedupeReads
from underspend.strategies.drop_stale_results import DropStaleResults
from underspend.strategies.model_choice import ModelChoice
from underspend.strategies.model_rules import ModelRules
from underspend.strategies.stay_below_tier import StayBelowTier
from underspend.strategies.thinking_effort import ThinkingEffort
from underspend.strategies.trim_history import TrimHistory
from underspend.strategies.trim_results import TrimResults

BUILTIN: tuple[type[Strategy], ...] = (
    ModelRules,
    ModelChoice,
    AutoModel,
    ThinkingEffort,
    CapOutput,
    DedupeReads,
    TrimResults,
    DropStaleResults,
    ColdPrune,
    StayBelowTier,
    TrimHistory,
    CacheBreakpoints,
    CacheTtl,
)
