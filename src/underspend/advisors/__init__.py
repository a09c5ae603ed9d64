"""The shelf of advisors: findings without a live action. Each is one file that looks at sessions and sums up.

To add one, write `advisors/<name>.py`, put its class here, and give it a test and a page in `docs/findings/`.
"""

from typing import Any

from underspend.advisors.cache_busts import CacheBusts
from underspend.advisors.carried_results import CarriedResults
from underspend.advisors.claude_md import ClaudeMd
from underspend.advisors.context_growth import ContextGrowth
from underspend.advisors.dear_models import DearModels
from underspend.advisors.deletion import Deletion
from underspend.advisors.error_loops import ErrorLoops
from underspend.advisors.redundant_reads import RedundantReads
from underspend.advisors.settings_doctor import SettingsDoctor
from underspend.advisors.sub_agents import SubAgents
from underspend.advisors.unused_tools import UnusedTools
from underspend.core.advisor import Advisor

BUILTIN: tuple[type[Advisor[Any]], ...] = (
    SettingsDoctor,
    DearModels,
    SubAgents,
    UnusedTools,
    ClaudeMd,
    Deletion,
    ErrorLoops,
    RedundantReads,
    ContextGrowth,
    CarriedResults,
    CacheBusts,
)
"""All of them. The order means nothing to what is found."""
