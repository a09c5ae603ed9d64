from __future__ import annotations

import hashlib

from readers.transcripts import result, tool
from underspend.readers.claude_code.messages import Conversation, hash_of

TEXT = {"type": "text", "text": "Hi"}


def test_the_name_of_a_message() -> None:
    text = '{"content":[{"text":"ü","type":"text"}],"role":"user"}'
    assert (
        hash_of({"role": "user", "content": [{"type": "text", "text": "ü"}]})
        == hashlib.sha256(text.encode()).hexdigest()
    )


def test_blocks_of_one_reply_are_one_message() -> None:
    found = Conversation()
    found.take("assistant", "msg_1", [TEXT])
    found.take("assistant", "msg_1", [tool("t1")])
    found.take("user", None, [result("t1")])
    found.take("assistant", "msg_1", [tool("t2")])
    found.take("user", None, [result("t2")])
    assert [(said.role, len(said.content)) for said in found.said] == [("assistant", 3), ("user", 2)]


def test_prompts_stay_apart() -> None:
    found = Conversation()
    found.take("user", None, "One")
    found.take("user", None, "Two")
    assert [said.content for said in found.said] == ["One", "Two"]


def test_a_message_is_found_in_either_form() -> None:
    found = Conversation()
    found.take("user", None, "Hi")
    found.take("assistant", "msg_1", [TEXT])
    for form in ({"role": "user", "content": "Hi"}, {"role": "user", "content": [TEXT]}):
        assert found.find(hash_of(form), set(), 2) == (0, form)
    assert found.find(hash_of({"role": "assistant", "content": "Hi"}), set(), 2) == (
        1,
        {"role": "assistant", "content": "Hi"},
    )


def test_neither_used_nor_later_messages_are_found() -> None:
    found = Conversation()
    found.take("user", None, "Hi")
    name = hash_of({"role": "user", "content": "Hi"})
    assert found.find(name, {0}, 1) is None
    assert found.find(name, set(), 0) is None


def test_thinking_may_be_left_out() -> None:
    found = Conversation()
    found.take("assistant", "msg_1", [{"type": "thinking", "thinking": "x"}, TEXT])
    assert found.find(hash_of({"role": "assistant", "content": [TEXT]}), set(), 1) is not None


def test_content_of_another_form() -> None:
    found = Conversation()
    found.take("assistant", None, None)
    found.take("user", None, [1, "x"])
    assert [said.content for said in found.said] == [[], []]
