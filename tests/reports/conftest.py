import pytest

from reports.ledger_rows import new_ledger


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()
