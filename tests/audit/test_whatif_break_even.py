from audit.calls_in_a_row import MINUTE, START, line, mark, reply, typed
from audit.histories import history
from audit.replay.policies import reads
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif_break_even import break_even
from underspend.core.evidence import Evidence

LEVELS = (20_000, 40_000, 80_000)


def compacted():
    return [
        *reads(20_000, 20_000, 1000, 1000),
        mark("compaction", START + 9 * MINUTE),
        typed(START + 9 * MINUTE),
        reply("z", START + 10 * MINUTE, (0, 2000, 0, 10_000, 9)),
    ]


def test_a_compaction_is_paid_for_by_the_calls_after_it():
    found = break_even(traffic(history(line(*compacted()))), LEVELS)
    rows = {row["context"]: row for row in found.rows}
    assert list(rows) == [20_000, 40_000]
    # 2,000 tokens of summary at 20 + 5 dollars a million, and 40,000 read at 0.2: 0.058 dollars; 0.0056 a call.
    assert rows[40_000]["/compact pays after"] == "11 calls"
    assert rows[40_000]["a call then costs more"] == "$0.00560"
    assert rows[40_000]["yours that went on so long"] == "0 of 1"
    assert rows[40_000]["/clear pays after"] == "at once"
    assert found.evidence is Evidence.ESTIMATED


def test_without_a_compaction_only_clear_has_a_figure():
    found = break_even(traffic(history(line(*reads(30_000, 100, 100)))), LEVELS)
    assert [row["/compact pays after"] for row in found.rows] == ["—", "—"]
    assert found.rows[0]["yours that went on so long"] == "1 of 1"


def test_nothing_to_go_by():
    assert break_even(traffic(history()), LEVELS) is None
    assert break_even(traffic(history(line(*reads(30_000, model="claude-unheard-of")))), LEVELS) is None
    assert break_even(traffic(history(line(*reads(30_000), agent="a"))), LEVELS) is None
