"""`underspend cache`: what the response cache holds, and forgetting it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from underspend.cli import reading
from underspend.cli.cache_faq import faq, forget_learned
from underspend.cli.output import console, fit, table, write_json
from underspend.config import load
from underspend.core import money
from underspend.core.errors import NotFoundError
from underspend.core.replies import Listed, ReplyStore
from underspend.reports import figures

if TYPE_CHECKING:
    from underspend.stores.replies.cache import Finished

_T = TypeVar("_T")
_SHORT = 12
_EVERY = 1_000_000


@click.group("cache", short_help="The replies kept for equal calls: look at them, forget them.")
def command() -> None:
    """Look at the replies kept for equal calls and at answered questions, or forget them."""


command.add_command(faq)


def _with_store(work: Callable[[ReplyStore], Awaitable[_T]]) -> _T:
    """Do something with the store of the settings."""
    settings = load()
    chosen = settings.cache
    if chosen.url == "memory:":
        raise click.UsageError("This cache is in the gateway's memory; it ends when the gateway is stopped.")
    settings.paths.data.mkdir(parents=True, exist_ok=True)

    async def working() -> _T:
        store = chosen.store(settings.paths.data)
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(working())


@command.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def stats(*, as_json: bool) -> None:
    """How many replies are kept, how large they are, and how many calls they have answered."""
    stock = _with_store(lambda store: store.stock(reading.now()))
    if as_json:
        write_json({"replies": stock.rows, "bytes": stock.size, "hits": stock.hits, "bound_bytes": stock.bound})
        return
    used = figures.share(stock.size, stock.bound)
    click.echo(f"{stock.rows:,} replies, {stock.size:,} bytes ({used} of what is allowed), {stock.hits:,} hits")


@command.command("list")
@click.option("--tag", help="Only replies with this tag.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(tag: str | None, limit: int, *, as_json: bool) -> None:
    """The replies kept, those used last first."""
    now = reading.now()
    rows = _with_store(lambda store: store.listed(now=now, limit=limit, tag=tag))
    if as_json:
        write_json([_shape(row) for row in rows])
        return
    if not rows:
        click.echo("No replies are kept.")
        return
    columns = [("reply", "l"), ("model", "l"), ("tags", "l"), ("whose", "l")]
    columns += [("bytes", "r"), ("hits", "r"), ("cost once", "r"), ("ends in", "r")]
    console().print(table(columns, [_cells(row, now) for row in rows]))


@command.command()
@click.argument("name")
@click.option("--body", is_flag=True, help="Write the reply itself, byte for byte, and nothing else.")
def show(name: str, *, body: bool) -> None:
    """One reply, by the beginning of its name as `list` shows it."""
    now = reading.now()

    async def work(store: ReplyStore) -> tuple[Listed, Finished | None]:
        from underspend.stores.replies.cache import content_of

        row = await _one(store, name, now)
        found = await store.get(row.key, row.tenant, now, use=False)
        return row, content_of(found.row) if found.row is not None else None

    row, reply = _with_store(work)
    if reply is None:
        raise NotFoundError(kind="reply", name=name, mend="It is there, but does not open: its key is another now.")
    if body:
        sys.stdout.buffer.write(reply.body)
        return
    facts = {**_shape(row), "content_type": reply.content_type, "request_id": reply.request_id}
    width = max(map(len, facts))
    for fact, value in facts.items():
        click.echo(f"{fact:<{width}}  {value}")


@command.command()
@click.option("--tag", help="Forget the replies with this tag.")
@click.option("--reply", "name", help="Forget one reply, by the beginning of its name.")
@click.option("--all", "everything", is_flag=True, help="Forget all replies.")
def clear(tag: str | None, name: str | None, *, everything: bool) -> None:
    """Forget replies. Those of calls now under way are not kept either, but for --reply.

    What the FAQ has learned from replies is forgotten with any tag: which tag it came with is not known there.
    """
    if (tag is not None) + (name is not None) + everything != 1:
        raise click.UsageError("Say what to forget: --tag NAME, --reply NAME or --all.")
    now = reading.now()

    async def work(store: ReplyStore) -> int:
        if name is None:
            return await store.clear(tag)
        return int(await store.remove((await _one(store, name, now)).key))

    gone = _with_store(work)
    click.echo(f"{gone:,} {'reply' if gone == 1 else 'replies'} forgotten")
    if name is None and (learned := forget_learned()):
        click.echo(f"{learned:,} learned {'answer' if learned == 1 else 'answers'} of the FAQ with them")


async def _one(store: ReplyStore, name: str, now: int) -> Listed:
    rows = [row for row in await store.listed(now=now, limit=_EVERY) if row.key.hex().startswith(name.lower())]
    if len(rows) != 1 or not name:
        mend = "Write more of its name." if rows else "See `underspend cache list`."
        raise NotFoundError(kind="single reply" if rows else "reply", name=name, mend=mend)
    return rows[0]


def _shape(row: Listed) -> dict[str, object]:
    return {
        "reply": row.key.hex(),
        "tenant": row.tenant,
        "model": row.model,
        "tags": list(row.tags),
        "bytes": row.size,
        "hits": row.hits,
        "cost_pico": row.cost,
        "kept_at": row.kept_at,
        "used_at": row.used_at,
        "expires_at": row.expires_at,
    }


def _cells(row: Listed, now: int) -> list[str]:
    return [
        row.key.hex()[:_SHORT],
        fit(row.model, 20),
        fit(", ".join(row.tags), 16),
        fit(row.tenant, 16),
        f"{row.size:,}",
        f"{row.hits:,}",
        money.show(row.cost),
        figures.length(row.expires_at - now),
    ]
