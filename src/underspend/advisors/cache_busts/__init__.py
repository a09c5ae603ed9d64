"""The cache-bust ledger: what was written to the cache again, why, and what that cost."""

from underspend.advisors.cache_busts.advisor import CacheBusts

__all__ = ["CacheBusts"]
