from underspend.web.charts.lane_bar import lane_bar


def test_lanes_are_as_wide_as_their_part_of_the_dearest_row():
    made = lane_bar({"input": 25, "output": 25, "cache_read": 0}, of=100)
    assert '<rect x="0" y="0" width="250" height="1" class="lane-input">' in made
    assert '<rect x="250" y="0" width="250" height="1" class="lane-output">' in made
    assert 'aria-label="fresh input 50.0%, output 50.0%"' in made


def test_a_row_without_dollars():
    assert 'aria-label="no dollars"' in lane_bar({}, of=0)
