"""The demo's time: it can stand in the past, and it always runs."""

from __future__ import annotations

from underspend.testing.fake_upstream import FakeClock


class ReplayClock(FakeClock):
    """The machine's time until it is moved; one clock for the gateway and for the provider behind it."""

    def rewind(self, to: int) -> None:
        """Go to an earlier time, in microseconds since the epoch, and run on from there."""
        self._offset += to - self.now()

    def reach(self, to: int) -> None:
        """Go forward to a time; nothing where it is over already."""
        self._offset += max(0, to - self.now())

    def release(self) -> None:
        """Show the machine's time again."""
        self._offset = 0
