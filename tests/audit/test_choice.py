from audit.histories import DAY, HAIKU, START, line, reply, sample
from underspend.audit.bills import price
from underspend.audit.choice import Choice


def test_timelines_are_cut_to_the_chosen_time():
    choice = Choice(since=START + 1, until=START + DAY)
    assert [[event.at for event in each.events if event.at > START] for each in choice.timelines(sample().timelines)]
    assert choice.timelines([line(reply("m", START))]) == []
    assert choice.is_part


def test_sessions_and_projects_are_chosen_whole():
    lines = sample().timelines
    assert Choice(session="s-t").timelines(lines) == [each for each in lines if each.session == "s-two"]
    assert Choice(project="/home/dev/shop").timelines(lines) == lines[:1]
    assert not Choice(project="shop").is_part


def test_a_model_is_chosen_reply_by_reply():
    chosen = [each.reply.message_id for each in price(sample()) if Choice(model=HAIKU).is_chosen(each)]
    assert chosen == ["h1"]
