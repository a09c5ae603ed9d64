from readers.transcripts import SESSION, assistant, taken
from underspend.audit.filed import look_at, member_of
from underspend.audit.surroundings import gather
from underspend.audit.whole import Context, looking_of
from underspend.readers.claude_code.bonds import bonds_of
from underspend.readers.claude_code.records import Source

SOURCE = Source(f"/projects/work/{SESSION}.jsonl".encode(), "work", 1, 2, 3)


def test_a_file_is_a_member_with_its_folder_and_its_bonds():
    extract = taken(assistant("msg_1"))
    member = member_of(SOURCE, extract)
    assert member.is_as(SOURCE)
    assert (member.directory, member.bonds, member.in_ledger) == ("/home/someone/work", bonds_of(extract), False)


def test_files_together_are_a_part():
    looking = looking_of(Context(now=1), gather([], now=1))
    part = look_at([(SOURCE, taken(assistant("msg_1"))), (SOURCE, taken(assistant("msg_2")))], looking)
    assert (part.replies, part.files) == (2, 2)
