import json

import pytest

from underspend.audit.ccusage_export import read_export
from underspend.core.errors import NotFoundError

BREAKDOWN = {
    "modelName": "claude-opus-4-6",
    "inputTokens": 1,
    "outputTokens": 2,
    "cacheCreationTokens": 3,
    "cacheReadTokens": 4,
    "cost": 0.1 + 0.2,
}


def written(tmp_path, shape):
    path = tmp_path / "ccusage.json"
    path.write_text(json.dumps(shape))
    return path


@pytest.mark.parametrize(
    ("kind", "key"), [("sessions", "sessionId"), ("daily", "date"), ("weekly", "week"), ("monthly", "month")]
)
def test_each_kind_of_export(tmp_path, kind, key):
    found = read_export(written(tmp_path, {kind: [{key: "x", "modelBreakdowns": [BREAKDOWN]}], "totals": {}}))
    assert (found.kind, found.counts_nested, found.cost) == (kind, kind == "daily", 3 * 10**11)
    (one,) = found.figures
    assert (one.row, one.model, one.input, one.output, one.cache_write, one.cache_read) == (
        "x",
        "claude-opus-4-6",
        1,
        2,
        3,
        4,
    )


@pytest.mark.parametrize("shape", [{}, [], {"blocks": []}, {"daily": 3}])
def test_anything_else_is_no_export(tmp_path, shape):
    with pytest.raises(NotFoundError, match="ccusage claude session --json"):
        read_export(written(tmp_path, shape))


def test_nor_is_a_file_that_is_not_json(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(NotFoundError):
        read_export(path)


def test_a_cost_that_is_none_is_nothing(tmp_path):
    shape = {"daily": [{"date": "x", "modelBreakdowns": [BREAKDOWN | {"cost": None}]}]}
    assert read_export(written(tmp_path, shape)).cost == 0
