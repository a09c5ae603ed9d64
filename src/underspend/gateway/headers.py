"""Which headers cross the gateway: all end-to-end ones, in order and unchanged (RFC 9110 §7.6.1)."""

from __future__ import annotations

from collections.abc import Iterable

from underspend.gateway.transport import RawHeaders
from underspend.pricing.capabilities import refused_betas

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_OURS = (b"x-underspend-",)
_REPLACED = frozenset({b"host", b"expect"})


def forwarded(headers: RawHeaders, *, body_changed: bool = False) -> RawHeaders:
    """The headers to send upstream. Ours (x-underspend-*) end here; the host is upstream's own."""
    named = _connection_tokens(headers)
    skipped = _HOP_BY_HOP | _REPLACED | named | ({b"content-length"} if body_changed else set())
    return [pair for pair in headers if pair[0] not in skipped and not pair[0].startswith(_OURS)]


def for_model(headers: RawHeaders, model: str) -> RawHeaders:
    """The headers of an Anthropic-style request without the betas that a model answers with an error."""
    made: RawHeaders = []
    for name, value in headers:
        if name == b"anthropic-beta":
            betas = [beta.strip() for beta in value.decode("latin-1").split(",")]
            refused = refused_betas(betas, model)
            if refused:
                left = ",".join(beta for beta in betas if beta not in refused)
                made += [(name, left.encode("latin-1"))] if left else []
                continue
        made.append((name, value))
    return made


def returned(headers: RawHeaders) -> RawHeaders:
    """The headers to send back to the client."""
    lowered = [(name.lower(), value) for name, value in headers]
    skipped = _HOP_BY_HOP | _connection_tokens(lowered)
    return [pair for pair, (name, _) in zip(headers, lowered, strict=True) if name not in skipped]


def first(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """The first value of a header whose name is given in lower case."""
    for name, value in headers:
        if name.lower() == wanted:
            return value.decode("latin-1")
    return None


def as_mapping(headers: RawHeaders) -> dict[str, str]:
    """Names to values, for reading; of a repeated header the last."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}


def _connection_tokens(headers: RawHeaders) -> set[bytes]:
    return {
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
        if token.strip()
    }
