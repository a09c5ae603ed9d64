"""The key that replies are sealed with: in the system's keyring, or in a file only its owner can read."""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path

from underspend.core.replies import ReplyStoreError

_BYTES = 32
_SERVICE, _NAME = "underspend", "response cache"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def key_in_file(path: Path) -> bytes:
    """The key in a file, made on first use with mode 600; two processes that start at once get the same.

    Raises ReplyStoreError when others may read it, or it holds no key.
    """
    try:
        if not path.exists():
            _make(path)
        if sys.platform != "win32" and (mode := stat.S_IMODE(path.stat().st_mode)) & _OTHERS:
            problem = f"others may use the key (mode {mode:o}); chmod 600 it, or delete it and with it what is cached"
            raise ReplyStoreError(path=path, problem=problem)
        found = path.read_bytes()
    except OSError as error:
        raise ReplyStoreError(path=path, problem=str(error)) from error
    if len(found) != _BYTES:
        raise ReplyStoreError(path=path, problem=f"the key has {len(found)} bytes, not {_BYTES}")
    return found


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # fails where another was quicker: its key it is then
    finally:
        draft.unlink()


def key_in_keyring() -> bytes:
    """The key in the system's keyring, made on first use. Raises ReplyStoreError where there is no keyring."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        problem = "it needs the package keyring: pip install 'underspend[cache]'"
        raise ReplyStoreError(path="the keyring", problem=problem) from error
    try:
        if keyring.get_password(_SERVICE, _NAME) is None:
            keyring.set_password(_SERVICE, _NAME, base64.b64encode(secrets.token_bytes(_BYTES)).decode())
        found = keyring.get_password(_SERVICE, _NAME) or ""
    except (KeyringError, RuntimeError, OSError) as error:
        raise ReplyStoreError(path="the keyring", problem=str(error) or type(error).__name__) from error
    return _decoded(found)


def _decoded(found: str) -> bytes:
    try:
        key = base64.b64decode(found, validate=True)
    except ValueError as error:
        raise ReplyStoreError(path="the keyring", problem="what it holds is no key") from error
    if len(key) != _BYTES:
        raise ReplyStoreError(path="the keyring", problem=f"the key has {len(key)} bytes, not {_BYTES}")
    return key
