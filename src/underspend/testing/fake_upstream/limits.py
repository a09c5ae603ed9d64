"""Rate limits per workspace in fixed one-minute windows, and the headers that report them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from underspend.testing.fake_upstream.api_error import ApiError
from underspend.testing.fake_upstream.bill import Counts
from underspend.testing.fake_upstream.clock import SECOND, rfc3339

WINDOW = 60 * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits per minute and workspace. `enforce` answers 429 with retry-after once one is used up."""

    requests: int = 4000
    input_tokens: int = 2_000_000
    output_tokens: int = 400_000
    enforce: bool = False

    @property
    def tokens(self) -> int:
        """The combined token limit, as the API reports it."""
        return self.input_tokens + self.output_tokens


@dataclass(slots=True)
class _Window:
    number: int = -1
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(slots=True)
class RateLimiter:
    """Counts what each workspace used in the current minute. Cache reads do not count as input."""

    limits: Limits = field(default_factory=Limits)
    _windows: dict[str, _Window] = field(default_factory=lambda: defaultdict(_Window))

    def enter(self, workspace: str, *, now: int) -> None:
        """Counts a request. Raises ApiError (429) when limits are enforced and one is used up."""
        window = self._current(workspace, now)
        if self.limits.enforce:
            for name in ("requests", "input_tokens", "output_tokens"):
                if getattr(window, name) >= getattr(self.limits, name):
                    raise ApiError(429, f"This request would exceed the rate limit of {name} per minute")
        window.requests += 1

    def spend(self, workspace: str, counts: Counts, *, now: int) -> None:
        """Counts the tokens of a reply."""
        window = self._current(workspace, now)
        window.input_tokens += counts.prompt - counts.cache_read
        window.output_tokens += counts.output

    def headers(self, workspace: str, *, now: int) -> list[tuple[str, str]]:
        """The `anthropic-ratelimit-*` headers: limit, remaining and reset of each kind."""
        window = self._current(workspace, now)
        reset = rfc3339((now // WINDOW + 1) * WINDOW, whole_seconds=True)
        found = []
        for name in ("requests", "tokens", "input_tokens", "output_tokens"):
            limit = getattr(self.limits, name)
            prefix = f"anthropic-ratelimit-{name.replace('_', '-')}"
            found.append((f"{prefix}-limit", str(limit)))
            found.append((f"{prefix}-remaining", str(max(0, limit - getattr(window, name)))))
            found.append((f"{prefix}-reset", reset))
        return found

    def retry_after(self, *, now: int) -> int:
        """Whole seconds until the window ends, at least one."""
        return max(1, -(-(WINDOW - now % WINDOW) // SECOND))

    def _current(self, workspace: str, now: int) -> _Window:
        window = self._windows[workspace]
        if window.number != now // WINDOW:
            window = self._windows[workspace] = _Window(now // WINDOW)
        return window
