import json
from dataclasses import replace

import pytest

from reports.whatif.results import better, rich
from underspend.audit.whatif import Saving
from underspend.core.errors import ConfigError
from underspend.reports.whatif.baseline import compared, read_baseline, worse
from underspend.reports.whatif.shape import whatif_shape


def saved(tmp_path, made):
    file = tmp_path / "base.json"
    file.write_text(json.dumps(whatif_shape(made)), encoding="utf-8")
    return read_baseline(file)


def test_the_same_is_not_worse(tmp_path):
    before = saved(tmp_path, better())
    assert worse(better(), before) == []
    assert [line.text for line in compared(better(), before)] == ["", "Not worse than the baseline."]


def test_a_policy_that_costs_more_is_worse(tmp_path):
    before = saved(tmp_path, better())
    said = worse(rich(), before)
    assert "more than the baseline" in said[0]
    assert "1 sessions are more than 2 % dearer, 0 in the baseline." in said[1]
    lines = [line.text for line in compared(rich(), before)]
    assert "Worse than the baseline." in lines
    assert any(line.startswith("  lifetime: saves $") and line.endswith(" less") for line in lines)


def test_over_other_traffic_the_share_counts(tmp_path):
    before = saved(tmp_path, better())
    outcome = better().outcome
    share = outcome.saved.expected * 10**4 // outcome.recorded

    def other(basis_points):
        recorded = outcome.recorded * 3
        amount = recorded * basis_points // 10**4
        return replace(better(), outcome=replace(outcome, recorded=recorded, saved=Saving(amount, amount, amount)))

    assert worse(other(share - 40), before) == []
    assert worse(other(share + 500), before) == []
    assert "the baseline saved" in worse(other(share - 60), before)[0]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"recorded_usd": "x"}', '{"recorded_usd": 3}'])
def test_a_file_that_is_no_baseline(tmp_path, text):
    file = tmp_path / "base.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="no baseline"):
        read_baseline(file)
