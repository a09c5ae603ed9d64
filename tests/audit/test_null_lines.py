import json

from underspend.audit.null_lines import without_null_lines
from underspend.core.usage import Usage


def entry(name, output, **more):
    usage = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 5,
        "cache_creation": {"ephemeral_1h_input_tokens": 2},
        "cache_read_input_tokens": 7,
        "output_tokens": output,
    }
    return {"type": "assistant", "message": {"id": name, "usage": usage, **more}}


def written(tmp_path, *entries):
    path = tmp_path / "s.jsonl"
    path.write_text("".join(json.dumps(each, separators=(",", ":")) + "\n" for each in entries))
    return path


def test_replies_with_a_null_line_keep_what_their_other_lines_say(tmp_path):
    path = written(
        tmp_path,
        entry("whole", 9),
        entry("gone", 9, content=[{"input": {"id": None}}]),
        entry("half", 3),
        entry("half", 9, model=None),
    )
    assert without_null_lines([path]) == {"gone": None, "half": Usage(1, 3, 2, 7, 3)}


def test_progress_lines_are_read_too(tmp_path):
    nested = {"type": "progress", "data": {"message": {"message": entry("n", 4)["message"], "requestId": None}}}
    assert without_null_lines([written(tmp_path, nested)]) == {"n": None}


def test_what_cannot_be_read_is_passed_over(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(
        b'{"usage":{ "id":null\n"usage":{}\n[{"usage":{"a":1}}]\n{"message":{"id":3,"usage":{"id":null}}}\n'
    )
    assert without_null_lines([path, tmp_path / "gone.jsonl"]) == {}


def test_a_field_that_is_no_number_counts_nothing(tmp_path):
    odd = {"type": "assistant", "message": {"id": "a", "usage": {"input_tokens": "x", "output_tokens": True}}}
    assert without_null_lines([written(tmp_path, odd, entry("a", 1, speed=None))]) == {"a": Usage()}
