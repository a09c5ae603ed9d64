import json

from reports.ledger_rows import add_call
from underspend.cli import tail
from underspend.core.errors import UnreachableError
from underspend.reports.recent import recent
from underspend.reports.shapes import dumps, entry_shape

PAGE = """\
began    call      model                for                        in  cached    out        paid
10:00:00 bbbb2222  claude-sonnet-5      blog                      99k   90.9%     2k      $0.111
10:00:00 aaaa1111  claude-sonnet-5      shop                     5.5k   54.5%    300     $0.0144
11:00:00 cccc3333  new-model            shop                       70      0%      5    unpriced
"""


def test_the_last_calls_as_people_see_them(run, filled):
    assert run("tail", "--no-follow").output == PAGE


def test_json_lines(run, filled):
    lines = run("tail", "--no-follow", "-n", "1", "--json").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["cccc3333"]


def test_a_call_survives_the_way_over_the_wire(filled):
    for call in recent(filled):
        from decimal import Decimal

        shape = json.loads(dumps(entry_shape(call)), parse_float=Decimal)
        assert tail.from_shape(shape) == call


def test_what_the_gateway_tells_is_shown_but_for_what_is_open(run, filled, monkeypatch):
    call = entry_shape(recent(filled, limit=1)[0])

    def told(*_):
        yield {**call, "id": "open", "state": "open"}
        yield {**call, "id": "told0001"}
        raise KeyboardInterrupt

    monkeypatch.setattr(tail, "events", told)
    lines = run("tail", "-n", "0").output.splitlines()
    assert lines[1].startswith("11:00:00 told0001")


def test_when_the_gateway_stops_nothing_is_shown_twice(run, filled, monkeypatch):
    add_call(filled, "told0001", "2026-11-20T16:45:00+00:00")
    shape = entry_shape(recent(filled, limit=1)[0])

    def told(*_):
        yield shape
        raise UnreachableError(url="http://x", problem="the gateway stopped", mend="Start it.")

    def later(_):
        if recent(filled, limit=1)[0].id == "next0001":
            raise KeyboardInterrupt
        add_call(filled, "next0001", "2026-11-20T16:50:00+00:00")

    monkeypatch.setattr(tail, "events", told)
    monkeypatch.setattr(tail.time, "sleep", later)
    lines = run("tail", "-n", "0").stdout.splitlines()
    assert [line.split()[1] for line in lines[1:] if line] == ["told0001", "next0001"]


def test_without_a_gateway_the_ledger_is_read(run, filled, monkeypatch):
    def refused(*_):
        raise UnreachableError(url="http://x", problem="no gateway runs there", mend="Start it.")
        yield

    def later(_):
        if recent(filled, limit=1)[0].id == "dddd4444":
            raise KeyboardInterrupt
        add_call(filled, "dddd4444", "2026-11-20T16:50:00+00:00", evidence="estimated", outcome="aborted")

    monkeypatch.setattr(tail, "events", refused)
    monkeypatch.setattr(tail.time, "sleep", later)
    found = run("tail", "-n", "0")
    assert "no gateway runs there. Start it. Reading the ledger every second until then." in found.stderr
    lines = [line for line in found.stdout.splitlines() if "dddd4444" in line]
    assert len(lines) == 1
    assert lines[0].endswith("aborted  estimated")
