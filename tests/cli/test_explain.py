import json

from reports.ledger_rows import add_decision

PAGE = """\
claude-sonnet-5   $0.0144 paid
without us $1.00, saved $0.986
From the usage the provider reported in full, at the dated price list.

call        aaaa1111
began       2026-11-20 10:00:00
ended       ok 200
project     shop
session     s-one
agent       main
time        first byte 400.0 ms, whole call 2.00 s, 900 µs of it in the gateway

#  section   block                       bytes  tokens  billed as       breakpoint
1  tools     Bash (tool)                12,000   3,000  cache read
             ─── cached until here ───
2  system    system 1 (text)             8,000   2,000  cache write 5m  ◆ 5m
3  messages  user (text)                 2,000     500  fresh input
5,500 tokens; the first block, 3,000 tokens (54.5%), came from the cache.
Lane totals are the provider's; their split over blocks is by local estimate.

unit       model            lane            tokens         rate   amount
1 message  claude-sonnet-5  fresh input        500   $3.00/MTok  $0.0015
1 message  claude-sonnet-5  cache write 5m   2,000   $3.75/MTok  $0.0075
1 message  claude-sonnet-5  cache read       3,000   $0.30/MTok  $0.0009
1 message  claude-sonnet-5  output             300  $15.00/MTok  $0.0045
paid                                                             $0.0144

route did: model → claude-haiku-5, because a title needs no large model
  estimated before the call: $0.0300 → $0.0100 (saved $0.0200)

"""


def test_a_call_as_people_see_it(run, filled):
    found = run("explain", "aaaa1")
    assert "".join(f"{line.rstrip()}\n" for line in found.output.splitlines()) == PAGE


def test_json(run, filled):
    assert json.loads(run("explain", "aaaa", "--json").stdout)["prompt"]["cached_blocks"] == 1


def test_a_long_prompt_is_folded_unless_asked_for(run, filled):
    from reports.ledger_rows import add_call, add_prompt

    add_call(filled, "long0001", "2026-11-20T10:00:00+00:00", (5000, 0, 0, 0, 1))
    add_prompt(filled, "long0001", [("messages", "text", f"b{n}", 10) for n in range(100)])
    folded = run("explain", "long").output
    assert "… 76 more: --all shows them" in folded
    assert "nothing of it read from the cache" in folded
    assert "b50" in run("explain", "long", "--all").output


def test_what_is_unpriced_is_said(run, filled):
    found = run("explain", "cccc").output
    assert found.startswith("new-model   unpriced paid")
    assert "Bill: unpriced." in found


def test_not_found_is_one_line_with_its_own_exit_code(program, filled):
    found = program("explain", "zzzz")
    assert found.returncode == 5
    assert found.stderr == "underspend: No call zzzz. See `underspend top` or `underspend tail` for ids.\n"


def test_the_words_of_an_edit_stand_below_it(run, filled):
    add_decision(filled, "aaaa1111", n=7, detail="block 4: 9 tokens → a note of 1\n- [bold]what was there\n+ gone")
    lines = [line.strip() for line in run("explain", "aaaa1111").output.splitlines()]
    assert "route did: block 4: 9 tokens → a note of 1, because a title needs no large model" in lines
    assert lines[-3:-1] == ["- [bold]what was there", "+ gone"]
