import gc

from underspend.readers.claude_code.collection import without_collection


def test_collection_is_off_only_meanwhile() -> None:
    with without_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    with without_collection():
        pass
    assert not gc.isenabled()
    gc.enable()
    gc.unfreeze()
