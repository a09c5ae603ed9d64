from __future__ import annotations

import json

import pytest

from underspend.core.usage import Usage
from underspend.formats.faq_reply import written
from underspend.formats.meter import meter
from underspend.formats.reply_ends import ended


@pytest.mark.parametrize("stream", [True, False])
def test_a_written_answer_is_a_whole_reply_that_costs_nothing(stream):
    kind, body = written('Say "hello" – é', name="ab12", model="m", stream=stream)
    assert ("event-stream" in kind) == stream
    end = ended(body, status=200, stream=stream, dialect="anthropic")
    assert (end.whole, end.stop, end.uses_tools, end.strange) == (True, "end_turn", False, "")
    metered = meter(body)
    assert (metered.usage, metered.model, metered.message_id) == (Usage(), "m", "msg_underspend_ab12")
    assert json.dumps('Say "hello" – é', ensure_ascii=False).encode() in body
