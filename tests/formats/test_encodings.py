from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from formats.streams import CUTS, pieces
from underspend.formats.encodings import decoder

CODINGS: dict[str | None, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "identity": bytes,
    "": bytes,
    None: bytes,
    " GZip ": gzip.compress,
}


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary(max_size=400), cuts=CUTS)
def test_any_cut_of_a_coded_body_decodes_to_it(coding: str | None, body: bytes, cuts: list[int]) -> None:
    decode = decoder(coding)
    assert b"".join(decode(piece) for piece in pieces(CODINGS[coding](body), cuts)) == body


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_what_the_server_flushed_is_decoded_at_once(coding: str) -> None:
    event = b"data: {}\n\n"
    makers = {
        "gzip": zlib.compressobj(wbits=31),
        "br": brotli.Compressor(),
        "zstd": zstandard.ZstdCompressor().compressobj(),
    }
    maker, decode = makers[coding], decoder(coding)
    for _ in range(3):
        if coding == "br":
            chunk = maker.process(event) + maker.flush()
        else:
            flush = zlib.Z_SYNC_FLUSH if coding == "gzip" else zstandard.COMPRESSOBJ_FLUSH_BLOCK
            chunk = maker.compress(event) + maker.flush(flush)
        assert decode(chunk) == event


@pytest.mark.parametrize("coding", ["compress", "gzip, br", "sdch"])
def test_an_unknown_coding_is_refused(coding: str) -> None:
    with pytest.raises(ValueError, match="not known"):
        decoder(coding)
