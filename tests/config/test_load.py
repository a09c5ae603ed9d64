from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.config import Settings, load
from underspend.core.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def loaded(home: Path, text: str = "", *, flags: Any = None, **environ: str) -> Settings:
    home.joinpath("config.toml").write_text(text, encoding="utf-8")
    return load(home=home, flags=flags, environ={f"UNDERSPEND_{name}": value for name, value in environ.items()})


def source(settings: Settings, name: str) -> str:
    return next(origin.source for origin in settings.origins if origin.name == name)


def refused(home: Path, text: str = "", **more: Any) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded(home, text, **more)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_defaults_stand_where_nothing_is_said(home: Path) -> None:
    settings = load(home=home, environ={})
    assert (settings.gateway.host, settings.gateway.port) == ("127.0.0.1", 4100)
    assert settings.ledger.url == f"sqlite:///{home}/ledger.sqlite3"
    assert {origin.source for origin in settings.origins} == {"default"}


def test_each_source_beats_the_one_before(home: Path) -> None:
    text = "# ports\n[gateway]\nport = 1\n"
    file = home / "config.toml"
    assert (loaded(home, text).gateway.port, source(loaded(home, text), "gateway.port")) == (1, f"{file}:3")
    with_env = loaded(home, text, GATEWAY_PORT="2")
    assert (with_env.gateway.port, source(with_env, "gateway.port")) == (2, "$UNDERSPEND_GATEWAY_PORT")
    with_flag = loaded(home, text, GATEWAY_PORT="2", flags={"gateway.port": 3})
    assert (with_flag.gateway.port, source(with_flag, "gateway.port")) == (3, "--port")
    unset = loaded(home, text, GATEWAY_PORT="2", flags={"gateway.port": None})
    assert unset.gateway.port == 2


def test_the_environment_is_the_processs_own_when_none_is_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSPEND_GATEWAY_PORT", "4321")
    assert load(home=home).gateway.port == 4321


@pytest.mark.parametrize(
    ("variable", "value", "section", "key", "expected"),
    [
        ("PRIVACY_STORE_CONTENT", "true", "privacy", "store_content", True),
        ("PRIVACY_STORE_CONTENT", "0", "privacy", "store_content", False),
        ("GATEWAY_ALLOWED_HOSTS", "a.example, b.example", "gateway", "allowed_hosts", ["a.example", "b.example"]),
        ("GATEWAY_ALLOWED_HOSTS", "", "gateway", "allowed_hosts", []),
        ("UPSTREAM_CONNECT_SECONDS", "2.5", "upstream", "connect_seconds", 2.5),
        ("LEDGER_DURABILITY", "power", "ledger", "durability", "power"),
    ],
)
def test_variables_are_read_as_what_they_set(
    home: Path, variable: str, value: str, section: str, key: str, expected: object
) -> None:
    assert getattr(getattr(loaded(home, **{variable: value}), section), key) == expected


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[gateway]\n\nprot = 1\n", 3, "there is no setting gateway.prot. Did you mean gateway.port?"),
        ("[gatway]\nport = 1\n", 2, "there is no setting gatway.port. Did you mean gateway.port?"),
        ("port = 1\n", 1, "there is no setting port."),
        ("x = 1\n[upstream]\nanthropic = 'u'\n", 1, "there is no setting x. See docs/settings.md"),
        ("[gateway]\nport = 70000\n", 2, "gateway.port = 70000 will not do"),
        ("[gateway]\nhost = 'h'\nport = '4100'\n", 3, "gateway.port = '4100' will not do. Expected `int`, got `str`."),
        ("\n\ngateway.port = -1\n", 3, "gateway.port = -1 will not do"),
        ("\ngateway = { port = -1 }\n", 2, "gateway.port = -1 will not do"),
        ('["gateway"]\n"port" = -1\n', 2, "gateway.port = -1 will not do"),
        ("[ledger]\ndurability = 'forever'\n", 2, "ledger.durability = 'forever' will not do"),
        ("[gateway]\nport = \n", 2, "this is not TOML"),
        ("[strategies.cap_output]\n\nheadroom_percent = 'ten'\n", 1, "cap_output"),
        ("[strategies.cap_output]\nfloor = 1\ncieling = 1\n", 3, "cap_output has no setting cieling"),
        ("[strategies.cap_output]\nstate = 'maybe'\n", 2, "state = 'maybe' will not do. Use off, shadow or on."),
        ("[strategies.budgets]\nday_usd = '1'\n", 1, "no strategy budgets. There are:"),
        ("\n[strategies.budget]\nday_usd = '1'\n", 2, "a budget is a table of its own now. Write [budgets.day] with"),
        ("\n[[budgets]]\nusd = '1'\n", 2, "budgets are tables with a name. Write one table for each, as [budgets.day]"),
        ("[budgets.day]\n\nusd = 'five'\n", 1, "is no amount of dollars. Mend [budgets.day]; see docs/budgets.md."),
        ("strategies = 3\n", 1, "strategies are tables"),
        ("\nprices = 3\n", 2, "prices are tables"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_line(home: Path, text: str, line: int, said: str) -> None:
    message = str(refused(home, text))
    assert message.startswith(f"{home / 'config.toml'}:{line}: ")
    assert said in message


def test_a_mistake_elsewhere_is_named_too(home: Path) -> None:
    assert str(refused(home, GATEWAY_PORT="no")).startswith("$UNDERSPEND_GATEWAY_PORT: gateway.port = 'no' will not do")
    wrong = str(refused(home, flags={"gateway.port": -1}))
    assert wrong.startswith("--port: gateway.port = -1 will not do")
    unknown = str(refused(home, flags={"gateway.drain_second": 1}))
    assert unknown == "--drain-second: there is no setting gateway.drain_second. Did you mean gateway.drain_seconds?"


def test_a_file_that_cannot_be_read_is_said(home: Path) -> None:
    home.joinpath("config.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it cannot be read"):
        load(home=home, environ={})


def test_prices_are_handed_on(home: Path) -> None:
    text = '[prices."my/model"]\ninput = "1"\n'
    assert loaded(home, text).prices == {"my/model": {"input": "1"}}


def test_every_setting_has_an_origin_and_a_description(home: Path) -> None:
    origins = load(home=home, environ={}).origins
    names = [origin.name for origin in origins]
    assert len(names) == len(set(names))
    assert all(origin.description for origin in origins if not origin.name.startswith("strategies."))


@given(st.text(), st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_any_file_and_variable_load_or_are_one_line(
    tmp_path_factory: pytest.TempPathFactory, text: str, value: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    try:
        settings = loaded(home, text.replace("\r", ""), GATEWAY_PORT=value)
    except ConfigError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017  # either outcome is right
        return
    assert settings.gateway.port == int(value)


def test_strategies_may_be_left_out_where_none_is_named(home: Path) -> None:
    assert load(home=home, environ={}, steps=False).steps == ()
    assert load(home=home, environ={}, steps=False).report == load(home=home, environ={}).report
    home.joinpath("config.toml").write_text("[strategies.never_met]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no strategy never_met"):
        load(home=home, environ={}, steps=False)
