from audit.histories import history, line, reply, sample
from underspend.audit.bills import by_message, price


def test_every_reply_is_priced_once_and_in_time():
    billed = price(sample())
    assert [each.reply.message_id for each in billed] == ["m1", "a1", "m2", "m3", "h1", "h2"]
    assert billed[0].bill.total == 100 * 4_000_000 + 10_000 * 5_000_000 + 50 * 20_000_000
    assert set(by_message(billed)) == {"m1", "a1", "m2", "m3", "h1", "h2"}


def test_a_message_in_two_timelines_is_one_reply():
    one = reply("m", usage=(10, 0, 0, 0, 0))
    assert len(price(history(line(one), line(one, session="fork")))) == 1


def test_output_never_recorded_is_priced_apart():
    billed = {each.reply.message_id: each for each in price(sample())}
    assert billed["m3"].unseen == 300 * 20_000_000
    assert billed["m3"].bill.lines[-1].tokens == 200


def test_output_never_recorded_has_a_price_where_nothing_else_was_written():
    assert price(history(line(reply("m", usage=(5, 0, 0, 0, 0), unseen_output=3))))[0].unseen == 3 * 20_000_000
    assert price(history(line(reply("m", model=None, unseen_output=3))))[0].unseen == 0


def test_an_unknown_model_is_named_as_it_names_itself():
    last = price(sample())[-1]
    assert last.model == "claude-unheard-of"
    assert last.bill.unpriced
