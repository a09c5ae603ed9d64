from hypothesis import given

from advisors.histories_by_hand import DAY, NOV, history, line, look, reply, usage
from advisors.random_histories import histories
from underspend.advisors.deletion import Deletion
from underspend.core.advisor import Urgency
from underspend.core.history import Transcript


def aged(name, days):
    return Transcript(file=name, size=100, modified=NOV - days * DAY)


def test_files_within_a_week_of_their_deletion():
    old, safe = reply("m", usage(out=50_000), file="old.jsonl"), reply("n", usage(out=9), file="new.jsonl")
    files = [aged("new.jsonl", 22), aged("edge.jsonl", 23), aged("old.jsonl", 24), aged("gone.jsonl", 40)]
    found = look(Deletion, history(line(old, safe), files=files))["deletion/due"]
    assert found.urgency is Urgency.FYI
    assert found.amount == 0
    assert found.title == "Claude Code deletes 2 transcripts within 7 days; they hold the record of $1.00"
    assert [(row["file"], row["days_left"], row["usd"]) for row in found.rows] == [
        ("gone.jsonl", 0, "$0.00"),
        ("old.jsonl", 6, "$1.00"),
    ]
    assert '"cleanupPeriodDays": 365' in found.fix


def test_a_longer_retention_and_none():
    past = history(files=[aged("old.jsonl", 24)])
    assert look(Deletion, past, retention_days=365) == {}
    assert look(Deletion, past, retention_days=None) == {}
    assert "1 transcript within" in look(Deletion, past, retention_days=30)["deletion/due"].title


def test_many_files_are_summed_up():
    found = look(Deletion, history(files=[aged(f"{number}.jsonl", 25) for number in range(30)]))["deletion/due"]
    assert len(found.rows) == 21
    assert found.rows[-1]["file"] == "… 10 more"
    assert found.rows[-1]["bytes"] == 1000


@given(histories())
def test_any_history(past):
    look(Deletion, past)
    assert look(Deletion, history()) == {}
