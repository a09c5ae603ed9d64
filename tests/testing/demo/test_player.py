import threading
from itertools import islice, pairwise

import pytest

from underspend.testing.demo import Cue, Player, PlayError, ReplayClock, sessions
from underspend.testing.demo.player import again, due
from underspend.testing.demo.recording import Call
from underspend.testing.fake_upstream import Delivery, run_in_thread

BUNDLED = sessions()
SMALL = BUNDLED[-1]
NOW = 1_790_000_000_000_000
DAY = 86_400_000_000


def test_sessions_end_their_days_before_now_and_keep_their_pauses():
    calls = due(BUNDLED[:-1], NOW)
    assert len(calls) == sum(session.calls for session in BUNDLED[:-1])
    assert [each.at for each in calls] == sorted(each.at for each in calls)
    assert calls[-1].at == NOW
    first = [each for each in calls if each.conversation.session is BUNDLED[0]]
    assert NOW - first[-1].at == round(BUNDLED[0].days_ago * DAY)
    pauses = [(b.at - a.at) // 1000 for a, b in pairwise(first)]
    recorded = [b.call.at - a.call.at for a, b in pairwise(first)]
    assert pauses == recorded


def test_calls_of_the_present_begin_anew_as_another_session():
    calls = list(islice(again([SMALL]), SMALL.calls * 2))
    names = [conversation.session_id for _, conversation in calls]
    assert len(set(names)) == 2
    assert names[0] != SMALL.id
    assert [call for call, _ in calls[: SMALL.calls]] == [call for call, _ in calls[SMALL.calls :]]


@pytest.mark.parametrize(("recorded", "billed"), [(1, 3), (50, 50)])
def test_a_reply_is_billed_as_recorded_or_by_its_text_where_that_is_more(recorded, billed):
    cue = Cue()
    reply = [{"type": "text", "text": "Hello world."}]
    cue.give(Call(at=0, model="m", prompt=1, add=[], reply=reply, output=recorded), Delivery())
    assert cue(None).output_tokens == billed


@pytest.fixture
def provider():
    cue, clock = Cue(), ReplayClock()
    with run_in_thread(cue, clock=clock, prefix=f"/p/{SMALL.project}") as up:
        up.cue = cue
        yield up


def test_the_past_is_played_in_the_past_and_well_formed(provider):
    player = Player(cue=provider.cue, clock=provider.clock)
    before = provider.clock.now()
    told = []
    player.past(provider.url.removesuffix(f"/p/{SMALL.project}"), [SMALL], told.append)
    assert [row.status for row in provider.requests] == [200] * SMALL.calls
    assert (told[-1].played, told[-1].of) == (SMALL.calls, SMALL.calls)
    starts = [row.started for row in provider.requests]
    assert starts == sorted(starts)
    assert abs(starts[-1] - starts[0] - SMALL.length * 1000) < 5_000_000
    assert provider.clock.now() >= before
    assert all(row.usage["cache_read_input_tokens"] for row in provider.requests[1:])


def test_live_calls_go_on_until_stopped(provider):
    player = Player(cue=provider.cue, clock=provider.clock, live_pause=0.01)
    url = provider.url.removesuffix(f"/p/{SMALL.project}")
    thread = threading.Thread(target=player.live, args=(url, [SMALL]))
    thread.start()
    assert not player.stopped_within(1.5)
    player.stop()
    assert player.stopped_within(0)
    thread.join(10)
    assert not thread.is_alive()
    assert provider.requests


def test_a_stopped_player_begins_no_call(provider):
    player = Player(cue=provider.cue, clock=provider.clock)
    player.stop()
    player.past(provider.url, [SMALL], print)
    player.live(provider.url, [SMALL])
    assert not provider.requests


def test_a_call_that_is_refused_is_an_error(provider):
    player = Player(cue=provider.cue, clock=provider.clock)
    with pytest.raises(PlayError, match="answered 404"):
        player.past(provider.url.removesuffix(f"/p/{SMALL.project}"), BUNDLED[:1], print)


def test_a_gateway_that_is_gone_is_an_error():
    player = Player(cue=Cue(), clock=ReplayClock())
    with pytest.raises(PlayError, match="broke off"):
        player.past("http://127.0.0.1:9", [SMALL], print)
