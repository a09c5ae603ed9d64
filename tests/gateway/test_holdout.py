import pytest

from underspend.gateway.holdout import NOBODY, Holdout

SESSIONS = [f"session-{n}" for n in range(4_000)]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_about_the_share_is_held_out(share):
    held = [session for session in SESSIONS if Holdout(share).holds(session)]
    assert len(held) == pytest.approx(len(SESSIONS) * share, rel=0.25)


def test_a_session_is_always_on_the_same_side_and_stays_when_the_share_grows():
    small = {session for session in SESSIONS if Holdout(0.1).holds(session)}
    assert small == {session for session in SESSIONS if Holdout(0.1).holds(session)}
    assert small < {session for session in SESSIONS if Holdout(0.2).holds(session)}


def test_nobody_and_everybody():
    assert not any(map(NOBODY.holds, SESSIONS))
    assert all(map(Holdout(1).holds, SESSIONS))
    assert not Holdout(1).holds(None)
