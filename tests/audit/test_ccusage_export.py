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


BLOCK = {
    "id": "2026-11-20T10:00:00.000Z",
    "startTime": "2026-11-20T10:00:00.000Z",
    "endTime": "2026-11-20T15:00:00.000Z",
    "isGap": False,
    "models": ["claude-opus-4-6"],
    "costUSD": 0.1 + 0.2,
    "tokenCounts": {
        "inputTokens": 1,
        "outputTokens": 2,
        "cacheCreationInputTokens": 3,
        "cacheReadInputTokens": 4,
    },
}


def test_blocks_are_without_models_and_have_their_ends(tmp_path):
    gap = {**BLOCK, "id": "gap-2026-11-20T20:00:00.000Z", "isGap": True}
    found = read_export(written(tmp_path, {"blocks": [BLOCK, gap]}))
    assert (found.kind, found.counts_nested, found.cost) == ("blocks", False, 3 * 10**11)
    (one,) = found.figures
    assert (one.row, one.model, one.until - one.since) == (BLOCK["id"], "", 5 * 3600 * 10**6)
    assert (one.input, one.output, one.cache_write, one.cache_read) == (1, 2, 3, 4)
    assert one.since == 1_795_168_800_000_000


@pytest.mark.parametrize(
    "broken",
    [
        {"startTime": None},
        {"endTime": "soon"},
        {"endTime": "2026-11-20T15:00:00"},
        {"tokenCounts": None},
    ],
)
def test_a_block_without_ends_or_tokens_is_none(tmp_path, broken):
    assert read_export(written(tmp_path, {"blocks": [{**BLOCK, **broken}]})).figures == ()


@pytest.mark.parametrize("shape", [{}, [], {"blocks": {}}, {"daily": 3}])
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
