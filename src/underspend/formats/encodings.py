"""Content codings, undone as the bytes pass, so that what is forwarded may stay encoded while it is metered."""

from __future__ import annotations

import zlib
from collections.abc import Callable

Decoder = Callable[[bytes], bytes]
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


def decoder(coding: str | None) -> Decoder:
    """A function from encoded chunks to decoded ones, for a Content-Encoding header's value.

    Raises ValueError for a coding not known; codings that were applied one after the other are not.
    """
    match (coding or "identity").strip().lower():
        case "identity" | "":
            return _same
        case "gzip" | "x-gzip" | "deflate":
            return zlib.decompressobj(_GZIP_OR_ZLIB).decompress
        case "br":
            import brotli

            process: Decoder = brotli.Decompressor().process
            return process
        case "zstd":
            import zstandard

            return zstandard.ZstdDecompressor().decompressobj().decompress
        case other:
            raise ValueError(f"content-encoding {other} is not known")


def _same(chunk: bytes) -> bytes:
    return chunk
