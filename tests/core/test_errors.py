from __future__ import annotations

import string
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.core import errors
from underspend.core.errors import UnderspendError


def kinds(base: type[UnderspendError] = UnderspendError) -> Iterator[type[UnderspendError]]:
    for kind in base.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from kinds(kind)


def details(kind: type[UnderspendError]) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(kind.__doc__ or "") if name]


ALL = list(kinds())


@pytest.mark.parametrize("kind", ALL)
def test_each_message_is_one_line_with_its_details(kind: type[UnderspendError]) -> None:
    given_details = {name: f"<{name}>" for name in details(kind)}
    message = str(kind(**given_details))
    assert all(value in message for value in given_details.values())
    assert len(message.splitlines()) == 1
    assert "  " not in message
    assert given_details


@pytest.mark.parametrize("kind", ALL)
@given(st.text())
def test_no_detail_breaks_the_line_or_the_message(kind: type[UnderspendError], detail: str) -> None:
    error = kind(**dict.fromkeys(details(kind), detail))
    assert len(str(error).splitlines()) == 1
    assert error.args == (str(error),)
    assert set(error.details.values()) == {detail}


def test_a_detail_left_out_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        errors.ConfigError(where="here")


def test_exit_codes_tell_the_errors_apart() -> None:
    direct = [kind.exit_code for kind in UnderspendError.__subclasses__() if kind.__module__ == errors.__name__]
    assert len(set(direct)) == len(direct)
    assert all(code > 1 for code in direct)
    assert errors.StoreLockedError.exit_code == errors.StoreError.exit_code


def test_every_error_is_in_the_modules_own_list() -> None:
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in ALL)
