"""What a cost engine must get right, each on recorded traffic (see NOTICE): one test per trap."""

from __future__ import annotations

import json
from typing import Any

import pytest

from formats.recorded import ROOT, recordings
from formats.streams import BLOCK, STOP, delta, start, stream
from underspend.core.errors import MeterError
from underspend.core.money import from_usd
from underspend.core.usage import Metered, Unit, Usage
from underspend.formats.meter import meter
from underspend.pricing.cost import cost

NOW = 1_795_176_000_000_000  # 2026-11-20 12:00 UTC
VERCEL = "vercel-ai/packages/anthropic/src/__fixtures__"
SNAPSHOTS = "anthropic-sdk-python/tests/lib/_parse/__inline_snapshot__"
PYDANTIC = "pydantic-ai/tests/models/cassettes/test_anthropic"


def replies(name: str) -> list[Any]:
    return recordings.exchanges(ROOT / name)


def metered(name: str, number: int = 0, **options: Any) -> Metered:
    return meter(replies(name)[number].reply, **options)


def dollars(reply: Metered, usd: str) -> bool:
    bill = cost(reply, at=NOW)
    assert bill.priced
    return bill.total == from_usd(usd)


def test_a_cache_write_is_read_by_the_next_call() -> None:
    base = "openllmetry/packages/opentelemetry-instrumentation-anthropic/tests/cassettes/test_prompt_caching"
    name = f"{base}/test_anthropic_prompt_caching_legacy.yaml"
    first, second = metered(name), metered(name, 1)
    assert (first.usage, second.usage) == (Usage(4, 1163, 0, 0, 187), Usage(4, 0, 0, 1163, 202))
    assert dollars(first, "0.00717825")
    assert dollars(second, "0.0033909")


def test_a_grown_conversation_reads_and_writes_in_one_reply() -> None:
    name = f"{PYDANTIC}/test_anthropic_cache_real_api.yaml"
    assert metered(name).usage == Usage(3, 0, 0, 1111, 406)
    grown = metered(name, 1)
    assert grown.usage == Usage(3, 418, 0, 1111, 33)
    assert dollars(grown, "0.0024048")


