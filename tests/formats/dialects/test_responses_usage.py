from __future__ import annotations

from hypothesis import given

from formats.dialects.responses_samples import USAGES
from underspend.core.usage import Usage
from underspend.formats.dialects import responses_usage


@given(USAGES)
def test_usage_comes_back_as_it_was(usage: Usage) -> None:
    written = responses_usage.write(usage, 3)
    assert responses_usage.lanes(written) == usage
    assert responses_usage.thinking(written) == 3
    assert written["total_tokens"] == usage.prompt + usage.output


def test_input_includes_what_was_read_and_written() -> None:
    details = {"cached_tokens": 60, "cache_write_tokens": 30}
    assert responses_usage.lanes({"input_tokens": 100, "input_tokens_details": details}) == Usage(10, 30, 0, 60)


def test_the_lifetimes_of_writes_are_told_apart() -> None:
    split = {"ttl_30m_tokens": 10, "ttl_12h_tokens": 20}
    details = {"cached_tokens": 0, "cache_write_tokens": 30, "cache_write_tokens_details": split}
    assert responses_usage.lanes({"input_tokens": 31, "input_tokens_details": details}) == Usage(1, 10, 20)


def test_without_writes_there_is_no_split() -> None:
    details = responses_usage.write(Usage(5, cache_read=2), 0)["input_tokens_details"]
    assert details == {"cached_tokens": 2, "cache_write_tokens": 0}
