"""Telling keys apart without keeping them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

_SECRET_BYTES = 32
_SHOWN = 12


class KeyHasher:
    """Hashes credentials with a secret of this installation, so that a stolen ledger cannot be used to guess them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._known: dict[str, str] = {}

    def digest(self, credentials: Iterable[str]) -> str:
        """A whole digest of all that a caller shows of himself: where no two may ever be taken for each other."""
        shown = b"".join(len(each).to_bytes(4, "big") + each for each in map(str.encode, credentials))
        return hmac.new(self._secret, b"all " + shown, hashlib.sha256).hexdigest()

    def name(self, credential: str | None) -> str | None:
        """A short stable name for a credential."""
        if credential is None:
            return None
        digest = hashlib.sha256(credential.encode()).hexdigest()
        if digest not in self._known:
            made = hmac.new(self._secret, credential.encode(), hashlib.sha256).hexdigest()
            self._known[digest] = f"key-{made[:_SHOWN]}"
        return self._known[digest]


def secret_at(path: Path) -> bytes:
    """The installation's secret, made on first use with mode 600."""
    try:
        found = path.read_bytes()
        if len(found) >= _SECRET_BYTES:
            return found
    except FileNotFoundError:
        pass
    made = secrets.token_bytes(_SECRET_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)
    return made
