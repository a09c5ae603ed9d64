from underspend.formats import anthropic_request
from underspend.gateway.credentials import KeyHasher
from underspend.gateway.identity import Identifier
from underspend.gateway.routes import classify
from underspend.stores.memory import MemoryLedger

ROUTE = classify("POST", "/v1/messages")
SESSION = {"x-claude-code-session-id": "s1", "user-agent": "claude-cli/2.1.328 (external, cli)"}


def request(text):
    body = b'{"model":"m","system":[],"tools":[1],"messages":[{"role":"system","content":"%s"}]}' % text
    return anthropic_request.read(body)


def identifier(ledger=None, known=None):
    return Identifier(ledger or MemoryLedger(), KeyHasher(b"k" * 32), known if known is not None else {})


def test_a_project_is_learned_from_the_first_request_of_a_session_and_remembered():
    ledger = MemoryLedger()
    made = identifier(ledger)
    first = request(rb"# Environment\n - Primary working directory: /home/me/web shop\n")
    assert made.identify(SESSION, first, ROUTE).project == "web shop"
    assert made.identify(SESSION, request(b"after a compaction"), ROUTE).project == "web shop"
    assert ledger.sessions == {"s1": ("web shop", "/home/me/web shop")}


def test_a_name_in_the_address_wins():
    route = classify("POST", "/p/na%20me/v1/messages")
    text = request(rb"Primary working directory: /a/b")
    assert identifier().identify(SESSION, text, route).project == "na me"
    assert identifier().identify({**SESSION, "x-underspend-project": "h"}, text, ROUTE).project == "h"


def test_what_earlier_gateways_learned_counts():
    assert identifier(known={"s1": "shop"}).identify(SESSION, request(b"x"), ROUTE).project == "shop"


def test_without_a_session_nothing_is_guessed():
    assert identifier().identify({}, request(b"Primary working directory: /a/b"), ROUTE).project is None


def test_the_same_key_has_the_same_name_in_either_header():
    made = identifier()
    one = made.identify({"x-api-key": "sk"}, None, ROUTE).key
    assert one == made.identify({"authorization": "Bearer sk"}, None, ROUTE).key
    assert one is not None
