"""Destinations of pipelines in memory: providers of any dialect whose upstreams are only data."""

import json

from doubles import Upstream

from underspend.gateway.destinations import Destination
from underspend.providers.fake import Fake
from underspend.providers.keys import Secret

OURS = Secret("sk-ours")


def to(upstream, name="other", *, dialect="openai", key=OURS, **settings):
    provider = Fake(name=name, base_url=f"http://127.0.0.1:1/{name}", dialect=dialect, **settings)
    return Destination(provider=provider, upstream=upstream, key=key)


def chat(text="Hello.", **changes):
    """A whole Chat reply, and an upstream that gives it."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5.5",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        **changes,
    }
    return json.dumps(body).encode()


def chat_stream(*, usage=True):
    """A streamed Chat reply, as chunks of bytes."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5.5"}
    events = [
        {**head, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {"content": "Hello."}, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    if usage:
        told = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        events.append({**head, "choices": [], "usage": told})
    return [*(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events), b"data: [DONE]\n\n"]


class Limited(Upstream):
    """Answers with an error and headers of its own, whatever it is asked."""

    def __init__(self, status, *, headers=(), body=b'{"type":"error","error":{"type":"x","message":"no"}}'):
        super().__init__([body], status=status)
        self.told = list(headers)

    async def send(self, *asked):
        reply = await Upstream.send(self, *asked)
        reply.headers.extend(self.told)
        return reply
