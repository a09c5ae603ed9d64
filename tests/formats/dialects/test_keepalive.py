from __future__ import annotations

from hypothesis import given

from formats.dialects.asks import UNTIMED
from formats.streams import CUTS, pieces
from underspend.formats.dialects.keepalive import COMMENT, LivelyParser

STREAM = b": first\n\ndata: a\n: within\ndata: b\n\n: OPENROUTER PROCESSING\r\n\r\ndata: c\n\n"


@UNTIMED
@given(CUTS)
def test_comments_come_out_in_their_place_whatever_the_cuts(cuts: list[int]) -> None:
    parser = LivelyParser()
    found = [data for piece in pieces(STREAM, cuts) for data in parser.feed(piece)]
    assert found + parser.finish() == [COMMENT, COMMENT, b"a\nb", COMMENT, b"c"]
