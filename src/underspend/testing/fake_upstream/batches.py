"""Message batches: created, worked off when told or when time has passed, billed at half price."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from underspend.testing.fake_upstream import validation
from underspend.testing.fake_upstream.answered import Answered, json_answer, raw_answer
from underspend.testing.fake_upstream.api_error import ApiError, invalid
from underspend.testing.fake_upstream.clock import SECOND, FakeClock, rfc3339
from underspend.testing.fake_upstream.paging import page
from underspend.testing.fake_upstream.view import RequestView

LIFETIME = 24 * 3600 * SECOND
MAX_REQUESTS = 100_000
_CUSTOM_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LONGEST_ID = 64
_OUTCOMES = ("succeeded", "errored", "canceled", "expired")

RunItem = Callable[[RequestView, str], dict[str, Any]]
"""Answers one item, given the batch's request and the item's JSON body merged into a view, and its custom id."""


@dataclass(slots=True)
class _Batch:
    id: str
    workspace: str
    view: RequestView
    items: list[dict[str, Any]]
    created: int
    results_url: str
    status: str = "in_progress"
    canceled: int | None = None
    ended: int | None = None
    results: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        tally = dict.fromkeys(_OUTCOMES, 0)
        for result in self.results:
            tally[result["result"]["type"]] += 1
        over = self.status == "ended"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": {"processing": 0 if over else len(self.items), **tally},
            "created_at": rfc3339(self.created),
            "expires_at": rfc3339(self.created + LIFETIME),
            "ended_at": None if self.ended is None else rfc3339(self.ended),
            "cancel_initiated_at": None if self.canceled is None else rfc3339(self.canceled),
            "archived_at": None,
            "results_url": self.results_url if over else None,
        }


@dataclass(slots=True, kw_only=True)
class Batches:
    """Every batch of every workspace.

    A batch ends when it is looked at `seconds` after its creation or later, or by `end`; with `seconds` None only
    by `end`. Items are worked off when it ends. Results come in the reverse of the order asked.
    """

    clock: FakeClock
    tag: str
    run_item: RunItem
    seconds: float | None = 0
    _batches: dict[str, _Batch] = field(default_factory=dict)

    def create(self, view: RequestView, workspace: str, base_url: str) -> Answered:
        """Starts a batch. `results_url` will be absolute, under `base_url`."""
        items = _items(view.json)
        batch_id = f"msgbatch_{self.tag}{len(self._batches) + 1:08d}"
        url = f"{base_url}/v1/messages/batches/{batch_id}/results"
        batch = _Batch(batch_id, workspace, view, items, self.clock.now(), url)
        self._batches[batch_id] = batch
        return json_answer(batch.shown())

    def listed(self, view: RequestView, workspace: str) -> Answered:
        """The workspace's batches, newest first."""
        own = [batch for batch in self._batches.values() if batch.workspace == workspace]
        for batch in own:
            self._advance(batch)
        return json_answer(page([batch.shown() for batch in reversed(own)], view.query))

    def get(self, batch_id: str, workspace: str) -> Answered:
        """A batch as it stands now."""
        batch = self._own(batch_id, workspace)
        self._advance(batch)
        return json_answer(batch.shown())

    def cancel(self, batch_id: str, workspace: str) -> Answered:
        """Starts to cancel a batch: `canceling` now, `ended` when next looked at."""
        batch = self._own(batch_id, workspace)
        if batch.status == "ended":
            raise invalid(f"Batch {batch_id} has already ended")
        batch.status, batch.canceled = "canceling", self.clock.now()
        return json_answer(batch.shown())

    def delete(self, batch_id: str, workspace: str) -> Answered:
        """Removes an ended batch. Raises ApiError (400) for one that has not ended."""
        if self._own(batch_id, workspace).status != "ended":
            raise invalid(f"Batch {batch_id} cannot be deleted while it is being processed")
        del self._batches[batch_id]
        return json_answer({"id": batch_id, "type": "message_batch_deleted"})

    def results(self, batch_id: str, workspace: str) -> Answered:
        """The results as JSON lines. Raises ApiError (400) before the batch has ended."""
        batch = self._own(batch_id, workspace)
        if batch.status != "ended":
            raise invalid(f"Batch {batch_id} has no available results, it has not ended")
        lines = b"".join(msgspec.json.encode(result) + b"\n" for result in batch.results)
        return raw_answer(lines, "application/x-jsonl")

    def end(self, batch_id: str) -> None:
        """Works off a batch now. Raises KeyError for an unknown one."""
        self._finish(self._batches[batch_id])

    def _advance(self, batch: _Batch) -> None:
        if batch.status == "ended":
            return
        age = self.clock.now() - batch.created
        due = self.seconds is not None and age >= self.seconds * SECOND
        if due or age >= LIFETIME or batch.status == "canceling":
            self._finish(batch)

    def _finish(self, batch: _Batch) -> None:
        if batch.status == "ended":
            return
        now = self.clock.now()
        for item in reversed(batch.items):
            if batch.canceled is not None:
                outcome: dict[str, Any] = {"type": "canceled"}
            elif now - batch.created >= LIFETIME:
                outcome = {"type": "expired"}
            else:
                outcome = self._work(batch, item)
            batch.results.append({"custom_id": item["custom_id"], "result": outcome})
        batch.status, batch.ended = "ended", now

    def _work(self, batch: _Batch, item: dict[str, Any]) -> dict[str, Any]:
        params = item["params"]
        view = RequestView(
            method="POST",
            target=f"{batch.view.target}#{item['custom_id']}",
            raw_headers=batch.view.raw_headers,
            body=msgspec.json.encode(params),
            number=batch.view.number,
            request_id=batch.view.request_id,
        )
        try:
            validation.check_batch_item(params)
            return {"type": "succeeded", "message": self.run_item(view, item["custom_id"])}
        except ApiError as error:
            body = {"type": error.kind, "message": error.message}
            wrapped = {"type": "error", "error": body, "request_id": view.request_id}
            return {"type": "errored", "error": wrapped}

    def _own(self, batch_id: str, workspace: str) -> _Batch:
        batch = self._batches.get(batch_id)
        if batch is None or batch.workspace != workspace:
            raise ApiError(404, f"Message batch not found: {batch_id}")
        return batch


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    items = body.get("requests")
    if not isinstance(items, list) or not items:
        raise invalid("requests: at least one request is required")
    if len(items) > MAX_REQUESTS:
        raise invalid(f"requests: at most {MAX_REQUESTS} requests are allowed")
    seen: set[str] = set()
    for number, item in enumerate(items):
        name = item.get("custom_id") if isinstance(item, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_ID or not _CUSTOM_ID.issuperset(name):
            raise invalid(f"requests.{number}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if name in seen:
            raise invalid(f"requests.{number}.custom_id: duplicate custom_id '{name}'")
        if not isinstance(item.get("params"), dict):
            raise invalid(f"requests.{number}.params: Field required")
        seen.add(name)
    return items
