from dataclasses import replace

from reports.audit.reports import empty_report, report, rich_report
from underspend.core.advisor import Finding
from underspend.reports.audit.layout import WIDTH
from underspend.reports.audit.text import brief, full, rows_behind

BRIEF = """\
$0.107 + unpriced in Claude Code, 2026-11-20 to 2026-11-21 (2 active days, 2 sessions in 2
projects)
API prices; on a subscription they are only an equivalent (say --plan pro, max5 or max20).

lane            tokens       paid      share
fresh input        110  $0.000401       0.4%
cache write 5m   15.4k    $0.0770      72.3%
cache write 1h      2k  $0.000400       0.4%
cache read       22.7k   $0.00414       3.9%
output           1.28k    $0.0246      23.1%
total            41.5k     $0.107  6 replies
Not in this bill: about 300 output tokens, $0.00600, that Claude Code never wrote down (estimated
from the text of unfinished records).
1 reply of a model without a known price: in no total. `underspend prices` lists what is known;
[prices] in config.toml takes your own.

Findings: $0.0100 of it (9.4%) could have been less; about $0.110 a month
  $0.110/month  Prefixes written again after a pause
                After 70 minutes the cache was gone, and the whole prefix was written again.
                → export ENABLE_PROMPT_CACHING_1H=1
                  claude
                $0.0100 in this period, billed, confidence high
                1 row: underspend audit --show two/gap
             —  3 files will be deleted
                They are 29 days old.
                measured, confidence medium
broken could not be looked at (RuntimeError: boom).

Where it went, by project, model and session:  underspend audit"""


def text(lines):
    return "\n".join(each.text for each in lines)


def test_the_short_report():
    assert text(brief(report())) == BRIEF


def test_no_line_is_too_wide():
    for made in (report(), rich_report()):
        assert max(len(each.text) for each in full(made)) <= WIDTH


def test_the_long_report_has_every_part():
    made = text(full(rich_report()))
    for part in (
        "API-equivalent",
        "Fix now",
        "For your information",
        "Where it went",
        "What it was spent on",
        "Four questions",
        "Your dearest day, 2026-11-20",
        "Five-hour blocks",
        "Week of 2026-11-16",
        "volume: calls of the main loop",
        "Claude Code's own totals: $1.00",
        "auxiliary calls",
        "Skipped: /t/s.jsonl:0 is no JSON",
        "… and 2 more pieces",
        "new-kind (3)",
        "cut before the end",
    ):
        assert part in made
    assert "broken could not be looked at (RuntimeError: boom)." in made


def test_a_report_of_nothing():
    made = text(full(empty_report()))
    assert "Nothing found to save on" in made


def test_the_rows_behind_a_finding():
    made = text(rows_behind(report().found.ranked[0]))
    assert "Prefixes written again after a pause" in made
    assert made.splitlines()[-2:] == [
        "file        line  tokens  why",
        "/t/s.jsonl     3  10,000  idle gap | of 70 minutes",
    ]
    assert text(rows_behind(report().found.ranked[1])).endswith("There are no rows behind this finding.")


def test_many_rows_are_cut_and_wide_ones_fit():
    ranked = report().found.ranked[0]
    wide = [{f"column{n}": 10**12 for n in range(8)} | {"words": "x" * 200}] * 300
    finding: Finding = replace(ranked.finding, rows=wide)
    made = list(rows_behind(replace(ranked, finding=finding)))
    assert made[-1].text == "… and 100 more: underspend audit --json"
    assert "No room for column" in "\n".join(each.text for each in made)
    assert max(len(each.text) for each in made) <= WIDTH
