from hypothesis import given
from hypothesis import strategies as st

from underspend.formats.documents import Documents


def all_of(documents: Documents, chunks: list[bytes]) -> list[bytes]:
    return [each for chunk in chunks for each in documents.feed(chunk)] + documents.finish()


@given(st.lists(st.binary(max_size=20)))
def test_a_whole_body_is_one_document(chunks: list[bytes]) -> None:
    assert all_of(Documents(stream=False), chunks) == [b"".join(chunks)]


@given(st.lists(st.integers(1, 5), max_size=30))
def test_a_stream_is_one_document_an_event(sizes: list[int]) -> None:
    body = b'data: {"a":1}\n\nevent: x\ndata: {"b":2}\n\ndata: {"c":'
    cuts = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    chunks = [body[a:b] for a, b in zip(cuts, [*cuts[1:], len(body)], strict=True)]
    assert all_of(Documents(stream=True), chunks) == [b'{"a":1}', b'{"b":2}', b'{"c":']
