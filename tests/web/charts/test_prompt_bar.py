from underspend.core.usage import Usage
from underspend.reports.anatomy import Piece, anatomy
from underspend.web.charts.prompt_bar import prompt_bar

PIECES = [
    Piece(section="tools", kind="tool", label="Bash", size=1, estimate=300, breakpoint="5m"),
    Piece(section="messages", kind="text", label="<user>", size=1, estimate=100),
]


def test_blocks_are_as_wide_as_their_tokens_and_the_boundary_is_marked():
    made = prompt_bar(anatomy(PIECES, Usage(input=100, cache_read=300)))
    assert 'class="lane-cache_read" data-tip="1. Bash\ntools · tool\n300 tokens, cache read\nbreakpoint 5m"' in made
    assert 'class="boundary before" style="left:75.00%"' in made
    assert "cached until here: 300 tokens, 75.0%" in made
    assert "&lt;user&gt;" in made


def test_without_usage_no_lane_and_no_boundary():
    made = prompt_bar(anatomy(PIECES, None))
    assert "lane-unknown" in made
    assert "boundary" not in made
    assert 'aria-label="2 blocks, about 400 tokens"' in made
