"""The Files API: upload, list, get, content, delete. Files live in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from typing import Any

from underspend.testing.fake_upstream.answered import Answered, json_answer, raw_answer
from underspend.testing.fake_upstream.api_error import ApiError, invalid
from underspend.testing.fake_upstream.clock import FakeClock, rfc3339
from underspend.testing.fake_upstream.paging import page
from underspend.testing.fake_upstream.view import RequestView


@dataclass(frozen=True, slots=True)
class _File:
    id: str
    workspace: str
    name: str
    mime_type: str
    content: bytes
    created: int

    def metadata(self) -> dict[str, Any]:
        return {
            "type": "file",
            "id": self.id,
            "filename": self.name,
            "mime_type": self.mime_type,
            "size_bytes": len(self.content),
            "created_at": rfc3339(self.created),
            "downloadable": True,
        }


@dataclass(slots=True)
class Files:
    """Every file of every workspace. Unlike the real API, uploaded files may be downloaded again."""

    clock: FakeClock
    tag: str
    _files: dict[str, _File] = field(default_factory=dict)
    _made: int = 0

    def upload(self, view: RequestView, workspace: str) -> Answered:
        """Stores the `file` part of a multipart body. Raises ApiError (400) when there is none."""
        head = f"content-type: {view.headers.get('content-type', '')}\r\n\r\n".encode()
        form = BytesParser(policy=policy.HTTP).parsebytes(head + view.body)
        for part in form.iter_parts() if form.is_multipart() else ():
            if part.get_param("name", header="content-disposition") != "file":
                continue
            self._made += 1
            content = part.get_payload(decode=True)
            stored = _File(
                id=f"file_{self.tag}{self._made:08d}",
                workspace=workspace,
                name=part.get_filename() or "unnamed",
                mime_type=part.get_content_type(),
                content=content if isinstance(content, bytes) else b"",
                created=self.clock.now(),
            )
            self._files[stored.id] = stored
            return json_answer(stored.metadata())
        raise invalid("file: Field required")

    def listed(self, view: RequestView, workspace: str) -> Answered:
        """The workspace's files, newest first."""
        own = [f.metadata() for f in self._files.values() if f.workspace == workspace]
        return json_answer(page(own[::-1], view.query))

    def get(self, file_id: str, workspace: str) -> Answered:
        """A file's metadata."""
        return json_answer(self._own(file_id, workspace).metadata())

    def content(self, file_id: str, workspace: str) -> Answered:
        """A file's bytes."""
        found = self._own(file_id, workspace)
        return raw_answer(found.content, found.mime_type)

    def delete(self, file_id: str, workspace: str) -> Answered:
        """Removes a file."""
        self._own(file_id, workspace)
        del self._files[file_id]
        return json_answer({"type": "file_deleted", "id": file_id})

    def _own(self, file_id: str, workspace: str) -> _File:
        found = self._files.get(file_id)
        if found is None or found.workspace != workspace:
            raise ApiError(404, f"File not found: {file_id}")
        return found
