from underspend.audit.replay.play import Deeds
from underspend.audit.replay.taken import taken_for_granted


def names(*kinds):
    return [each.name for each in taken_for_granted([Deeds(kinds=set(kinds))])]


def test_each_kind_of_edit_takes_its_own_things_for_granted():
    assert names("SetBreakpoint") == []
    assert names("SetModel") == ["tokenizer", "model_work"]
    assert names("ReplaceContent", "ShortenContent", "SetMaxOutput") == ["content", "content_tokens", "max_output"]
