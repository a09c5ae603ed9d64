"""The hard 400s of the Messages API that a gateway can run into when it edits or reroutes a request."""

from __future__ import annotations

from typing import Any

from underspend.testing.fake_upstream.api_error import ApiError, invalid
from underspend.testing.fake_upstream.prices import Model
from underspend.testing.fake_upstream.view import RequestView

NEW_API = "2026-10-21"
_ROLES = frozenset({"user", "assistant", "system"})
_SAMPLING = ("temperature", "top_p", "top_k")
_DEFAULT_SAMPLING = {"temperature": 1, "top_p": 1}
_ABOVE_HIGH = frozenset({"xhigh", "max"})
_BATCH_BANS = ("speed", "fallbacks", "thread", "store")


def check_message(view: RequestView, facts: Model | None) -> None:
    """Raises ApiError (400) for a request the Messages API turns down."""
    body = view.json
    _check_required(body, ("model", "max_tokens", "messages"))
    _check_messages(body)
    limit = body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise invalid("max_tokens: Input should be a valid integer greater than or equal to 0")
    if limit == 0:
        _check_prewarm(body)
    _check_thinking(body)
    _check_sampling(view, facts)
    if facts is not None:
        _check_model(body, facts)


def check_count(view: RequestView) -> None:
    """Raises ApiError (400) for a count_tokens request without a model or messages."""
    _check_required(view.json, ("model", "messages"))
    _check_messages(view.json)


def check_batch_item(params: dict[str, Any]) -> None:
    """Raises ApiError (400) for what is not allowed inside a batch."""
    if params.get("stream"):
        raise invalid("stream: streaming is not supported in message batches")
    if params.get("max_tokens") == 0:
        raise invalid("max_tokens: 0 is not supported in message batches")
    for name in _BATCH_BANS:
        if params.get(name):
            raise invalid(f"{name}: not supported in message batches")


def _check_required(body: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        if name not in body:
            raise invalid(f"{name}: Field required")


def _check_messages(body: dict[str, Any]) -> None:
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise invalid(f"messages.{number}.role: Input should be 'user', 'assistant' or 'system'")


def _check_prewarm(body: dict[str, Any]) -> None:
    if body.get("stream"):
        raise invalid("max_tokens: 0 cannot be used with stream")
    if (body.get("thinking") or {}).get("type") == "enabled":
        raise invalid("max_tokens: 0 cannot be used with enabled thinking")
    if (body.get("output_config") or {}).get("format"):
        raise invalid("max_tokens: 0 cannot be used with output_config.format")
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        raise invalid("max_tokens: 0 cannot be used with a forced tool_choice")


def _check_thinking(body: dict[str, Any]) -> None:
    thinking = body.get("thinking") or {}
    budget = thinking.get("budget_tokens")
    if thinking.get("type") == "enabled" and isinstance(budget, int) and budget >= body["max_tokens"]:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`")


def _check_sampling(view: RequestView, facts: Model | None) -> None:
    for name in _SAMPLING:
        if name not in view.json:
            continue
        if view.headers.get("anthropic-version") == NEW_API:
            raise invalid(f"{name}: Extra inputs are not permitted")
        standard = view.json[name] == _DEFAULT_SAMPLING.get(name)
        if facts is not None and not facts.legacy_controls and not standard:
            raise invalid(f"{name}: {facts.id} does not support a non-default {name}")


def _check_model(body: dict[str, Any], facts: Model) -> None:
    if body["max_tokens"] > facts.max_output:
        raise invalid(
            f"max_tokens: {body['max_tokens']} > {facts.max_output}, which is the maximum allowed number of "
            f"output tokens for {facts.id}"
        )
    if body.get("inference_geo") not in {None, "global"} and not facts.us_geo:
        raise invalid(f"inference_geo: not supported for {facts.id}")
    if body.get("speed") == "fast" and facts.fast is None and not facts.ignores_speed:
        raise invalid(f"speed: {facts.id} does not support fast mode")
    _check_reroute(body, facts)


def _check_reroute(body: dict[str, Any], facts: Model) -> None:
    thinking = (body.get("thinking") or {}).get("type")
    effort = (body.get("output_config") or {}).get("effort") or facts.default_effort
    if thinking == "enabled" and not facts.legacy_controls:
        raise invalid(f"thinking.budget_tokens: {facts.id} does not support thinking budgets, use adaptive")
    never = facts.disable_thinking == "never"
    if thinking == "disabled" and (never or (facts.disable_thinking == "up_to_high" and effort in _ABOVE_HIGH)):
        raise invalid(f"thinking.type: thinking cannot be disabled for {facts.id} at effort '{effort}'")
    if body["messages"][-1]["role"] == "assistant" and not facts.prefill:
        raise invalid(f"messages: {facts.id} does not support prefilled assistant messages")
    if not facts.forced_tool_choice and (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        raise invalid(f"tool_choice: {facts.id} does not support a forced tool_choice")


def unknown_model(model: str) -> ApiError:
    """The 404 for a model that is not served."""
    return ApiError(404, f"model: {model}")
