from pathlib import Path

import pytest
from sqlalchemy import select

from readers.transcripts import OTHER, SESSION, assistant, write
from reports.ledger_rows import new_ledger
from underspend.audit import history_kept
from underspend.audit.history_kept import gone
from underspend.audit.history_kept import write as write_history
from underspend.audit.kept import Kept
from underspend.audit.parting import parted
from underspend.audit.surroundings import gather
from underspend.audit.whole import Context, looking_of
from underspend.pricing.catalogue import catalogue
from underspend.readers.claude_code.roots import sources
from underspend.stores.schema import calls

LATE = 10**16


@pytest.fixture
def ledger(tmp_path):
    engine = new_ledger(tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "logs", f"{SESSION}.jsonl", assistant("msg_1"), assistant("msg_2"))
    write(tmp_path / "logs", f"{OTHER}.jsonl", assistant("msg_3") | {"sessionId": OTHER})
    return tmp_path / "logs"


def kept_of(root: Path):
    found = sources([root])[0]
    made = parted(found, Kept("v"), lambda names: gather(names, now=1), lambda known: looking_of(Context(now=1), known))
    return found, made.kept


def ids(engine):
    with engine.connect() as connection:
        return set(connection.execute(select(calls.c.message_id)).scalars())


@pytest.mark.parametrize("many", [0, 8000])
def test_what_is_not_in_the_ledger_is_written(ledger, root, many, monkeypatch):
    monkeypatch.setattr(history_kept, "_MANY", many)
    found, kept = kept_of(root)
    next(member for member in kept.members if OTHER.encode() in member.path).in_ledger = True
    written = write_history(ledger, found, kept, roots=[root], billing=None, prices=catalogue())
    assert written == [str(root / f"{SESSION}.jsonl").encode()]
    assert ids(ledger) == {"msg_1", "msg_2"}


def test_what_only_the_ledger_holds_is_recalled(ledger, root):
    found, kept = kept_of(root)
    write_history(ledger, found, kept, roots=[root], billing=None, prices=catalogue())
    everything = [member.bonds for member in kept.members]
    assert gone(ledger, everything, [root], LATE) == ([], False)
    (line,), more = gone(ledger, everything[1:], [root], LATE)
    assert not more
    assert {reply.message_id for reply in line.replies} in ({"msg_1", "msg_2"}, {"msg_3"})


def test_young_replies_that_are_missing_were_taken_away_on_purpose(ledger, root):
    found, kept = kept_of(root)
    write_history(ledger, found, kept, roots=[root], billing=None, prices=catalogue())
    assert gone(ledger, [], [root], 0) == ([], True)
