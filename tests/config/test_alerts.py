import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from underspend.config import alerts as settings
from underspend.config.alerts import AlertSettings, alerts_from, check_url, is_loopback, read_alerts
from underspend.core.alerts import Alert, Kind, Severity
from underspend.core.errors import ConfigError
from underspend.core.rate_limits import AtLimit, Measure, Per

ALL = """
[alerts]
quiet_minutes = 30
most_per_hour = 7
rise_percent = 50
rise_usd = "2.50"
month_usd = "400"

[[alerts.to]]
name = "ops"
kind = "webhook"
url = "https://hooks.example.com/a"
secret = "env:OPS"
least = "warning"
about = ["budget", "loop"]

[[alerts.to]]
name = "chat"
kind = "slack"
url = "env:CHAT"

[[alerts.to]]
name = "here"
kind = "desktop"

[[alerts.to]]
name = "mail"
kind = "email"
host = "smtp.example.com"
sender = "underspend@example.com"
to = ["a@example.com"]
user = "u"
password = "file:/run/secret"

[rate_limits.storm]
most = 60
at_once = 10
of = "key"

[rate_limits.tokens]
most = 1000000
within = "1h"
measure = "tokens"
action = "warn"

[runaway]
loops = "pause"
fan_out = "off"
tries = 6
velocity_usd = "1.00"
"""


def read(text):
    return alerts_from(tomllib.loads(text), "config.toml")


def test_everything_can_be_said():
    made = read(ALL)
    assert [place.name for place in made.to] == ["ops", "chat", "here", "mail"]
    assert (made.quiet.period, made.quiet.most_per_hour) == (30 * 60 * 10**6, 7)
    assert (made.trends.rise_percent, made.trends.rise_at_least) == (50, 25 * 10**11)
    assert made.trends.month_limit == 400 * 10**12
    storm, tokens = made.limits
    assert (storm.name, storm.of, storm.rate.burst, storm.at_limit) == ("storm", Per.KEY, 10, AtLimit.WAIT)
    assert (tokens.measure, tokens.rate.per, tokens.rate.burst) == (Measure.TOKENS, 3600 * 10**6, 10**6)
    assert tokens.at_limit is AtLimit.WARN
    rules = made.runaway
    assert rules.loops is not None
    assert (rules.loops.same_warn, rules.loops.failing_pause) == (6, 12)
    assert rules.fan_out is None
    assert rules.pace is not None
    assert rules.pace.floor == 10**12
    assert rules.may_pause == {Kind.LOOP}


def test_nothing_said_is_the_defaults():
    made = read("")
    assert made == AlertSettings()
    assert made.to == ()
    assert made.limits == ()
    assert made.runaway.may_pause == frozenset()


def test_whole_dollars_may_stand_without_quotes_and_0_is_a_limit():
    made = read("[alerts]\nmonth_usd = 0\nrise_usd = 7").trends
    assert (made.month_limit, made.rise_at_least) == (0, 7 * 10**12)


def test_a_place_wants_what_it_asked_for():
    ops, chat = read(ALL).to[:2]
    base = {"subject": "s", "words": "w", "at": 0}
    mild = Alert(kind=Kind.LOOP, severity=Severity.INFO, **base)
    other = Alert(kind=Kind.TREND, severity=Severity.CRITICAL, **base)
    wanted = Alert(kind=Kind.LOOP, severity=Severity.WARNING, **base)
    assert [ops.wants(each) for each in (mild, other, wanted)] == [False, False, True]
    assert all(chat.wants(each) for each in (mild, other, wanted))


