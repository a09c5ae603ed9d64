from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core.signs import Sign
from underspend.formats import outcome_signs


def use(name: str, number: int, **given: object) -> dict[str, object]:
    return {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": given}],
    }


def result(number: int, says: object = "ok", *, is_error: bool = False) -> dict[str, object]:
    part = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": says, "is_error": is_error}
    return {"role": "user", "content": [part]}


def signs(*messages: dict[str, object]) -> frozenset[Sign]:
    return outcome_signs.of_results(msgspec.json.encode([{"role": "user", "content": "mend it"}, *messages]))


EDIT = (use("Edit", 1, file_path="a.py"), result(1))


@pytest.mark.parametrize(("is_error", "sign"), [(True, Sign.CHECK_FAILED), (False, Sign.CHECK_PASSED)])
def test_a_check_after_an_edit_says_whether_it_was_good(is_error: bool, sign: Sign) -> None:
    assert signs(*EDIT, use("Bash", 2, command="cd x && pytest -q"), result(2, "…", is_error=is_error)) == {sign}


def test_a_check_without_an_edit_says_nothing_of_the_model() -> None:
    assert not signs(use("Bash", 2, command="pytest -q"), result(2, "1 failed", is_error=True))


def test_a_command_that_checks_nothing_says_nothing() -> None:
    assert not signs(*EDIT, use("Bash", 2, command="ls nowhere"), result(2, "no such file", is_error=True))


def test_a_later_message_of_the_client_hides_no_result() -> None:
    said = {"role": "system", "content": "5,000 tokens left"}
    assert signs(*EDIT, use("Bash", 2, command="mypy"), result(2, "error", is_error=True), said) == {Sign.CHECK_FAILED}


@pytest.mark.parametrize(
    "says",
    [
        "The user doesn't want to proceed with this tool use. The tool use was rejected.",
        [{"type": "text", "text": "The user doesn't want to take this action right now. STOP what you are doing"}],
    ],
)
def test_what_the_user_rejects_is_seen(says: object) -> None:
    assert signs(use("Bash", 2, command="rm -r x"), result(2, says, is_error=True)) == {Sign.REJECTED}


def test_words_of_a_rejection_in_a_good_result_are_only_words() -> None:
    assert not signs(use("Read", 2, file_path="x"), result(2, "The user doesn't want to proceed"))


def test_input_that_a_tool_does_not_take_is_seen() -> None:
    says = "<tool_use_error>InputValidationError: Read failed due to the following issue:\nThe parameter …"
    assert signs(use("Read", 2), result(2, says, is_error=True)) == {Sign.MALFORMED}


def test_the_same_call_that_fails_twice_is_seen() -> None:
    again = [part for n in (2, 3) for part in (use("Bash", n, command="cat x"), result(n, "no", is_error=True))]
    assert signs(*again) == {Sign.REPEATED}
    assert not signs(*again[:2])


def test_another_call_that_fails_is_no_repetition() -> None:
    first, second = use("Bash", 2, command="cat x"), use("Bash", 3, command="cat y")
    assert not signs(first, result(2, "no", is_error=True), second, result(3, "no", is_error=True))


def test_a_new_prompt_says_nothing_of_what_was_before() -> None:
    failed = (use("Bash", 2, command="pytest"), result(2, "1 failed", is_error=True))
    assert not signs(*EDIT, *failed, {"role": "user", "content": "leave it"})


@pytest.mark.parametrize("messages", [b"", b"{", b"null", b'["a", 1, null]', b'[{"role":"user","content":[1]}]'])
def test_what_is_no_request_shows_nothing(messages: bytes) -> None:
    assert outcome_signs.of_results(messages) == frozenset()


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(messages: bytes) -> None:
    outcome_signs.of_results(messages)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("refusal", {Sign.REFUSED}),
        ("max_tokens", {Sign.CUT_SHORT}),
        ("end_turn", set()),
        ("tool_use", set()),
        (None, set()),
    ],
)
def test_a_replys_end(stop: str | None, expected: set[Sign]) -> None:
    assert outcome_signs.of_reply(stop) == expected


@pytest.mark.parametrize(
    "command", ["pytest -x", "npm test", "npm run lint", "cargo check", "uv run mypy .", "make test"]
)
def test_commands_that_check(command: str) -> None:
    assert outcome_signs.checks(command)


@pytest.mark.parametrize("command", ["ls", "cat pytest_notes.md2", "npm install", "git checkout main", "make"])
def test_commands_that_do_not(command: str) -> None:
    assert not outcome_signs.checks(command)
