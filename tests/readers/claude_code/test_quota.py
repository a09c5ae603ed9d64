import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.quota import Share, Window
from underspend.readers.claude_code.quota import STATE, STATUS_LINE, of_states, of_status_line

AT = 1_795_132_800_000_000
LIMITS = {
    "five_hour": {"used_percentage": 46.234, "resets_at": 1_795_140_000},
    "seven_day": {"used_percentage": 12, "resets_at": 1_795_600_000},
}


def share(window, used, resets, at=AT, source=STATUS_LINE):
    return Share(window=window, at=at, used_permille=used, resets_at=resets, source=source)


def test_what_a_status_line_is_told():
    assert of_status_line(json.dumps({"session_id": "s", "rate_limits": LIMITS}).encode(), AT) == [
        share(Window.FIVE_HOURS, 462, 1_795_140_000_000_000),
        share(Window.SEVEN_DAYS, 120, 1_795_600_000_000_000),
    ]


@pytest.mark.parametrize(
    "limits",
    [
        None,
        3,
        {},
        {"five_hour": None},
        {"five_hour": {"used_percentage": None, "resets_at": 1}},
        {"five_hour": {"used_percentage": 1, "resets_at": None}},
        {"five_hour": {"used_percentage": True, "resets_at": 1}},
        {"five_hour": {"used_percentage": -1, "resets_at": 1}},
        {"five_hour": {"used_percentage": 1, "resets_at": "soon"}},
        {"five_hour": {"used_percentage": 1, "resets_at": "2026-11-20T10:00:00"}},
        {"five_hour": {"used_percentage": 1, "resets_at": 1e300}},
    ],
)
def test_what_is_not_said_is_not_known(limits):
    assert of_status_line(json.dumps({"rate_limits": limits}).encode(), AT) == []


@given(st.binary())
def test_any_bytes(raw):
    assert of_status_line(raw, AT) == []


@given(
    st.recursive(
        st.none() | st.floats() | st.integers() | st.text(),
        lambda inner: st.dictionaries(st.sampled_from(["five_hour", "used_percentage", "resets_at"]), inner),
    )
)
def test_any_shape(limits):
    of_status_line(json.dumps({"rate_limits": limits}).encode(), AT)


def state(folder, **cached):
    folder.mkdir(parents=True, exist_ok=True)
    said = {"oauthAccount": {"emailAddress": "x"}, "cachedUsageUtilization": cached}
    (folder / ".claude.json").write_text(json.dumps(said))


def test_what_the_client_keeps(tmp_path):
    window = {"utilization": 46, "resets_at": "2026-11-20T04:49:59.665316+00:00", "limit_dollars": None}
    state(tmp_path, fetchedAtMs=AT // 1000, utilization={"five_hour": window, "seven_day": None})
    expected = [share(Window.FIVE_HOURS, 460, 1_795_150_199_665_000, source=STATE)]
    assert of_states([tmp_path]) == expected
    (tmp_path / ".claude").mkdir()
    assert of_states([tmp_path / ".claude", tmp_path / "gone"]) == expected


@pytest.mark.parametrize("fetched", [None, "x", 0])
def test_a_reading_without_a_time_is_none(tmp_path, fetched):
    window = {"utilization": 46, "resets_at": "2026-11-20T04:49:59+00:00"}
    state(tmp_path, fetchedAtMs=fetched, utilization={"five_hour": window})
    assert of_states([tmp_path]) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cachedUsageUtilization": null}', '{"cachedUsageUtilization": 3}'])
def test_a_state_that_says_nothing(tmp_path, text):
    (tmp_path / ".claude.json").write_text(text)
    assert of_states([tmp_path]) == []