def test_writes_that_a_server_tool_loop_adds_to_the_starts_split_are_five_minutes() -> None:
    # The numbers of anthropic-code-execution-20260120-prompt-cache.1, which is not bundled.
    split = {"ephemeral_5m_input_tokens": 3068, "ephemeral_1h_input_tokens": 0}
    began = {"input_tokens": 4, "cache_creation_input_tokens": 3068, "cache_creation": split, "output_tokens": 1}
    ended = {
        "input_tokens": 6,
        "cache_creation_input_tokens": 3337,
        "cache_read_input_tokens": 6289,
        "output_tokens": 9,
    }
    assert meter(stream(start(began), BLOCK, delta(ended), STOP)).usage == Usage(6, 3337, 0, 6289, 9)
    hour = {**began, "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3068}}
    assert meter(stream(start(hour), BLOCK, delta(ended), STOP)).usage == Usage(6, 269, 3068, 6289, 9)


def test_the_start_of_a_server_tool_loop_is_not_the_bill() -> None:
    fetch = metered(f"{VERCEL}/anthropic-web-fetch-tool.1.chunks.txt")
    assert fetch.usage == Usage(4230, output=446)
    assert dollars(fetch, "0.01938")
    search = metered(f"{VERCEL}/anthropic-web-search-tool.1.chunks.txt")
    assert (search.usage, search.web_searches) == (Usage(15665, output=795), 1)
    assert dollars(search, "0.06892")
    begun = json.loads((ROOT / VERCEL / "anthropic-web-search-tool.1.chunks.txt").read_text().splitlines()[0])
    assert begun["message"]["usage"]["input_tokens"] < search.usage.input


def test_compaction_is_billed_though_the_top_level_leaves_it_out() -> None:
    whole, streamed = (metered(f"{VERCEL}/anthropic-compaction.1.{end}") for end in ("json", "chunks.txt"))
    assert whole.reported == Usage(682, output=1320)
    assert whole.units == (
        Unit("compaction", Usage(60385, output=592)),
        Unit("message", Usage(682, output=1320)),
    )
    assert dollars(whole, "0.353135")
    assert dollars(streamed, "0.38851")


def test_a_compaction_with_nothing_at_the_top_level_is_not_free() -> None:
    # The usage of langchain's test_compaction.yaml, a cassette too large to bundle.
    usage = {
        "input_tokens": 0,
        "output_tokens": 0,
        "iterations": [{"type": "compaction", "input_tokens": 83555, "output_tokens": 139}],
    }
    body = {"type": "message", "model": "claude-opus-4-6", "stop_reason": "compaction", "content": [{}], "usage": usage}
    reply = meter(json.dumps(body).encode())
    assert (reply.reported, reply.usage) == (Usage(), Usage(83555, output=139))
    assert dollars(reply, "0.42125")


def test_the_advisor_is_billed_at_its_own_models_price() -> None:
    reply = metered(f"{VERCEL}/anthropic-advisor-20260301.1.json")
    assert [(unit.kind, unit.model) for unit in reply.units] == [
        ("message", None),
        ("advisor_message", "claude-opus-4-7"),
        ("message", None),
    ]
    assert dollars(reply, "0.090732")
    assert dollars(metered(f"{VERCEL}/anthropic-advisor-20250301.1.chunks.txt"), "0.175686")
    assert dollars(metered(f"{PYDANTIC}/test_anthropic_advisor_tool_stream.yaml"), "0.019437")


@pytest.mark.parametrize("end", ["json", "chunks.txt"])
def test_a_declined_attempt_is_free_and_its_fallback_is_billed(end: str) -> None:
    reply = metered(f"{VERCEL}/anthropic-fallback.{end}")
    assert reply.units == (
        Unit("message", Usage(408), "claude-fable-5", billed=False),
        Unit("fallback_message", Usage(412, output=264), "claude-opus-4-8"),
    )
    assert reply.usage == Usage(412, output=264)
    assert dollars(reply, "0.00866")


def test_a_refusal_before_output_is_free_and_one_after_it_is_not() -> None:
    free = metered(f"{VERCEL}/anthropic-refusal.json")
    assert (free.refused_free, free.reported) == (True, Usage(18, output=5))
    assert dollars(free, "0")
    # Its count of input ends far below where the stream began.
    name = "anthropic-sdk-python/tests/fixtures/fable-fallback/stream-a-toolrefusal.sse"
    late = metered(name)
    assert b'"input_tokens":612' in replies(name)[0].reply
    assert (late.stop_reason, late.refused_free, late.usage) == ("refusal", False, Usage(28, output=106))
    assert dollars(late, "0.00558")
    retried = metered("anthropic-sdk-python/tests/fixtures/fable-fallback/stream-b-fallback.sse")
    assert (retried.model, retried.usage) == ("claude-opus-4-8", Usage(31, output=547))
    assert dollars(retried, "0.01383")


def test_unknown_events_are_not_billed_and_a_delta_may_leave_out_fields() -> None:
    base = "anthropic-sdk-python-2.10.0/tests/lib/streaming/fixtures"
    unknown = f"{base}/unknown_events_response.txt"
    assert b"future_event" in replies(unknown)[0].reply
    assert metered(unknown).usage == Usage(11, output=6)
    assert metered(f"{base}/message_delta_omitted_usage_response.txt").usage == Usage(25, 10, 0, 5, 8)
    assert metered(f"{base}/input_transformations_delta_response.txt").usage == Usage(25, output=8)


def test_thinking_is_part_of_the_output_and_not_added_to_it() -> None:
    adaptive = metered("llm-anthropic/tests/cassettes/test_anthropic/test_opus_46_adaptive_thinking.yaml")
    assert adaptive.usage == Usage(34, output=44)
    assert dollars(adaptive, "0.00127")
    redacted = metered(f"{PYDANTIC}/test_anthropic_model_thinking_part_redacted_stream.yaml")
    assert redacted.usage == Usage(92, output=189)
    counted = metered(f"{PYDANTIC}/test_anthropic_advisor_tool_stream.yaml")
    assert counted.thinking_tokens == 47
    assert counted.usage.output == 163


def test_tool_search_grows_the_input_while_it_loops() -> None:
    name = "pydantic-ai/tests/cassettes/test_tool_search/test_anthropic_native_tool_search_streaming.yaml"
    first, second = metered(name), metered(name, 1)
    assert (first.usage, second.usage) == (Usage(1591, output=175), Usage(1007, output=59))
    assert dollars(first, "0.007398")
    assert dollars(second, "0.003906")


def test_context_editing_is_billed_as_reported() -> None:
    whole = metered(f"{VERCEL}/anthropic-combined-context-editing.1.json")
    assert whole.usage == Usage(50, output=418)
    assert dollars(whole, "0.00642")
    assert dollars(metered(f"{VERCEL}/anthropic-combined-context-editing.1.chunks.txt"), "0.007425")


def test_a_count_of_tokens_is_not_a_bill() -> None:
    name = f"{PYDANTIC}/test_anthropic_cache_count_tokens.yaml"
    counted, billed = replies(name)
    assert counted.counts_tokens
    with pytest.raises(MeterError, match="holds no usage"):
        meter(counted.reply)
    # The estimate is near what was billed: the prompt of the same conversation.
    estimate = json.loads(counted.reply)["input_tokens"]
    assert (estimate, meter(billed.reply).usage.prompt) == (1114, 1114)


def test_rate_limit_headers_are_kept_with_the_reply() -> None:
    base = "openllmetry/packages/opentelemetry-instrumentation-anthropic/tests/cassettes/test_prompt_caching"
    headers = replies(f"{base}/test_anthropic_prompt_caching_legacy.yaml")[0].headers
    limits = {name for name in headers if name.startswith("anthropic-ratelimit-")}
    assert {
        f"anthropic-ratelimit-{kind}-{what}"
        for kind in ("requests", "tokens")
        for what in ("limit", "remaining", "reset")
    } <= limits
    assert headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        (
            "pydantic-ai/tests/cassettes/test_model_name_suggestions/test_model_name_suggestion[anthropic].yaml",
            404,
            "not_found_error",
        ),
        (
            f"{PYDANTIC}/test_anthropic_explicit_effort_xhigh_unsupported_model_errors.yaml",
            400,
            "invalid_request_error",
        ),
        (
            f"{SNAPSHOTS}/test_messages/TestAsyncStream/a8b7dbb8-2321-4624-abdb-7ba2136b5c38.json",
            429,
            "rate_limit_error",
        ),
        ("vercel-ai/packages/google/src/__fixtures__/google-429-retry-info.json", 200, "no type"),
    ],
)
def test_errors_are_not_billed(name: str, status: int, kind: str) -> None:
    error = replies(name)[0]
    assert error.status == status
    with pytest.raises(MeterError, match=f"an error reply \\({kind}\\)"):
        meter(error.reply)


