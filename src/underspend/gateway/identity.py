"""Who is asking: the wire's own words, and what earlier calls of the session said."""

from __future__ import annotations

from dataclasses import replace

from underspend.core.call import Identity
from underspend.core.ports import LedgerPort
from underspend.formats.anthropic_request import MessagesRequest
from underspend.formats.client_identity import credential, identify, project_name, working_directory
from underspend.gateway.credentials import KeyHasher
from underspend.gateway.routes import Route

_SESSIONS_REMEMBERED = 50_000
_TRIES = 3  # a session's first request may be one of the client's own, without the section that says it


class Identifier:
    """Names callers. `known` is where sessions were seen to work: session → project."""

    def __init__(self, ledger: LedgerPort, keys: KeyHasher, known: dict[str, str]) -> None:
        self._ledger = ledger
        self._keys = keys
        self._known = known
        self._silent: dict[str, int] = {}

    def identify(self, headers: dict[str, str], request: MessagesRequest | None, route: Route) -> Identity:
        """The identity of a call; never raises for anything a client may send."""
        key = self._keys.name(credential(headers))
        identity = identify(headers, request, path_project=route.project, key=key)
        if identity.project is None and identity.session is not None:
            return replace(identity, project=self._project_of(identity.session, request))
        return identity

    def _project_of(self, session: str, request: MessagesRequest | None) -> str | None:
        """The project of a session, learned from the first of its requests that says where it works."""
        known = self._known.get(session)
        if known is not None:
            return known
        if self._silent.get(session, 0) >= _TRIES:
            return None
        directory = working_directory(request)
        if directory is None:
            self._note_silence(session)
            return None
        project = project_name(directory)
        if len(self._known) >= _SESSIONS_REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[session] = project
        self._ledger.learn_session(session[:128], project[:255], directory)
        return project

    def _note_silence(self, session: str) -> None:
        if len(self._silent) >= _SESSIONS_REMEMBERED:
            self._silent.clear()
        self._silent[session] = self._silent.get(session, 0) + 1
