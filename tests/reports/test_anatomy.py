from hypothesis import given
from hypothesis import strategies as st

from underspend.core.usage import Lane, Usage
from underspend.reports.anatomy import Piece, anatomy, apportion


def piece(estimate, mark=None):
    return Piece(section="messages", kind="text", label="x", size=estimate * 4, estimate=estimate, breakpoint=mark)


def test_lanes_end_at_block_ends_and_the_last_breakpoint():
    pieces = [piece(100), piece(100), piece(100, "5m"), piece(50)]
    found = anatomy(pieces, Usage(input=60, cache_write_5m=120, cache_read=220))
    assert [block.lane for block in found.blocks] == [Lane.CACHE_READ] * 2 + [Lane.CACHE_WRITE_5M, Lane.INPUT]
    assert [block.tokens for block in found.blocks] == [110, 110, 120, 60]
    assert (found.total, found.cached_until) == (400, 2)


def test_longer_lifetimes_come_first():
    pieces = [piece(100, "1h"), piece(100, "5m"), piece(10)]
    found = anatomy(pieces, Usage(input=10, cache_write_5m=100, cache_write_1h=100))
    assert [block.lane for block in found.blocks] == [Lane.CACHE_WRITE_1H, Lane.CACHE_WRITE_5M, Lane.INPUT]


def test_a_lane_that_was_billed_shows_a_block_however_small():
    pieces = [piece(3000), piece(2000), piece(4000), piece(1000, "5m"), piece(500)]
    found = anatomy(pieces, Usage(input=1000, cache_write_5m=200, cache_read=9000))
    assert [block.tokens for block in found.blocks] == [3000, 2000, 4000, 200, 1000]


def test_without_usage_estimates_are_shown_and_no_lane():
    found = anatomy([piece(7)], None)
    assert (found.blocks[0].lane, found.total, found.cached_until) == (None, 7, None)
    assert anatomy([piece(7)], Usage(output=5)).usage is None


def test_nothing_cached():
    found = anatomy([piece(5), piece(5)], Usage(input=30))
    assert [block.lane for block in found.blocks] == [Lane.INPUT] * 2
    assert found.cached_until == 0


counts = st.integers(0, 10**6)


@given(
    st.lists(st.tuples(counts, st.sampled_from([None, "5m", "1h"])), min_size=1, max_size=20),
    st.builds(Usage, counts, counts, counts, counts, counts),
)
def test_blocks_add_up_to_the_reported_prompt_in_cache_order(sizes, usage):
    found = anatomy([piece(size, mark) for size, mark in sizes], usage)
    assert len(found.blocks) == len(sizes)
    if usage.prompt:
        assert found.total == usage.prompt
        order = [Lane.CACHE_READ, Lane.CACHE_WRITE_1H, Lane.CACHE_WRITE_5M, Lane.INPUT]
        places = [order.index(block.lane) for block in found.blocks]
        assert places == sorted(places)


@given(counts, st.lists(counts, min_size=1, max_size=30))
def test_apportion_is_exact(amount, weights):
    shares = apportion(amount, weights)
    assert sum(shares) == amount
    assert all(share >= 0 for share in shares)


def test_apportion_of_nothing_to_nobody():
    assert apportion(5, []) == []
