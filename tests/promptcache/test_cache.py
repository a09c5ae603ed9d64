import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcache.prompts import MODEL, SECOND, ask, lanes, piece, system
from underspend.promptcache import Cache, Settings, build


def test_a_growing_conversation_reads_the_old_part_and_writes_the_new():
    cache = Cache()
    assert ask(cache, system("s", 600, "5m"), piece("a", 50, "5m"), piece("b", 3)) == (3, 0, 650, 0)
    assert ask(cache, system("s", 600, "5m"), piece("a", 50), piece("c", 30, "5m"), at=9) == (0, 650, 30, 0)


def test_nothing_is_written_without_a_breakpoint():
    cache = Cache()
    assert ask(cache, piece("a", 900)) == (900, 0, 0, 0)
    assert ask(cache, piece("a", 900, "5m")) == (0, 0, 900, 0)


def test_a_prefix_below_the_minimum_is_silently_not_cached():
    cache = Cache()
    assert ask(cache, piece("a", 511, "5m"), minimum=512) == (511, 0, 0, 0)
    assert ask(cache, piece("a", 511), piece("b", 1, "5m"), minimum=512) == (0, 0, 512, 0)


@pytest.mark.parametrize(("added", "read"), [(19, 600), (20, 0)])
def test_a_breakpoint_sees_twenty_positions_itself_the_first(added, read):
    cache = Cache()
    ask(cache, piece("a", 600, "5m"))
    new = [piece(f"n{number}", 1) for number in range(added - 1)]
    assert ask(cache, piece("a", 600), *new, piece("end", 1, "5m"))[1] == read


def test_lookback_finds_earlier_writes_not_equal_content():
    cache = Cache()
    ask(cache, piece("a", 600), piece("b", 10, "5m"))
    assert ask(cache, piece("a", 600, "5m")) == (0, 0, 600, 0)


@pytest.mark.parametrize(("ttl", "lives"), [("5m", 300), ("1h", 3600)])
def test_a_lifetime_counts_from_the_start_and_is_refreshed_by_a_read(ttl, lives):
    cache = Cache()
    ask(cache, piece("a", 600, ttl))
    assert ask(cache, piece("a", 600, ttl), at=lives - 1)[1] == 600
    assert ask(cache, piece("a", 600, ttl), at=2 * lives - 2)[1] == 600
    assert ask(cache, piece("a", 600, ttl), at=3 * lives - 2)[1] == 0


def test_a_hit_keeps_the_lifetime_it_was_written_with():
    cache = Cache()
    ask(cache, piece("a", 600, "5m"))
    assert ask(cache, piece("a", 600, "1h"), at=10) == (0, 600, 0, 0)
    assert ask(cache, piece("a", 600, "1h"), at=311) == (0, 0, 0, 600)


def test_mixed_lifetimes_are_billed_apart():
    cache = Cache()
    first = [system("s", 600, "1h"), piece("a", 100, "1h"), piece("b", 50, "5m"), piece("c", 7)]
    assert ask(cache, *first) == (7, 0, 50, 700)
    assert ask(cache, *first, at=400) == (7, 700, 50, 0)


def test_parallel_requests_each_write_until_the_first_response_begins():
    cache = Cache()
    assert ask(cache, piece("a", 600, "5m"), began=4)[2] == 600
    assert ask(cache, piece("a", 600, "5m"), at=3, began=5)[2] == 600
    assert ask(cache, piece("a", 600, "5m"), at=4)[1] == 600


def test_each_breakpoint_refreshes_its_own_hit():
    cache = Cache()
    ask(cache, system("s", 600, "5m"), piece("a", 50, "5m"))
    ask(cache, system("s", 600, "5m"), piece("a", 50, "5m"), at=200)
    assert ask(cache, system("s", 600, "5m"), piece("other", 50), at=450) == (50, 600, 0, 0)


def test_another_model_or_workspace_has_a_cache_of_its_own():
    cache = Cache()
    ask(cache, piece("a", 600, "5m"))
    assert ask(cache, piece("a", 600, "5m"), settings=Settings(model="claude-haiku-5-5"))[1] == 0
    assert ask(cache, piece("a", 600, "5m"), settings=Settings(model=MODEL.model, scope="w2"))[1] == 0
    assert ask(cache, piece("a", 600, "5m"))[1] == 600


def test_what_is_dead_is_forgotten():
    cache = Cache()
    ask(cache, piece("a", 600, "5m"))
    assert len(cache) == 1
    ask(cache, piece("b", 600), at=301)
    assert len(cache) == 0
    ask(cache, piece("a", 600, "1h"), at=302)
    cache.clear()
    assert len(cache) == 0


sizes = st.lists(st.integers(1, 400), min_size=1, max_size=30)


@given(sizes, st.data())
def test_the_lanes_add_up_and_a_repetition_is_read(tokens, data):
    marks = data.draw(st.sets(st.integers(0, len(tokens) - 1), max_size=4))
    longs = data.draw(st.integers(0, len(marks)))
    ttl = {at: "1h" if rank < longs else "5m" for rank, at in enumerate(sorted(marks))}
    prompt = build([piece(f"p{at}", size, ttl.get(at)) for at, size in enumerate(tokens)], MODEL, minimum=200)
    cache = Cache()
    first = cache.admit(prompt, 0)
    assert first.prompt == prompt.total == sum(tokens)
    cache.began(first, SECOND)
    again = cache.admit(prompt, 2 * SECOND)
    assert lanes(again) == (first.input, first.written, 0, 0)
    assert again.written == 0
    late = cache.admit(prompt, 3700 * SECOND)
    assert lanes(late) == lanes(first)


def prompt(*pieces, minimum=0):
    return build(pieces, MODEL, minimum=minimum)


def test_what_would_be_found_is_found_without_a_trace():
    cache, made = Cache(), prompt(system("s", 600, "5m"), piece("a", 50, "5m"))
    assert cache.find(made, 0) == (-1, 0)
    cache.began(cache.admit(made, 0), 0)
    assert cache.find(made, 10 * SECOND) == (1, 300 * SECOND)
    assert cache.find(made, 299 * SECOND) == (1, 300 * SECOND)
    assert cache.find(made, 300 * SECOND) == (-1, 0)


def test_what_is_known_to_have_missed_is_written_again():
    cache, made = Cache(), prompt(system("s", 600, "5m"), piece("a", 50, "5m"))
    cache.began(cache.admit(made, 0), 0)
    assert lanes(cache.admit(made, SECOND, at_most=0)) == (0, 600, 50, 0)
    assert lanes(cache.admit(made, SECOND, at_most=-1)) == (0, 0, 650, 0)


def test_what_others_kept_warm_is_read_and_stays_for_its_lifetime():
    cache, made = Cache(), prompt(system("s", 600, "5m"), piece("a", 50, "5m"))
    assert lanes(cache.admit(made, 0, at_least=0)) == (0, 600, 50, 0)
    assert cache.find(made, SECOND)[0] == 0
    plain = prompt(system("s", 600), piece("a", 50))
    assert lanes(cache.admit(plain, 0, at_least=1)) == (650, 0, 0, 0)
