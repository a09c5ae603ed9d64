"""Real Claude Code sessions, and what plays them through a gateway with the fake provider behind it."""

from underspend.testing.demo.clock import ReplayClock
from underspend.testing.demo.player import Cue, Player, PlayError, Progress
from underspend.testing.demo.recording import Session, sessions

__all__ = ["Cue", "PlayError", "Player", "Progress", "ReplayClock", "Session", "sessions"]
