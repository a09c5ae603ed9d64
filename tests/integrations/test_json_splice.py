import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underspend.integrations.json_splice import drop, members, put

keys = st.text(min_size=1, max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=5)
layouts = st.sampled_from([None, 2, 4, "\t"])


@given(objects, layouts, keys, keys)
def test_put_changes_one_member_and_drop_takes_it_out(held, indent, section, key):
    held.pop(section, None)
    text = json.dumps(held, indent=indent)
    changed = put(text, (section, key), "new")
    assert json.loads(changed) == {**held, section: {key: "new"}}
    assert json.loads(drop(changed, (section,))) == held


@given(objects, layouts, keys)
def test_put_into_an_object_keeps_its_other_members(inner, indent, key):
    text = json.dumps({"before": 1, "env": inner, "after": [1, {"env": {}}]}, indent=indent)
    changed = put(text, ("env", key), "v")
    assert json.loads(changed) == {"before": 1, "env": {**inner, key: "v"}, "after": [1, {"env": {}}]}
    assert [member.key for member in members(changed, 0)[0]] == ["before", "env", "after"]


def test_layout_is_kept():
    text = '{\n    "model": "opus",\n    "env": {\n        "A": "1"\n    }\n}\n'
    assert put(text, ("env", "B"), "2") == text.replace('"A": "1"', '"A": "1",\n        "B": "2"')
    assert put("{}\n", ("env", "B"), "2") == '{\n  "env": {\n    "B": "2"\n  }\n}\n'


def test_dropping_what_is_not_there_changes_nothing():
    assert drop('{"a": 1}', ("env", "B")) == '{"a": 1}'
    assert drop('{"env": {"A": 1}}', ("env", "B")) == '{"env": {"A": 1}}'


@pytest.mark.parametrize("text", ["[]", "{", '{"a" 1}', '{"a": 1 "b": 2}', "", "{a: 1}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError):
        members(text, 0)