WEBHOOK = '[[alerts.to]]\nname = "n"\nkind = "webhook"\nsecret = "env:S"\nurl = "https://h/"\n'
MAIL = '[[alerts.to]]\nname = "n"\nkind = "email"\nhost = "h"\nsender = "a@b"\nto = ["c@d"]\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[alerts]\nno = 1", "no"),
        ("[alerts]\nrise_usd = 5.5", "rise_usd"),
        ('[alerts]\nrise_usd = "x"', "no amount"),
        ('[alerts]\nrise_usd = "-1"', "below zero"),
        ('[[alerts.to]]\nname = "n"\nkind = "pigeon"', "pigeon"),
        ('[[alerts.to]]\nname = "a b"\nkind = "desktop"', "no name"),
        ('[[alerts.to]]\nname = "n"\nkind = "desktop"\n' * 2, "two places"),
        (WEBHOOK.replace("https://h/", "http://h/"), "another machine"),
        (WEBHOOK.replace("https://h/", "ftp://h/"), "no address"),
        (WEBHOOK.replace("https://h/", "https://u:p@h/"), "name or password"),
        (WEBHOOK.replace("env:S", "hunter2"), "plain text"),
        ('[[alerts.to]]\nname = "n"\nkind = "slack"\nurl = "https://hooks.slack.com/T0"', "plain text"),
        (MAIL.replace("c@d", "c@d, e@f"), "no address"),
        (MAIL.replace("a@b", "a"), "no address"),
        (MAIL + 'user = "u"', "belong together"),
        (MAIL + 'user = "u"\npassword = "hunter2"', "plain text"),
        (MAIL + 'security = "none"', "another machine"),
        ("rate_limits = 3", "rate limits are tables"),
        ("[rate_limits.a]\nmost = 0", "most"),
        ('[rate_limits.a]\nmost = 1\nwithin = "soon"', "length of time"),
        ('[rate_limits."a b"]\nmost = 1', "no name"),
        ('[runaway]\nloops = "maybe"', "loops"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_no_secret_is_repeated(text, problem):
    with pytest.raises(ConfigError) as error:
        read(text)
    assert problem in str(error.value)
    assert "config.toml" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_the_file_is_read_and_none_has_the_defaults(tmp_path):
    file = tmp_path / "config.toml"
    assert read_alerts(file).to == ()
    file.write_text(ALL, encoding="utf-8")
    assert len(read_alerts(file).to) == 4
    file.write_text("[", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_alerts(file)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://[::1]/", "http://localhost", "https://example.com"])
def test_http_is_for_this_machine_alone(url):
    check_url(url, "here")


@pytest.mark.parametrize("url", ["https://", "https://h:x/", "https://h/ü", "https://h/a b", "https://[::", "//h", ""])
def test_what_is_no_address_is_said_without_repeating_it(url):
    with pytest.raises(ConfigError, match="here: this is no address"):
        check_url(url, "here")


def test_only_names_of_this_machine_are_loopback():
    assert is_loopback("127.8.8.8")
    assert not any(map(is_loopback, ["127.0.0.1.example.com", "10.0.0.1", "0.0.0.0", "localhost.example.com"]))


PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
TABLES = (
    settings.AlertsTable,
    settings.WebhookTo,
    settings.SlackTo,
    settings.DesktopTo,
    settings.EmailTo,
    settings.RateLimitTable,
    settings.RunawayTable,
)


@pytest.mark.parametrize("table", TABLES)
def test_the_page_names_every_setting_with_its_default(table):
    for each in msgspec.structs.fields(table):
        if each.name == "to" and table is settings.AlertsTable:
            continue
        default = each.default
        if isinstance(default, (str, int)) and default != "":
            shown = f'"{default}"' if isinstance(default, str) else f"{default}"
            assert f"| `{each.name}` | `{shown}` |" in PAGE
        else:
            assert f"| `{each.name}` |" in PAGE


def test_every_example_of_the_page_can_be_read():
    examples = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        read(example)


def test_the_pages_way_to_verify_a_signature_works():
    from underspend.integrations.alerts.webhook import signature

    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    named = {}
    exec(code, named)
    assert named["is_ours"](signature(b"{}", "k", 1_000), b"{}", "k", 1_300)
    assert not named["is_ours"](signature(b"{}", "k", 1_000), b"{}", "k", 1_301)
    assert not named["is_ours"](signature(b"{}", "other", 1_000), b"{}", "k", 1_000)
    assert not named["is_ours"]("", b"{}", "k", 1_000)
