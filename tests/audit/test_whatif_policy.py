import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.audit.whatif_policy import as_toml, policy
from underspend.core.errors import ConfigError
from underspend.core.strategy import State
from underspend.strategies import BUILTIN

RULE = 'rules = [{ model = "a", to = "b", roles = ["subagent"] }]'


def states(made):
    return {step.strategy.name: step.state for step in made.steps}


def test_without_a_word_it_is_what_keeps_meaning(tmp_path):
    wanted = {kind.name: State.ON if kind.keeps_meaning else kind.default_state for kind in BUILTIN}
    assert states(policy()) == wanted
    assert wanted["cache_ttl"] is State.ON
    assert states(policy(None, ["strategies.cache_ttl.pauses=3"])) == wanted
    assert states(policy(None, ["strategies.cache_ttl.state=off"]))["cache_ttl"] is State.OFF
    empty = tmp_path / "p.toml"
    empty.write_text("", encoding="utf-8")
    assert states(policy(empty)) == {kind.name: kind.default_state for kind in BUILTIN}


def test_a_file_and_settings_on_top_of_it(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text(f'[gateway]\nport = 1\n[strategies.model_rules]\nstate = "on"\n{RULE}\n', encoding="utf-8")
    made = policy(file, ["strategies.cache_ttl.state=off", 'strategies.trim_results.state = "shadow"'])
    assert states(made)["model_rules"] is State.ON
    assert states(made)["cache_ttl"] is State.OFF
    assert states(made)["trim_results"] is State.SHADOW
    rules = next(step.strategy for step in made.steps if step.strategy.name == "model_rules").rules
    assert rules[0].to == "b"


def test_it_can_be_written_down_and_read_again(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text(f'[strategies.model_rules]\nstate = "on"\n{RULE}\n', encoding="utf-8")
    made = policy(file, ["strategies.trim_results.state=on"])
    again = tmp_path / "again.toml"
    again.write_text(made.config(), encoding="utf-8")
    assert policy(again).steps == made.steps
    assert '[strategies.trim_results]\nstate = "on"' in made.config()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cache_ttl.state=on", "Write strategies.<name>.<setting>=<value>"),
        ("strategies.cache_ttl.state", "will not do"),
        ("strategies.nosuch.state=on", "no strategy nosuch"),
        ("strategies.cache_ttl.colour=red", "no setting colour"),
        ("strategies.cache_ttl.state=maybe", "Use off, shadow or on"),
    ],
)
def test_what_makes_no_sense_is_said(setting, said):
    with pytest.raises(ConfigError, match="--set") as caught:
        policy(None, [setting])
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["not toml", "strategies = 3", "[strategies]\nx = 1", b"\xff"])
def test_a_file_that_is_no_policy_is_named(tmp_path, text):
    file = tmp_path / "p.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=r"p\.toml"):
        policy(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        policy(tmp_path / "none.toml")


plain = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
    | st.integers(-(10**9), 10**9)
    | st.booleans()
)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab -é", max_size=4), inner, max_size=3)
)


@given(values)
def test_values_come_back_from_toml_as_they_were(value):
    assert tomllib.loads(f"v = {as_toml(value)}")["v"] == value
