from audit.calls_in_a_row import START, result, typed
from audit.histories import reply, tool
from underspend.audit.replay.pieces import came_in, digest_of, said
from underspend.core.call import Section, Verb


def test_a_reply_becomes_blocks_that_hold_what_was_billed_for_it():
    answer = reply("m", tools=(tool("Read", "a.py", 70, "u1"),), text_chars=140, thinking_chars=350)
    drafts = said(answer, 1000)
    assert [draft.kind for draft in drafts] == ["thinking", "text", "tool_use"]
    assert sum(draft.guess for draft in drafts) == 1000
    use = drafts[-1].made(7, 4)
    assert (use.ref, use.verb, use.subject, use.message, use.role) == (
        "u1",
        Verb.READ,
        digest_of("a.py"),
        4,
        "assistant",
    )
    assert (use.section, use.tokens, len(use.digest)) == (Section.MESSAGES, 7, 16)


def test_a_reply_that_shows_nothing_is_text():
    assert [(draft.kind, draft.guess) for draft in said(reply("m"), 30)] == [("text", 30)]
    assert said(reply("m"), 0) == []


def test_thinking_that_is_not_shown_counts_as_billed():
    drafts = said(reply("m", thinking_tokens=90, text_chars=35), 100)
    assert [(draft.kind, draft.guess) for draft in drafts] == [("thinking", 90), ("text", 10)]


def test_a_result_is_of_the_tool_that_was_used_on_something():
    use = tool("Read", "a.py", use="u1")
    drafts = came_in([result("u1", START, size=350, images=1), typed(START), result("u9", START)], {"u1": use})
    assert [(draft.kind, draft.label) for draft in drafts] == [
        ("tool_result", "Read result"),
        ("text", "user"),
        ("tool_result", "tool result"),
    ]
    read = drafts[0]
    assert (read.guess, read.verb, read.subject, read.ref) == (1600, Verb.READ, digest_of("a.py"), "u1")
    assert drafts[2].verb is None


def test_names_are_equal_for_equal_things_only():
    first, second = said(reply("m"), 3), said(reply("n"), 3)
    assert first[0].made(3, 1) == said(reply("m"), 3)[0].made(3, 1)
    assert first[0].made(3, 1).digest != second[0].made(3, 1).digest
