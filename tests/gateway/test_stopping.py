"""What a person and a shell read of a pause; the answers themselves are tried in test_guard."""

import asyncio

import pytest
from doubles import NOW, Asked, Told, pipeline

from underspend.core.alerts import MINUTE, Kind
from underspend.core.runaway import Pause
from underspend.gateway.routes import classify
from underspend.gateway.stopping import is_paused, told


def pause(session="s-1", left=10 * MINUTE):
    return Pause(words="Bash failed.", since=0, until=NOW + left, session=session, kind=Kind.LOOP)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (10 * MINUTE, "10 minutes are left"),
        (MINUTE + 1, "2 minutes are left"),
        (MINUTE, "Less than a minute is left"),
        (0, "Less than a minute is left"),
    ],
)
def test_the_time_that_is_left_is_said(left, words):
    assert told(pause(left=left), NOW) == (
        f"Paused by Underspend. Bash failed. {words}. To go on at once: underspend alerts resume s-1"
    )


def test_a_session_whose_name_a_shell_would_read_is_not_put_into_a_command():
    assert told(pause("$(reboot)"), NOW).endswith("underspend alerts resume ")
    assert told(pause("--all"), NOW).endswith("underspend alerts resume ")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/messages", 200), ("/v1/chat/completions", 200), ("/v1/responses", 402), ("/v1/embeddings", 402)],
)
def test_where_no_message_of_ours_would_fit_an_error_is_given(path, status):
    made, route = pipeline(None, forward=True), classify("POST", path)
    data = b'{"model": "claude-haiku-5-5", "messages": [], "input": "x"}'
    request = Asked(data, headers=[(b"x-claude-code-session-id", b"s-1")])
    stopped = is_paused(made.asking.read(request, route, data), pause())
    answer = Told()
    asyncio.run(stopped.answer(answer))
    assert (answer.status, stopped.status, answer.ended) == (status, status, True)
