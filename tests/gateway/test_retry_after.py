import pytest

from underspend.gateway.retry_after import seconds_in

NOW = 1_795_176_000_000_000  # 2026-11-20T12:00:00Z


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        ([(b"Retry-After", b"7")], 7.0),
        ([(b"retry-after", b" 1.5 ")], 1.5),
        ([(b"retry-after-ms", b"250"), (b"retry-after", b"9")], 0.25),
        ([(b"retry-after", b"Fri, 20 Nov 2026 12:01:00 GMT")], 60.0),
        ([(b"retry-after", b"Fri, 20 Nov 2026 11:00:00 GMT")], 0.0),
        ([(b"retry-after", b"999999999")], 3600.0),
        ([(b"retry-after", b"nan")], None),
        ([(b"retry-after", b"-5")], None),
        ([(b"retry-after", b"soon")], None),
    ],
)
def test_what_is_said_is_taken_and_nonsense_is_not(headers, seconds):
    assert seconds_in(headers, NOW) == seconds
