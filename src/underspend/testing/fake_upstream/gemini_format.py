"""Gemini's generateContent as Google serves it, with what it refuses.

Source: the reference of the Gemini API (models.generateContent, streamGenerateContent?alt=sse, error model).
"""

from __future__ import annotations

import re

from underspend.testing.fake_upstream.foreign import Format, Json, Turn, demand, event, pieces

_PATH = re.compile(r"/v1beta/models/([^/:]+):(generateContent|streamGenerateContent)")
_FIELDS = {
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
}
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_BUSY = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


def _check(path: str, body: Json) -> None:
    demand(_PATH.fullmatch(path), f"{path} is not found")
    unknown = sorted(set(body) - _FIELDS)
    demand(not unknown, f"Invalid JSON payload received. Unknown name {unknown}")
    demand(body.get("contents"), "contents is not specified")
    before: Json = {}
    for content in body["contents"]:
        demand(content.get("role") in {"user", "model"}, "Please use a valid role: user, model.")
        demand(content.get("parts"), "contents.parts must not be empty.")
        results = [part for part in content["parts"] if "functionResponse" in part]
        calls = [part for part in before.get("parts", ()) if "functionCall" in part]
        wanted = "the number of function response parts is equal to the number of function call parts"
        demand(not (calls or results) or len(calls) == len(results), f"Please ensure that {wanted}.")
        for part in results:
            demand(isinstance(part["functionResponse"].get("response"), dict), "response must be a Struct")
        before = content
    for tool in body.get("tools") or ():
        for function in tool.get("functionDeclarations") or ():
            demand(function.get("name"), "function_declarations.name is required")


def _rounds(body: Json) -> int:
    count = 0
    for content in reversed(body["contents"]):
        if content["role"] == "model" and any("functionCall" in part for part in content["parts"]):
            count += 1
        elif content["role"] == "user" and any("text" in part for part in content["parts"]):
            break
    return count


def _usage(turn: Turn) -> Json:
    made = {
        "promptTokenCount": turn.prompt,
        "candidatesTokenCount": turn.output,
        "totalTokenCount": turn.prompt + turn.output + turn.thinking,
    }
    if turn.cached:
        made["cachedContentTokenCount"] = turn.cached
    if turn.thinking:
        made["thoughtsTokenCount"] = turn.thinking
    return made


def _said(parts: list[Json], turn: Turn, name: str, model: str, *, last: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if turn.length else "STOP"
    return {"candidates": [candidate], "usageMetadata": _usage(turn), "modelVersion": model, "responseId": name}


def _call_parts(turn: Turn) -> list[Json]:
    return [{"functionCall": {"name": call.name, "args": call.arguments}} for call in turn.calls]


def _whole(turn: Turn, name: str, model: str, _: Json) -> Json:
    words = [{"text": turn.text}] if turn.text else []
    return _said([*words, *_call_parts(turn)], turn, name, model, last=True)


def _events(turn: Turn, name: str, model: str, _: Json) -> list[bytes]:
    parts = [[{"text": piece}] for piece in pieces(turn.text)] + [[part] for part in _call_parts(turn)]
    parts = parts or [[{"text": ""}]]
    last = len(parts) - 1
    return [event(_said(part, turn, name, model, last=at == last)) for at, part in enumerate(parts)]


def _error(status: int, message: str) -> Json:
    said = {**_STATUS, **_BUSY}.get(status, "INTERNAL")
    return {"error": {"code": status, "message": message, "status": said}}


def _model(path: str, _: Json) -> str:
    found = _PATH.fullmatch(path)
    return found[1] if found else ""


GEMINI = Format(
    check=_check,
    rounds=_rounds,
    streams=lambda path, _: "streamGenerateContent" in path,
    model=_model,
    whole=_whole,
    events=_events,
    error=_error,
)
"""Gemini's generateContent."""
