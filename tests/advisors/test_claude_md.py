from hypothesis import given
from hypothesis import strategies as st

from advisors.histories_by_hand import DAY, MINUTE, NOV, history, line, look, reply, usage
from advisors.random_histories import histories
from underspend.advisors.claude_md import ClaudeMd, cuttable_tokens, lint
from underspend.core.advisor import Confidence, Urgency
from underspend.core.call import Role

PATH = "/home/u/p/CLAUDE.md"
TEXT = f"## Stack\n{'x' * 340}\n## Advice\nWrite clean code. {'y' * 331}\n"
"""350 bytes of each section, 100 tokens; the second line of Advice has 350: 100 tokens to cut."""


def session(name="s", **known):
    return line(
        reply(f"{name}1", usage(read=8000, w5m=4000)),
        reply(f"{name}2", usage(read=12_000, w5m=500), at=NOV + MINUTE),
        session=name,
        **known,
    )


def test_the_lines_to_cut_at_what_their_resends_cost():
    found = look(ClaudeMd, history(session()), memory_files={PATH: TEXT})[f"claude-md/{PATH}"]
    assert cuttable_tokens(TEXT, lint(TEXT, PATH)) == 100
    assert found.amount == 100 * (5_000_000 + 200_000)  # written once, read once
    assert found.urgency is Urgency.FIX_NOW
    assert found.confidence is Confidence.MEDIUM
    # One active day is a month of 22: the file is 203 tokens, 100 of them to cut.
    assert found.title == f"{PATH} costs $0.0232 a month, $0.0114 of it for lines to cut (1 remark)"
    rows = {(row["where"], row["rule"]): row for row in found.rows}
    assert rows[f"{PATH}:4", "generic-advice"]["usd_per_month"] == "$0.0114"
    assert rows[f"{PATH}:3", "(whole section)"]["tokens"] == 103
    assert rows[f"{PATH}:1", "missing-section"]["tokens"] == 0


def test_only_sessions_that_carried_it():
    others = (
        session("elsewhere", directory="/home/u/q"),
        session("explore", agent="a", agent_type="Explore"),
        session("title", role=Role.SIDE),
        session("compact", role=Role.COMPACTION),
    )
    alone = look(ClaudeMd, history(session()), memory_files={PATH: TEXT})
    more = look(ClaudeMd, history(session(), *others), memory_files={PATH: TEXT})
    assert more[f"claude-md/{PATH}"].amount == alone[f"claude-md/{PATH}"].amount
    twice = look(ClaudeMd, history(session(), session("agent", agent="a")), memory_files={PATH: TEXT})
    assert twice[f"claude-md/{PATH}"].amount == 2 * alone[f"claude-md/{PATH}"].amount


def test_a_clean_file_still_has_its_price():
    found = look(ClaudeMd, history(session()), memory_files={PATH: "## Stack\nRust\n"})[f"claude-md/{PATH}"]
    assert found.urgency is Urgency.FYI
    assert found.amount == 0
    assert "nothing in it to cut" in found.title
    assert found.fix == ""


def test_a_file_without_sessions():
    found = look(ClaudeMd, history(), memory_files={PATH: TEXT})[f"claude-md/{PATH}"]
    assert found.amount == 0
    assert found.title == f"{PATH}: 1 remark; no session of this history carried it"
    assert look(ClaudeMd, history(), memory_files={PATH: "## Stack\nRust\n", "/e/CLAUDE.md": ""}) == {}


def test_the_users_own_file_holds_for_every_project():
    past = history(session(directory="/somewhere"))
    known = {"memory_files": {"/cfg/CLAUDE.md": TEXT}}
    assert look(ClaudeMd, past, **known)["claude-md//cfg/CLAUDE.md"].amount == 0
    everywhere = look(ClaudeMd, past, settings={"/cfg/settings.json": {}}, **known)
    assert everywhere["claude-md//cfg/CLAUDE.md"].amount > 0


def test_a_file_is_paid_for_by_the_sessions_that_read_it():
    past = history(session(directory="/home/u/p"), session("other", directory="/home/u/q"))
    imported = "/home/u/notes.md"
    known = {"memory_files": {imported: TEXT}, "memory_named_by": {imported: PATH}}
    alone = look(ClaudeMd, past, memory_readers={imported: frozenset({"/home/u/q"})}, **known)[f"claude-md/{imported}"]
    everyone = look(ClaudeMd, past, memory_readers={imported: None}, **known)[f"claude-md/{imported}"]
    nobody = look(ClaudeMd, past, memory_readers={imported: frozenset()}, **known)[f"claude-md/{imported}"]
    assert (everyone.amount, nobody.amount) == (2 * alone.amount, 0)
    assert alone.amount > 0
    assert alone.why.endswith(f"{PATH} imports it.")
    assert not any(row["rule"] == "missing-section" for row in alone.rows)


def test_a_month_is_by_the_days_there_were():
    past = history(line(reply("a", usage(w5m=4000))), line(reply("b", usage(fresh=1), at=NOV + 29 * DAY)))
    # 203 tokens written for $0.001015, and 1 token sent as input; 2 active days of 30 are a month.
    assert "costs $0.00102 a month" in look(ClaudeMd, past, memory_files={PATH: TEXT})[f"claude-md/{PATH}"].title


@given(histories(), st.text())
def test_any_history_and_any_text(past, text):
    look(ClaudeMd, past, memory_files={PATH: text, "/cfg/CLAUDE.md": TEXT}, settings={"/cfg/settings.json": {}})
    assert look(ClaudeMd, past) == {}
