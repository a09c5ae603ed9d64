"""Replies sealed at rest (AES-256-GCM).

Everything else in a row is bound to its body: a row that was changed, or moved under another key or tenant, does not
open.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import msgspec

from underspend.core.replies import Found, Listed, ReplyStore, ReplyStoreError, Stock, StoredReply

_FORM = b"\x01"
_NONCE = 12
_encode = msgspec.msgpack.encode


class Sealer(Protocol):
    """Seals bytes together with others that are not secret but belong to them."""

    def seal(self, plain: bytes, beside: bytes) -> bytes:
        """The sealed bytes."""
        ...

    def open(self, sealed: bytes, beside: bytes) -> bytes | None:
        """What was sealed; None where either is not as it was, or the key is another."""
        ...


class AesGcm:
    """A Sealer with a key of 32 bytes. Raises ReplyStoreError where the package cryptography is not there."""

    def __init__(self, key: bytes) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            problem = "sealing needs the package cryptography: pip install 'underspend[cache]'"
            raise ReplyStoreError(path="rest", problem=problem) from error
        self._cipher = AESGCM(key)
        self._invalid = InvalidTag

    def seal(self, plain: bytes, beside: bytes) -> bytes:
        """One byte for the form, the nonce, then the sealed bytes with their tag."""
        nonce = os.urandom(_NONCE)
        return _FORM + nonce + self._cipher.encrypt(nonce, plain, beside)

    def open(self, sealed: bytes, beside: bytes) -> bytes | None:
        """What was sealed."""
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        if sealed[:1] != _FORM or len(nonce) != _NONCE:
            return None
        try:
            return self._cipher.decrypt(nonce, rest, beside)
        except self._invalid:
            return None


class SealedReplies:
    """A ReplyStore that seals what another keeps. A row that does not open is as good as none."""

    def __init__(self, store: ReplyStore, sealer: Sealer) -> None:
        self._store = store
        self._sealer = sealer

    async def get(self, key: bytes, tenant: str, now: int, *, use: bool = True) -> Found:
        """The row of a key, opened; none where it is not as it was kept, or not the row that was asked for."""
        found = await self._store.get(key, tenant, now, use=use)
        row = found.row
        if row is None or (row.key, row.tenant) != (key, tenant) or row.expires_at <= now:
            return Found(None, found.clears)
        plain = self._sealer.open(row.body, _beside(row))
        return Found(replace(row, body=plain) if plain is not None else None, found.clears)

    async def put(self, row: StoredReply, clears: int) -> bool:
        """Keeps a row, sealed."""
        return await self._store.put(replace(row, body=self._sealer.seal(row.body, _beside(row))), clears)

    async def clear(self, tag: str | None = None) -> int:
        """Forgets all rows with a tag, or all."""
        return await self._store.clear(tag)

    async def remove(self, key: bytes) -> bool:
        """Forgets one row."""
        return await self._store.remove(key)

    async def listed(self, *, now: int, limit: int = 100, tag: str | None = None) -> Sequence[Listed]:
        """The rows that still answer, those used last first."""
        return await self._store.listed(now=now, limit=limit, tag=tag)

    async def stock(self, now: int) -> Stock:
        """What is held and still answers."""
        return await self._store.stock(now)

    async def close(self) -> None:
        """Lets go of the other."""
        await self._store.close()


def _beside(row: StoredReply) -> bytes:
    return _encode(
        ["underspend reply", row.key, row.tenant, row.kept_at, row.expires_at, row.model, row.tags, row.cost]
    )
