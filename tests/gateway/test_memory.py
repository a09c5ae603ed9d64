import subprocess
import sys


def test_what_start_up_made_is_left_out_of_collections():
    code = (
        "import gc; from underspend.gateway.memory import keep_large_blocks, settle_in;"
        "keep_large_blocks(); settle_in(); assert gc.get_freeze_count() > 0; x = [bytes(40_000_000)]; del x"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
