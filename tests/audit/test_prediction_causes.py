import pytest

from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, mark, reply, result, tool, typed
from audit.histories import HAIKU, history
from underspend.audit.prediction import predict
from underspend.audit.prediction_causes import WORDS, Cause, cause_of

LAST = START + 4 * MINUTE
MISSED = (3, 12_500, 0, 5000, 50)
TAIL = (5003, 800, 0, 16_700, 50)


def cause(*before, usage=MISSED, at=LAST + 5_000_000, base=None, **more):
    """The cause of a miss after a steady loop."""
    events = [*(base or loop(*STEADY)), *(before or [result("m3", LAST)]), reply("last", at, usage, **more)]
    found = predict(history(line(*events)))[-1]
    assert not found.is_close
    return cause_of(found)


def test_a_miss_without_a_reason_is_unexplained():
    assert cause() is Cause.UNEXPLAINED
    assert cause(typed(LAST)) is Cause.UNEXPLAINED


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (mark("clear", LAST), Cause.CLEAR),
        (mark("api_error", LAST), Cause.API_ERRORS),
        (mark("tools_changed", LAST), Cause.TOOLS),
        (mark("resume", LAST), Cause.RESUME),
        (mark("permission_mode", LAST), Cause.MODE),
        (result("m3", LAST, images=2), Cause.IMAGES),
    ],
)
def test_what_the_client_noted(before, expected):
    usage = (3, 17_000, 0, 200, 5) if expected is Cause.CLEAR else MISSED
    assert cause(before, typed(LAST), usage=usage) is expected


@pytest.mark.parametrize(("kind", "expected"), [("compaction", "compaction"), ("microcompaction", "microcompaction")])
def test_a_reset_that_read_another_part_than_shown_before(kind, expected):
    assert cause(mark(kind, LAST), typed(LAST), usage=(3, 3000, 0, 9000, 5)) is Cause(expected)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"effort": "low"}, Cause.EFFORT),
        ({"version": "2.0.0"}, Cause.VERSION),
        ({"miss_reason": "tools_changed"}, Cause.TOOLS),
        ({"miss_reason": "system_changed"}, Cause.SYSTEM),
        ({"miss_reason": "messages_changed"}, Cause.MESSAGES),
        ({"miss_reason": "unavailable"}, Cause.UNEXPLAINED),
    ],
)
def test_what_the_reply_itself_shows(more, expected):
    assert cause(**more) is expected


def test_another_model_that_was_warm_all_the_same():
    assert cause(model=HAIKU) is Cause.MODEL


def test_more_was_read_than_the_history_had_written():
    assert cause(usage=(3, 100, 0, 17_400, 5)) is Cause.UNSEEN_CALL
    late = {"at": START + 90 * MINUTE, "usage": (3, 12_500, 0, 5000, 50)}
    assert cause(result("m3", late["at"] - 1), **late) is Cause.ELSEWHERE


def test_near_the_end_of_the_lifetime():
    at = START + 3 * MINUTE + 5 * MINUTE + 1
    assert cause(result("m3", at), at=at + 1, usage=(3, 800, 0, 16_700, 5)) is Cause.LIFETIME_EDGE


def test_only_the_last_breakpoint_stood_elsewhere():
    assert cause(usage=TAIL) is Cause.BREAKPOINT


def test_shapes_of_the_request():
    assert cause(usage=(17_503, 0, 0, 0, 5)) is Cause.MINIMUM
    assert cause(mark("model_set", LAST)) is Cause.CONCURRENCY
    assert cause(usage=(3, 8000, 0, 1000, 5)) is Cause.SHORTENED
    events = loop(*STEADY)
    uses = tuple(tool("Read", use=f"u{number}") for number in range(9))
    events[-1] = reply("m3", START + 3 * MINUTE + 5_000_000, STEADY[-1], tools=uses)
    assert cause(*(result(use.id, LAST) for use in uses), base=events) is Cause.LOOKBACK


def test_copied_history():
    assert cause(mark("resume", LAST), at=START + 3 * MINUTE + 5_000_000) is Cause.COPIED_HISTORY


def test_every_cause_has_words():
    assert set(WORDS) == set(Cause)
