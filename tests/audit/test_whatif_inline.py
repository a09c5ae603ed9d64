from audit.histories import MINUTE, START, history, line, reply, result, tool, typed
from underspend.audit.replay.traffic import traffic
from underspend.audit.whatif import Replays
from underspend.audit.whatif_inline import inline_findings

WRITE, READ, OUT = 5_000_000, 200_000, 20_000_000
OPUS = "claude-opus-5-5"


def main_loop(*, held=5_000, later=2):
    """A loop that asks for an agent in its first call, and goes on for a few calls."""
    events = [typed(), reply("m0", START, (0, held, 0, 0, 100), model=OPUS, tools=(tool("Agent", use="u1"),))]
    for number in range(1, later + 1):
        at = START + (10 + number) * MINUTE
        events += [
            result(at - 1, "u1" if number == 1 else f"t{number - 1}"),
            reply(
                f"m{number}",
                at,
                (0, 200, 0, held + 200 * number, 50),
                model=OPUS,
                tools=(tool("Bash", use=f"t{number}"),),
            ),
        ]
    return line(*events)


def agent(first=20_000, new=300):
    """An agent of two calls: its own prefix, then a result that it took in."""
    return line(
        typed(START + MINUTE),
        reply("a0", START + MINUTE, (0, first, 0, 0, 40), model=OPUS, tools=(tool("Read", use="r1"),)),
        result(START + 2 * MINUTE, "r1"),
        reply("a1", START + 2 * MINUTE, (0, new, 0, first, 60), model=OPUS),
        agent="ag1",
        agent_type="Explore",
        parent_use="u1",
    )


def found(*lines):
    return list(inline_findings(Replays(traffic(history(*lines)))))


def test_an_agent_whose_own_prefix_is_most_of_its_cost():
    (each,) = found(main_loop(), agent())
    paid = 20_000 * WRITE + 40 * OUT + 300 * WRITE + 20_000 * READ + 60 * OUT
    held = 5_100
    inline = held * READ + 40 * OUT + held * READ + 300 * WRITE + 60 * OUT + 2 * 300 * READ
    assert each.amount == paid - inline
    assert each.rows[0]["agent"] == "Explore"
    assert "(Explore)" in each.title


def test_one_that_reads_much_is_better_kept_apart():
    assert found(main_loop(held=200_000, later=40), agent(first=5_000, new=30_000)) == []


def test_what_is_compacted_is_read_no_longer():
    events = main_loop(later=3).events
    events[-1] = reply("m3", START + 13 * MINUTE, (0, 900, 0, 0, 50), model=OPUS)
    (short,), (long,) = found(line(*events), agent()), found(main_loop(later=3), agent())
    assert short.amount - long.amount == 300 * READ


def test_an_agent_whose_caller_is_not_known_is_left_out():
    assert found(agent()) == []
    assert found(main_loop()) == []
