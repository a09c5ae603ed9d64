"""The table `routing`."""

from underspend.routing.rows import Row
from underspend.stores.database import open_database
from underspend.stores.routing import RoutingRows


def test_rows_are_read_as_they_were_written_replaced_by_name_and_removed(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/ledger.sqlite3")
    rows = RoutingRows(engine)
    assert rows.load() == []
    rows.keep([Row("lesson", "1", "a"), Row("lesson", "2", "b"), Row("state", "", "[0, 0]")])
    rows.keep([Row("lesson", "1", "c")], gone=[("lesson", "2"), ("lesson", "9")])
    assert sorted(rows.load()) == [Row("lesson", "1", "c"), Row("state", "", "[0, 0]")]
    engine.dispose()
