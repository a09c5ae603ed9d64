import json

from reports.knowledge_rows import keep, learned
from reports.ledger_rows import add_decision

SHOWN = """\
class            model             results  done  at least   a task
code generation  claude-haiku-5-5       30   90%       81%  $0.0100
                 claude-opus-5-5        30   90%       81%   $0.300
"""


def test_nothing_known_yet_says_where_it_comes_from(run, ledger):
    found = run("routes")
    assert found.exit_code == 0
    assert "No outcomes are known yet" in found.output


def test_classes_as_people_see_them(run, ledger):
    keep(ledger, learned())
    output = "".join(f"{line.rstrip()}\n" for line in run("routes").output.splitlines())
    assert SHOWN in output
    assert "Nothing is certified" in output


def test_certificates_and_what_was_proposed(run, ledger):
    keep(ledger, learned(drawn=600))
    add_decision(ledger, "aaaa", strategy="auto_model", detail="model → claude-haiku-5-5", applied=False)
    output = run("routes").output
    assert "certified: 100% of the tasks can be routed" in output
    assert "noted" in output
    assert max(map(len, output.splitlines())) <= 99


def test_json_and_csv(run, ledger):
    keep(ledger, learned())
    (only,) = json.loads(run("routes", "--json").stdout)["classes"]
    assert only["task"] == "code generation"
    assert run("routes", "--csv").stdout.splitlines()[0].startswith("task,model,results,quality")
