"""Claude's requests as the clouds want them: the model is in the path, and the version of the API in the body."""

from __future__ import annotations

import msgspec

from underspend.formats.json_slices import Patch, Slice, members, patched, trimmed
from underspend.providers.provider import Outgoing

_BETAS = b"anthropic-beta"


def without_model(request: Outgoing, version: str, *, betas: bool = False, stream: bool = False) -> bytes:
    """The body without `model` (and `stream`, unless it is kept), with `anthropic_version`; all else byte for byte.

    With `betas`, those of the client's header go into the body. Raises ValueError where the body is no object.
    """
    raw = request.body
    whole = trimmed(raw)
    found = members(raw, whole)
    gone = {"model"} if stream else {"model", "stream"}
    keep = [name for name in found if name not in gone and name != "anthropic_version"]
    parts = [_member("anthropic_version", msgspec.json.encode(version))]
    asked = [name.strip() for value in _betas(request) for name in value.split(",") if name.strip()]
    if betas and asked and "anthropic_beta" not in found:
        parts.append(_member("anthropic_beta", msgspec.json.encode(asked)))
    parts += [_member(name, raw[found[name].start : found[name].end]) for name in keep]
    return patched(raw, [Patch(Slice(whole.start, whole.end), b"{" + b",".join(parts) + b"}")])


def _betas(request: Outgoing) -> list[str]:
    return [value.decode("latin-1") for name, value in request.headers if name == _BETAS]


def _member(name: str, value: bytes) -> bytes:
    return msgspec.json.encode(name) + b":" + value
