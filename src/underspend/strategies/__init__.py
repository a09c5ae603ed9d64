"""The shelf of strategies. This list is the pipeline: calls pass the strategies in its order.

To add one, write `strategies/<name>.py`, put its class here, and give it a test and a page in `docs/strategies/`.
"""

from underspend.core.strategy import Strategy
from underspend.strategies.budget import Budget
from underspend.strategies.model_rules import ModelRules

BUILTIN: tuple[type[Strategy], ...] = (
    ModelRules,
    Budget,
)
