import csv
import io
import json
from decimal import Decimal

BY_DAY = """\
day         calls  fresh  write 5m  write 1h  read  output  without us   saved       paid
2026-11-19      1     10         ·        9k   90k      2k      $0.111   $0.00     $0.111
2026-11-20      2    570        2k         ·    3k     305       $1.00  $0.986  $0.0144 *
total           3    580        2k        9k   93k   2.31k       $1.11  $0.986   $0.125 *

lane            tokens      paid  share
fresh input        580  $0.00153   1.2%
cache write 5m      2k  $0.00750   6.0%
cache write 1h      9k   $0.0540  43.1%
cache read         93k   $0.0279  22.2%
output           2.31k   $0.0345  27.5%

How we know: 100% billed. Times are UTC.
* unpriced: new-model (1 call, 70 tokens in, 5 out) is in no total. Give it a price in
  config.toml under [prices."new-model"].
"""


def plain(text):
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_by_day_as_people_see_it(run, filled):
    found = run("spend")
    assert found.exit_code == 0
    assert plain(found.output) == BY_DAY


def test_no_line_is_wider_than_99_columns(run, filled):
    from reports.ledger_rows import add_call

    add_call(filled, "long", "2026-11-20T12:00:00+00:00", (10**7,) * 5, project="p" * 200, without_us_pico=10**17)
    for by in ("day", "hour", "project", "session", "model"):
        assert max(map(len, run("spend", "--by", by).output.splitlines())) <= 99


def test_json_is_exact(run, filled):
    found = json.loads(run("spend", "--by", "model", "--json").stdout, parse_float=Decimal)
    assert found["total"]["paid_usd"] == Decimal("0.12543")
    assert [row["model"] for row in found["rows"]] == ["claude-sonnet-5", "new-model"]


def test_csv(run, filled):
    rows = list(csv.DictReader(io.StringIO(run("spend", "--by", "project", "--csv").stdout)))
    assert [(row["project"], row["paid_usd"]) for row in rows] == [("blog", "0.11103"), ("shop", "0.0144")]


def test_filters(run, filled):
    found = json.loads(run("spend", "--since", "today", "--session", "s-o", "--json").stdout)
    assert found["total"]["calls"] == 2
    found = json.loads(run("spend", "--until", "2026-11-19", "--project", "blog", "--json").stdout)
    assert found["total"]["calls"] == 1


def test_days_of_another_zone(run, filled):
    found = json.loads(run("spend", "--timezone", "Pacific/Auckland", "--json").stdout)
    assert [row["day"] for row in found["rows"]] == ["2026-11-19", "2026-11-20", "2026-11-21"]


def test_a_ledger_that_is_not_there_reads_as_empty_and_is_not_made(run, home):
    assert "No calls here yet." in run("spend").output
    assert list(home.iterdir()) == []


def test_misuse_is_one_clear_line(program, filled):
    for arguments, says in (
        (["--since", "soon"], "Invalid value for --since: 'soon' is no time: write 2026-11-20"),
        (["--by", "colour"], "'colour' is not one of 'hour', 'day'"),
        (["--timezone", "Mars"], "time zone: 'Mars' is not known."),
    ):
        found = program("spend", *arguments)
        assert (found.returncode, found.stdout) == (2, "")
        assert says in found.stderr
        assert found.stderr.count("\n") == 1
