import gc

import pytest

from underspend.audit.replay.undisturbed import undisturbed


def test_the_collector_rests_meanwhile_and_works_again_after_a_fault():
    def work():
        with undisturbed():
            assert not gc.isenabled()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert gc.isenabled()


def test_one_that_was_off_stays_off():
    gc.disable()
    try:
        with undisturbed():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
