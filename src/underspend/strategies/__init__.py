"""The shelf of strategies. This list is the pipeline: calls pass the strategies in its order.

To add one, write `strategies/<name>.py`, put its class here, and give it a test and a page in `docs/strategies/`.
"""

from underspend.core.strategy import Strategy
from underspend.strategies.budget import Budget
from underspend.strategies.cache_breakpoints import CacheBreakpoints
from underspend.strategies.cache_ttl import CacheTtl
from underspend.strategies.cold_prune import ColdPrune
from underspend.strategies.dedupe_reads import DedupeReads
from underspend.strategies.drop_stale_results import DropStaleResults
from underspend.strategies.model_rules import ModelRules
from underspend.strategies.trim_results import TrimResults

BUILTIN: tuple[type[Strategy], ...] = (
    ModelRules,
    DedupeReads,
    TrimResults,
    DropStaleResults,
    ColdPrune,
    CacheBreakpoints,
    CacheTtl,
    Budget,
)
