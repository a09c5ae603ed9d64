from __future__ import annotations

import pytest

from stores.replies.conformance import row, run
from underspend.core.replies import ReplyStoreError
from underspend.stores.replies.memory import MemoryReplies
from underspend.stores.replies.opening import open_replies, replies_file
from underspend.stores.replies.sealed import SealedReplies


def test_what_is_at_rest_is_sealed(tmp_path, redis):
    async def work():
        for url in ("", redis):
            store = open_replies(url, folder=tmp_path, bound=1000)
            assert isinstance(store, SealedReplies)
            await store.clear()
            clears = (await store.get(b"", "one", 0)).clears
            await store.put(row(), clears)
            await store.close()
            again = open_replies(url, folder=tmp_path, bound=1000)
            assert (await again.get(row().key, "one", 0)).row == row()
            await again.clear()
            await again.close()
        assert b"xxxx" not in replies_file(tmp_path).read_bytes()
        assert isinstance(open_replies("memory:", folder=tmp_path, bound=1000), MemoryReplies)

    run(work)


def test_another_url_is_refused_without_its_password(tmp_path):
    with pytest.raises(ReplyStoreError, match="neither") as caught:
        open_replies("mongodb://me:secret@host", folder=tmp_path, bound=1000)
    assert "secret" not in str(caught.value)
