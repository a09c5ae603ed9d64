from web.asgi_client import ask


def test_the_ledger_and_the_gateway_as_prometheus_reads_them(dashboard, site, filled):
    site.status.fault("strategy x", "broke")
    site.status.fault("strategy x", "broke")
    site.status.overhead(900)
    site.status.alerts = lambda: {"places": [{"name": "ops", "sent": 3, "failed": 1, "dropped": 0}]}
    site.status.pauses = lambda: [{}]
    answer = ask(dashboard, "/_/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    for line in (
        'underspend_calls_total{model="claude-sonnet-5"} 3',
        'underspend_unpriced_calls_total{model="new-model"} 1',
        'underspend_cost_dollars_total{model="claude-sonnet-5"} 0.125715',
        'underspend_tokens_total{model="claude-sonnet-5",lane="cache_read"} 93000',
        'underspend_overhead_seconds{quantile="0.5"} 0.000900',
        'underspend_faults_total{component="strategy x"} 2',
        'underspend_alerts_total{place="ops",state="sent"} 3',
        'underspend_alerts_total{place="ops",state="failed"} 1',
        "underspend_pauses 1",
        "underspend_in_flight 0",
    ):
        assert line in lines


def test_every_line_is_a_comment_or_a_sample(dashboard):
    for line in ask(dashboard, "/_/metrics").text.splitlines():
        assert line.startswith(("# HELP underspend_", "# TYPE underspend_", "underspend_"))
