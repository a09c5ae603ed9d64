from __future__ import annotations

from underspend.testing.fake_upstream.pieces import Piece


def test_a_piece_without_more_holds_no_output() -> None:
    assert (Piece(b"x").output_tokens, Piece(b"x").kind) == (0, "")
