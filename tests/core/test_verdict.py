from underspend.core.alerts import Kind, Severity
from underspend.core.evidence import Evidence
from underspend.core.verdict import Level, Verdict


def test_a_verdict_becomes_an_alert_that_is_critical_where_pausing_is_advised():
    base = {"kind": Kind.LOOP, "words": "w", "key": "k", "at": 3, "dollars": 5, "evidence": Evidence.BILLED}
    warn = Verdict(level=Level.WARN, session="s", agent="a", **base).alert()
    assert (warn.severity, warn.subject, warn.key, warn.dollars) == (Severity.WARNING, "session s, agent a", "k", 5)
    pause = Verdict(level=Level.PAUSE, **base).alert()
    assert (pause.severity, pause.subject, pause.evidence) == (Severity.CRITICAL, "all calls", Evidence.BILLED)
