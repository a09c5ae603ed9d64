from audit.histories import HAIKU, OPUS, START, history, line, reply, sample, typed
from underspend.audit.bills import price
from underspend.audit.categories import kinds
from underspend.audit.days import Days
from underspend.audit.groups import cells
from underspend.audit.questions import answered, asked


def told(made):
    """Each timeline for itself, as one is a part of a history."""
    parts = [price(history(line)) for line in made.timelines]
    return answered([asked(billed, cells(billed, Days(), kinds(billed))) for billed in parts])


def test_routes_by_prompt_tokens():
    found = told(sample())
    assert [(each.project, each.agent, each.calls) for each in found.routes] == [
        ("shop", "main", 3),
        ("blog", "main", 2),
        ("shop", "Explore", 1),
    ]
    assert found.routes[0].cached_tokens == 20_700


def test_routes_of_one_model_by_what_they_spend_on_looking():
    found = told(sample())
    assert [(each.agent, each.models) for each in found.one_model] == [("main", (OPUS,)), ("Explore", (OPUS,))]
    assert found.one_model[0].light == found.one_model[0].cost - sum(
        each.bill.total for each in price(sample()) if each.reply.message_id in {"m2", "m3"}
    )


def test_lengths_of_answers():
    made = history(line(*(reply(f"m{n}", START + n, (0, 0, 0, 0, n)) for n in range(1, 101))))
    (found,) = told(made).answers
    assert (found.calls, found.mean, found.median, found.most) == (100, 50, 51, 95)


def test_what_no_person_waited_for_at_batch_prices():
    alone = line(typed(by_person=False), reply("m", usage=(1000, 0, 0, 0, 0)))
    sdk = line(reply("n", usage=(1000, 0, 0, 0, 0)), entrypoint="sdk-py", session="x")
    found = told(history(alone, sdk, line(typed(), reply("o", usage=(9, 0, 0, 0, 0)), session="y"))).waiting
    assert (found.calls, found.cost, found.at_batch_prices) == (2, 8 * 10**9, 4 * 10**9)


def test_nothing_waits_where_a_person_sat():
    assert told(history(line(reply("m", model=HAIKU)), line(reply("a"), agent="x"))).waiting.calls == 0
