from __future__ import annotations

import anthropic
import pytest

from testing.fake_upstream.exchange import Ask
from underspend.testing.fake_upstream import FakeUpstream


def test_a_file_lives_and_dies(up: FakeUpstream) -> None:
    with anthropic.Anthropic(base_url=up.url, api_key="k") as client:
        content = bytes(range(256)) * 3 + b"\r\n--tail"
        made = client.files.upload(file=("a b.bin", content, "application/x-thing"))
        assert (made.filename, made.mime_type, made.size_bytes) == ("a b.bin", "application/x-thing", len(content))
        assert client.files.download(made.id).read() == content
        second = client.files.upload(file=("b.txt", b"b", "text/plain"))
        assert [entry.id for entry in client.files.list()] == [second.id, made.id]
        assert client.files.delete(made.id).id == made.id
        with pytest.raises(anthropic.NotFoundError):
            client.files.download(made.id)


def test_files_belong_to_a_workspace(up: FakeUpstream) -> None:
    with anthropic.Anthropic(base_url=up.url, api_key="one") as client:
        made = client.files.upload(file=("a.txt", b"a", "text/plain"))
    with anthropic.Anthropic(base_url=up.url, api_key="two") as other:
        assert list(other.files.list()) == []
        with pytest.raises(anthropic.NotFoundError):
            other.files.delete(made.id)


def test_an_upload_without_a_file_is_refused(ask: Ask) -> None:
    assert ask("/v1/files", b"x", headers={"content-type": "text/plain"}).status == 400
    form = b'--b\r\ncontent-disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n'
    got = ask("/v1/files", form, headers={"content-type": "multipart/form-data; boundary=b"})
    assert got.json["error"]["message"] == "file: Field required"


def test_a_file_without_a_name_is_unnamed(ask: Ask) -> None:
    form = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'
    got = ask("/v1/files", form, headers={"content-type": "multipart/form-data; boundary=b"})
    assert (got.json["filename"], got.json["size_bytes"]) == ("unnamed", 1)
