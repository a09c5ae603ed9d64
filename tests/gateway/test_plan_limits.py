"""Readings of a plan's limits on their way from replies to the file: new ones only, and never in a reply's way."""

from types import SimpleNamespace

from raw_upstream import reply as raw_reply

from underspend.gateway.plan_limits import PlanLimits
from underspend.stores.quota_log import QuotaLog


class AtOnce:
    def submit(self, work, *values):
        work(*values)


def headers(used="0.42"):
    return [
        (b"anthropic-ratelimit-unified-5h-utilization", used.encode()),
        (b"anthropic-ratelimit-unified-5h-reset", b"1795170000"),
    ]


def limits(notes, worker=None):
    faults = []
    clock = SimpleNamespace(now=lambda: 5)
    made = PlanLimits(SimpleNamespace(note=notes), worker or AtOnce(), clock, lambda *fault: faults.append(fault))
    return made, faults


def test_a_share_is_kept_once_until_it_changes():
    kept = []
    made, faults = limits(kept.extend)
    for used in ("0.42", "0.42", "0.43"):
        made.see(headers(used))
    assert [share.used_permille for share in kept] == [420, 430]
    assert faults == []


def test_replies_without_shares_wake_nobody():
    class Nobody:
        def submit(self, *_):
            raise AssertionError("woken")

    made, faults = limits([].extend, Nobody())
    made.see([(b"content-type", b"application/json")])
    assert faults == []


def test_what_cannot_be_kept_or_handed_over_is_a_fault_and_nothing_more():
    def broken(_):
        raise OSError("full")

    made, faults = limits(broken)
    made.see(headers())
    other, more = limits([].extend, SimpleNamespace())
    other.see(headers())
    assert [component for component, _ in faults + more] == ["plan limits", "plan limits"]


def test_the_gateway_keeps_what_a_subscriptions_replies_say(upstream, start, tmp_path):
    said = tuple(b": ".join(each) for each in headers())
    upstream.script = lambda _: iter([raw_reply(b'{"ok":true}', headers=(b"content-type: application/json", *said))])
    gateway = start(upstream.url)
    body = {"model": "claude-sonnet-5-5", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    for fields in ({"x-api-key": "sk-ant-api03-x"}, {"authorization": "Bearer sk-ant-oat01-x"}):
        assert gateway.post("/v1/messages", body, fields)[0] == 200
    gateway.stop()
    (share,) = QuotaLog(tmp_path / "home" / "quota.jsonl").shares()
    assert (share.used_permille, share.source) == (420, "the replies' headers")