def test_openai_charges_cache_writes_and_counts_the_cached_in_the_prompt() -> None:
    name = "pydantic-ai/tests/models/cassettes/test_openai_prompt_cache/test_openai_chat_prompt_cache_e2e.yaml"
    written, read = metered(name), metered(name, 1)
    assert (written.usage, read.usage) == (Usage(8, 4012, 0, 0, 4), Usage(8, 0, 0, 4012, 4))
    assert dollars(written, "0.020172")
    assert dollars(read, "0.0017168")


def test_openrouter_speaks_openais_dialect_for_claude_and_bills_what_it_says() -> None:
    base = "pydantic-ai/tests/models/openrouter/cassettes/test_cache"
    claude = metered(f"{base}/test_openrouter_cache_point_anthropic_e2e.yaml")
    assert (claude.provider, claude.usage) == ("openrouter", Usage(176, output=34))
    assert dollars(claude, "0.001038")
    # Gemini writes what it then reads in the same call; OpenRouter charges both.
    gemini = metered(f"{base}/test_openrouter_cache_instructions_gemini_real_api.yaml")
    assert gemini.usage == Usage(7, 2161, 0, 2161, 100)
    theirs = replies(f"{base}/test_openrouter_cache_instructions_gemini_real_api.yaml")[0].reply
    assert cost(gemini, at=NOW).total / 10**12 == pytest.approx(json.loads(theirs)["usage"]["cost"], rel=1e-5)


def test_deepseek_gemini_and_kimi_name_their_cache_each_in_its_own_way() -> None:
    deepseek = metered(
        "vercel-ai/packages/deepseek/src/chat/__fixtures__/deepseek-tool-call.chunks.txt", provider="deepseek"
    )
    assert (deepseek.usage, deepseek.thinking_tokens) == (Usage(19, cache_read=320, output=83), 39)
    gemini = metered("vercel-ai/packages/google/src/__fixtures__/google-reasoning.chunks.txt")
    assert (gemini.provider, gemini.usage, gemini.thinking_tokens) == ("google", Usage(9, output=285), 256)
    assert dollars(gemini, "0.003438")
    prompt = metered("llm-gemini/tests/cassettes/test_gemini/test_prompt.yaml")
    assert (prompt.usage, prompt.stop_reason) == (Usage(11, output=293), "STOP")
    kimi = metered("vercel-ai/packages/moonshotai/src/__fixtures__/moonshotai-stream.chunks.txt", provider="moonshotai")
    assert (kimi.model, kimi.usage) == ("kimi-k3", Usage(9, output=12))


def test_a_start_that_comes_twice_is_one_reply_and_one_cut_short_is_two() -> None:
    twice = (ROOT / VERCEL / "duplicate-message-start.chunks.txt").read_bytes()
    assert meter(twice).usage == Usage(17, output=227)
    assert dollars(meter(twice), "0.000288")
    spliced = meter((ROOT / VERCEL / "spliced-message-start.chunks.txt").read_bytes())
    assert not spliced.complete
    assert [unit.usage.input for unit in spliced.units] == [17, 17]
    assert spliced.units[1].usage.output == 65
    assert spliced.units[0].usage.output > 1


def test_replies_that_come_whole_in_their_start_are_complete() -> None:
    name = f"{VERCEL}/anthropic-programmatic-tool-calling.1.chunks.txt"
    assert [meter(reply.reply).complete for reply in replies(name)] == [True] * 15
    together = meter((ROOT / name).read_bytes())
    assert (together.complete, together.usage) == (True, Usage(3369 + 4551, output=725 + 197))
