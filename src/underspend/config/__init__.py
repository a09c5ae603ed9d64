"""Settings: TOML, environment and flags → objects, each value knowing where it came from."""

from underspend.config.load import load
from underspend.config.schema import Settings

__all__ = ["Settings", "load"]
