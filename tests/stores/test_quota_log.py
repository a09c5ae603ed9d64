import stat

from underspend.core.quota import Share, Window
from underspend.stores import quota_log
from underspend.stores.quota_log import QuotaLog


def share(used=100, at=1, resets=100, window=Window.FIVE_HOURS):
    return Share(window=window, at=at, used_permille=used, resets_at=resets, source="who")


def test_readings_are_kept_oldest_first(tmp_path):
    log = QuotaLog(tmp_path / "new" / "quota.jsonl")
    log.note([share(at=2)])
    log.note([share(at=1, window=Window.SEVEN_DAYS)])
    assert [each.at for each in QuotaLog(tmp_path / "new" / "quota.jsonl").shares()] == [1, 2]
    assert stat.S_IMODE((tmp_path / "new" / "quota.jsonl").stat().st_mode) == 0o600


def test_only_what_is_news_is_kept(tmp_path):
    log = QuotaLog(tmp_path / "q")
    log.note([share(at=5)])
    log.note([share(at=6)])
    log.note([share(at=4, used=500)])
    assert log.shares() == [share(at=5)]
    log.note([share(at=7, used=110), share(at=8, used=0, resets=200)])
    assert [each.at for each in log.shares()] == [5, 7, 8]


def test_lines_that_are_none_are_passed_over(tmp_path):
    path = tmp_path / "q"
    QuotaLog(path).note([share(at=5)])
    with path.open("ab") as file:
        file.write(b'\xff\n{"window":"five_hour"}\n{"half')
    assert QuotaLog(path).shares() == [share(at=5)]


def test_a_file_that_cannot_be_written_costs_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    log = QuotaLog(tmp_path / "file" / "q")
    log.note([share()])
    assert log.shares() == []


def test_a_long_file_keeps_what_each_window_came_to(tmp_path, monkeypatch):
    monkeypatch.setattr(quota_log, "_MOST_BYTES", 2000)
    log = QuotaLog(tmp_path / "q")
    for at in range(1, 61):
        log.note([share(used=at, at=at, resets=100 + at // 20)])
    assert (tmp_path / "q").stat().st_size <= 2000
    last = {each.resets_at: each.used_permille for each in log.shares()}
    assert last == {100: 19, 101: 39, 102: 59, 103: 60}
    assert list(tmp_path.iterdir()) == [tmp_path / "q"]
