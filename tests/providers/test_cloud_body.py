import json

import pytest
from asking import outgoing
from hypothesis import given
from hypothesis import strategies as st

from underspend.providers.cloud_body import without_model

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=6))
def test_nothing_but_the_model_and_the_stream_is_lost(body):
    sent = {**body, "model": "m", "stream": True}
    made = json.loads(without_model(outgoing(body=json.dumps(sent).encode()), "v1"))
    kept = {name: value for name, value in body.items() if name not in {"model", "stream", "anthropic_version"}}
    assert made == {"anthropic_version": "v1", **kept}


def test_values_stay_as_they_were_written():
    raw = b' {"model": "m", "messages" : [ {"a":1.0, "b":"\\u00e9"} ] } '
    assert without_model(outgoing(body=raw), "v").strip() == (
        b'{"anthropic_version":"v","messages":[ {"a":1.0, "b":"\\u00e9"} ]}'
    )


def test_betas_move_into_the_body_where_they_are_wanted_there():
    asked = outgoing(headers=[(b"anthropic-beta", b"a-1, b-2"), (b"anthropic-beta", b"c-3")])
    assert json.loads(without_model(asked, "v", betas=True))["anthropic_beta"] == ["a-1", "b-2", "c-3"]
    assert "anthropic_beta" not in json.loads(without_model(asked, "v"))


def test_the_stream_is_kept_where_it_is_wanted():
    assert json.loads(without_model(outgoing(), "v", stream=True))["stream"] is True


@pytest.mark.parametrize("body", [b"[]", b"", b'{"a":1,"a":2}'])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(ValueError):
        without_model(outgoing(body=body), "v")
