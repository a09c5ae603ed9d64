import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import running
from raw_upstream import RawUpstream


@pytest.fixture(scope="module")
def upstream():
    with RawUpstream() as made:
        yield made


@pytest.fixture(scope="module")
def gateway(upstream, tmp_path_factory):
    made = running.start(tmp_path_factory.mktemp("home"), upstream.url)
    yield made
    made.stop()
    made.process.stdout.close()


@pytest.fixture
def start(tmp_path):
    """Starts gateways that are stopped after the test, however it ends."""
    started = []

    def begin(upstream_url, *, home=None, **options):
        made = running.start(home or tmp_path / "home", upstream_url, **options)
        started.append(made)
        return made

    yield begin
    for made in started:
        if made.process.poll() is None:
            made.stop()
        made.process.stdout.close()
