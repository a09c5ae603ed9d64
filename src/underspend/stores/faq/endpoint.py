"""How alike two questions are by an embedding model behind an OpenAI-compatible endpoint, here or at a provider.

Ollama, llama.cpp, vLLM and most providers serve one. Questions are sent to it as they are: it is the user who names it.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from math import isfinite, sqrt
from operator import mul
from typing import TYPE_CHECKING, Any

from underspend.core.faq import MILLION
from underspend.core.replies import ReplyStoreError
from underspend.formats.lenient import count, decode, items, obj

if TYPE_CHECKING:
    from aiohttp import ClientSession

_REMEMBERED = 4096
_AT_ONCE = 64
_LARGEST = 64 * 1024 * 1024
_OK = 200


class Endpoint:
    """A Matcher: the cosine of two vectors, below zero as zero.

    `url` is the base, as https://api.openai.com/v1. What was embedded is remembered; a question is embedded once.
    """

    def __init__(self, url: str, model: str, *, key: str = "", seconds: float = 2.0) -> None:
        self.name = f"{model} at {_shown(url)}"
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._seconds = seconds
        self._known: OrderedDict[str, array[float]] = OrderedDict()
        self._session: ClientSession | None = None

    async def scores(self, question: str, known: Sequence[str]) -> Sequence[int]:
        """The similarity to each of the known questions. Raises ReplyStoreError where the endpoint fails."""
        vectors = await self._vectors([question, *known])
        return await asyncio.to_thread(_cosines, vectors[question], [vectors[each] for each in known])

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def _vectors(self, texts: Sequence[str]) -> Mapping[str, array[float]]:
        found = {text: self._known[text] for text in texts if text in self._known}
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for at in range(0, len(missing), _AT_ONCE):
            part = missing[at : at + _AT_ONCE]
            found.update(zip(part, await self._embedded(part), strict=True))
        for text, vector in found.items():
            self._known[text] = vector
            self._known.move_to_end(text)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        if len({len(vector) for vector in found.values()}) > 1:
            raise self._failed("its vectors differ in length")
        return found

    async def _embedded(self, texts: Sequence[str]) -> list[array[float]]:
        from aiohttp import ClientError, ClientSession, ClientTimeout

        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=self._seconds), headers=self._headers)
        asked = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        try:
            async with self._session.post(self._url, json=asked, allow_redirects=False) as reply:
                if reply.status != _OK:
                    raise self._failed(f"it answered {reply.status}")
                body = bytearray()
                async for chunk in reply.content.iter_any():
                    body += chunk
                    if len(body) > _LARGEST:
                        raise self._failed("its answer is too large")
            return self._read(obj(decode(bytes(body))), len(texts))
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._failed(str(error) or type(error).__name__) from error

    def _read(self, body: Mapping[str, Any], wanted: int) -> list[array[float]]:
        data = sorted(items(body.get("data")), key=lambda item: count(item.get("index")))
        if [count(item.get("index")) for item in data] != list(range(wanted)):
            raise self._failed("it did not answer with one vector for each question")
        return [self._unit(item.get("embedding")) for item in data]

    def _unit(self, raw: object) -> array[float]:
        try:
            vector = array("d", raw) if isinstance(raw, list) else array("d")
        except (TypeError, OverflowError):
            vector = array("d")
        length = sqrt(sum(map(mul, vector, vector)))
        if not length or not isfinite(length):
            raise self._failed("one of its vectors is none")
        return array("d", (each / length for each in vector))

    def _failed(self, problem: str) -> ReplyStoreError:
        return ReplyStoreError(path=_shown(self._url), problem=problem)


def _cosines(one: array[float], others: Sequence[array[float]]) -> list[int]:
    return [max(0, min(MILLION, round(MILLION * sum(map(mul, one, other))))) for other in others]


def _shown(url: str) -> str:
    return re.sub(r"://[^@/]*@", "://***@", url).partition("?")[0]
