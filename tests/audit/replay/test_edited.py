from audit.calls_in_a_row import MINUTE, START, STEADY, line, loop, mark, reply, typed
from audit.histories import history
from audit.replay.policies import Lifetime, Trim, on, reads, steady
from underspend.audit.replay.edited import Talk, left_of
from underspend.audit.replay.play import _World
from underspend.audit.replay.traffic import traffic
from underspend.core.call import Block, Section
from underspend.core.conversation import name_of
from underspend.core.edits import ReplaceContent, ShortenContent
from underspend.promptcache import Cache, Names

HOUR = 60 * MINUTE


def world_after(made, *strategies):
    world = _World(made, on(*strategies))
    for asked in made.calls:
        world.take(asked)
    return world, next(iter(world._talks.values()))


def test_a_conversation_begins_knowing_nothing():
    made = steady()
    talk = Talk.new(Names())
    talk.take(made.calls[0])
    known = talk.known(made.calls[0], Cache())
    assert (known.calls, known.idle, known.warm_tokens, known.cold_at, known.kept) == (0, None, 0, None, {})


def known_before_the_last(made, *strategies):
    world = _World(made, on(*strategies))
    for asked in made.calls[:-1]:
        world.take(asked)
    talk = next(iter(world._talks.values()))
    talk.take(made.calls[-1])
    return talk.known(made.calls[-1], world._cache)


def test_it_knows_its_pauses_and_what_is_warm_and_until_when():
    known = known_before_the_last(steady())
    assert (known.calls, known.idle, known.gaps) == (3, MINUTE, [MINUTE] * 3)
    assert known.warm_tokens == 16_003
    assert known.cold_at == START + 2 * MINUTE + 5 * MINUTE
    assert known.long_tokens == 0
    assert known.model == "claude-opus-5-5"


def test_what_was_written_for_an_hour_is_told_apart():
    known = known_before_the_last(steady(), Lifetime())
    assert known.long_tokens == known.warm_tokens == 16_003


def test_edits_stay_where_they_were_made():
    made = traffic(history(line(*reads(1000, 2000, 500))))
    _, talk = world_after(made, Trim())
    assert [block.tokens for block in talk.blocks if block.kind == "tool_result"] == [10, 10, 10]
    assert len(talk.kept) == 3
    assert set(talk.kept) == {name_of(block) for block in made.calls[-1].recorded.base if block.kind == "tool_result"}
    call = talk.take(made.calls[-1])
    # What came in with the last call comes in once more; edits of what stood before it are in place.
    assert call.prompt_tokens == made.calls[-1].recorded.call.prompt_tokens - 3000 + 20


def test_what_is_left_of_a_result_weighs_what_it_did():
    block = Block(Section.MESSAGES, "tool_result", "", b"", 3000, 1000)
    assert left_of(block, ShortenContent(0, 1000, 500, 400, why="t")) == 500
    assert left_of(block, ShortenContent(0, 10, 5, 400, why="t")) == 400
    assert left_of(block, ShortenContent(0, 9000, 5, 2000, why="t")) == 1000
    assert left_of(block, ReplaceContent(0, "gone", 3, why="t")) == 3


def test_edits_are_gone_with_the_messages_they_were_made_in():
    events = [
        *reads(1000, 2000),
        mark("compaction", START + 5 * MINUTE),
        typed(START + 5 * MINUTE),
        reply("z", START + 6 * MINUTE, (0, 2000, 0, 10_000, 9)),
    ]
    made = traffic(history(line(*events)))
    _, talk = world_after(made, Trim())
    assert talk.edited == {}
    assert sum(block.tokens for block in talk.blocks) == 12_000


def test_it_knows_what_it_has_saved_so_far():
    made = traffic(history(line(*reads(1000, 2000, 500))))
    _, talk = world_after(made, Trim())
    assert talk.saved > 0
    assert talk.paid + talk.saved == made.recorded
    _, dearer = world_after(steady(), Lifetime())
    assert dearer.saved < 0


def test_a_cold_prompt_is_known_as_cold():
    known = known_before_the_last(traffic(history(line(*loop(*STEADY[:2], gap=HOUR)))))
    assert known.is_cold
    assert (known.idle, known.cold_at, known.long_tokens) == (HOUR, None, 0)
