"""Keys by reference: where a key is, never the key, is what settings hold."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from underspend.core.errors import ConfigError

KINDS = ("env:", "keyring:", "file:")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MEND = 'Write key = "env:NAME" for a variable, "keyring:service/user", or "file:/path" for a file of mode 600.'


class Secret:
    """A key that shows itself only when asked to: not in a repr, a log or an error."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def check_reference(reference: str, where: str) -> None:
    """Raises ConfigError for what is no reference. A key in plain text is refused, and not repeated in the error."""
    if not reference.startswith(KINDS) or reference in KINDS:
        raise ConfigError(where=where, problem="a key may not stand in the settings in plain text", mend=_MEND)


def resolve(reference: str, where: str, environ: Mapping[str, str]) -> Secret:
    """The key that a reference leads to. Raises ConfigError naming the reference where there is none."""
    check_reference(reference, where)
    kind, _, rest = reference.partition(":")
    match kind:
        case "env":
            found = environ.get(rest, "")
            missing = f"the variable {rest} is not set"
        case "file":
            found = _from_file(Path(rest), where)
            missing = f"the file {rest} is empty"
        case _:
            found = _from_keyring(rest, where)
            missing = f"the keyring has nothing for {rest}"
    found = found.strip()
    if not found:
        raise ConfigError(where=where, problem=missing, mend="Put the key there, or name another place.")
    if not found.isprintable() or not found.isascii():
        raise ConfigError(where=where, problem=f"what {reference} holds is no key", mend="It is one line of text.")
    return Secret(found)


def _from_file(path: Path, where: str) -> str:
    if not path.is_absolute():
        raise ConfigError(where=where, problem=f"{path} is not a whole path", mend="Write it from the root on.")
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(where=where, problem=f"{path} is no file", mend="Name a file that holds the key.")
        if mode & _OTHERS:
            problem = f"{path} can be read by others (mode {stat.S_IMODE(mode):o})"
            raise ConfigError(where=where, problem=problem, mend=f"Run: chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(where=where, problem=f"{path} cannot be read ({why})", mend="Check the path.") from error


def _from_keyring(name: str, where: str) -> str:
    service, _, user = name.partition("/")
    try:
        keyring = import_module("keyring")
    except ImportError as error:
        mend = "Install it: pip install 'underspend[keyring]'."
        raise ConfigError(where=where, problem="the keyring library is not installed", mend=mend) from error
    try:
        return keyring.get_password(service, user) or ""
    except Exception as error:
        problem = f"the keyring cannot be read ({type(error).__name__})"
        raise ConfigError(where=where, problem=problem, mend="Unlock it, or name another place.") from error
