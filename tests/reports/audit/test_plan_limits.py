from dataclasses import replace

from audit.histories import DAY, HOUR, START
from reports.audit.reports import report, rich_report
from underspend.core.quota import Share, Window
from underspend.reports.audit.layout import WIDTH
from underspend.reports.audit.plan_limits import blocks


def text(made):
    lines = [each.text for each in blocks(made)]
    assert all(len(each) <= WIDTH for each in lines)
    return "\n".join(lines)


def share(at, resets, used=462, window=Window.FIVE_HOURS):
    return Share(window=window, at=at, used_permille=used, resets_at=resets, source="Claude Code's status line")


def test_blocks_are_shown_where_a_subscription_pays():
    assert text(report()) == ""
    assert "2026-11-21 00:00" in text(rich_report())


def test_where_no_share_is_known_it_is_said_how_to_know():
    made = " ".join(text(rich_report()).split())
    assert (
        "is not known: transcripts do not say. /usage in Claude Code shows the shares of now; with `underspend quota`"
        in made
    )
    assert "of the limit" not in made


def test_a_share_is_shown_with_its_time_and_source():
    known = [
        share(START + DAY + HOUR, START + DAY + 5 * HOUR),
        share(START + DAY + HOUR, START + 3 * DAY, 120, Window.SEVEN_DAYS),
    ]
    made = text(replace(rich_report(), quota=known))
    assert "46.2% at 01:00" in made
    said = " ".join(made.split())
    assert (
        "five-hour limit: 46.2% at 2026-11-21 01:00 (Claude Code's status line), which was over 2026-11-21 05:00."
        in said
    )
    assert (
        "seven-day limit: 12% at 2026-11-21 01:00 (Claude Code's status line), which resets 2026-11-23 00:00." in said
    )
    assert "not known" not in made


def test_a_share_of_another_window_is_no_blocks():
    made = text(replace(rich_report(), quota=[share(START + DAY + HOUR, START + DAY + 2 * HOUR)]))
    assert "of the limit" not in made.split("Last known")[0].split("Which share")[0]
    assert "Last known of the five-hour limit: 46.2%" in made
