"""`underspend cache faq`: questions answered from those alike; every answer can be looked up and revoked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from underspend.cli import reading
from underspend.cli.output import console, fit, table, write_json
from underspend.config import load
from underspend.core.errors import ConfigError, NotFoundError
from underspend.core.faq import MILLION, FaqEntry, FaqHit, TooFew
from underspend.reports import figures
from underspend.stores.faq.answers import Faq
from underspend.stores.faq.sqlite import new_entry_id

_T = TypeVar("_T")


@click.group("faq", short_help="Questions answered from those alike.")
def faq() -> None:
    """Look at entries and hits, label hits, calibrate, revoke."""


def _with_faq(work: Callable[[Faq], Awaitable[_T]]) -> _T:
    """Do something with the questions and answers of the settings."""
    settings = load()
    settings.paths.data.mkdir(parents=True, exist_ok=True)

    async def working() -> _T:
        opened = settings.faq.opened(settings.paths.data, settings.cache.key)
        try:
            return await work(opened)
        finally:
            await opened.close()

    return asyncio.run(working())


def forget_learned() -> int:
    """Forget the answers that were learned; returns how many."""
    settings = load()
    if not settings.faq.was_used(settings.paths.data):
        return 0
    return _with_faq(lambda opened: opened.store.forget_learned())


@faq.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def entries(*, as_json: bool) -> None:
    """The questions that have an answer, and whether alike ones are answered now."""

    async def work(opened: Faq) -> tuple[list[FaqEntry], str]:
        stands = await opened.standing()
        why = f" ({stands.why})" if stands.why else ""
        return await opened.store.entries(), f"{stands.mode}, from {_percent(stands.threshold)} alike{why}"

    found, stands = _with_faq(work)
    if as_json:
        write_json([_entry_shape(entry) for entry in found])
        return
    click.echo(stands)
    rows = [
        [entry.id, "curated" if entry.curated else "learned", fit(entry.tenant, 16), fit(entry.question, 54)]
        for entry in found
    ]
    console().print(table([("entry", "l"), ("how", "l"), ("whose", "l"), ("question", "l")], rows))


@faq.command()
@click.option("--entry", help="Only those of this entry.")
@click.option("-n", "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def hits(entry: str | None, limit: int, *, as_json: bool) -> None:
    """What was answered, or in shadow would have been: the last first."""
    found = _with_faq(lambda opened: opened.store.hits(limit=limit, entry=entry))
    if as_json:
        write_json([_hit_shape(hit) for hit in found])
        return
    said = {None: "—", True: "right", False: "wrong"}
    rows = [
        [
            str(hit.id),
            "answered" if hit.served else "shadow",
            _percent(hit.score),
            said[hit.label],
            hit.entry,
            fit(hit.asked, 25),
            fit(hit.question, 25),
        ]
        for hit in found
    ]
    columns = [("hit", "r"), ("what", "l"), ("alike", "r"), ("label", "l"), ("entry", "l")]
    console().print(table([*columns, ("asked", "l"), ("answered as", "l")], rows))


@faq.command()
@click.argument("hit", type=int)
@click.argument("word", type=click.Choice(["right", "wrong"]))
def label(hit: int, word: str) -> None:
    """Say whether a hit's answer is right for what was asked: `label 12 wrong`. Calibration goes by it."""
    if not _with_faq(lambda opened: opened.store.label(hit, right=word == "right")):
        raise NotFoundError(kind="hit", name=hit, mend="See `underspend cache faq hits`.")
    click.echo(f"hit {hit} is {word}")


@faq.command()
@click.argument("entry")
def revoke(entry: str) -> None:
    """An entry answers nothing from now on; its answer is gone, its hits stay."""
    if not _with_faq(lambda opened: opened.store.revoke(entry)):
        raise NotFoundError(kind="entry", name=entry, mend="See `underspend cache faq entries`.")
    click.echo(f"{entry} is revoked")


@faq.command()
@click.argument("question")
@click.argument("answer")
@click.option("--for", "tenant", required=True, help='Whose questions it answers: a key\'s name, or "*" for all.')
def add(question: str, answer: str, tenant: str) -> None:
    """Write an answer of your own to a question."""
    entry = FaqEntry(
        id=new_entry_id(),
        tenant=tenant,
        frame=b"",
        question=question.strip(),
        answer=answer.encode(),
        curated=True,
        made_at=reading.now(),
        expires_at=0,
    )

    async def work(opened: Faq) -> bool:
        return await opened.store.add(entry, await opened.store.clears())

    _with_faq(work)
    click.echo(f"{entry.id} answers questions alike once [faq] is on; `revoke {entry.id}` ends that")


@faq.command()
@click.option("--pairs", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="JSON lines: a, b, same.")
def calibrate(pairs: Path | None) -> None:
    """Find the threshold for your own pairs: a file of them, and the hits you have labelled.

    A line of the file is {"a": "one question", "b": "another", "same": true}, true where the answer of b serves a.
    """
    labelled = _pairs(pairs) if pairs is not None else []
    found = _with_faq(lambda opened: opened.calibrate(labelled))
    if isinstance(found, TooFew):
        click.echo(f"Not calibrated: {found.pairs} pairs, {found.why}. At least {found.needed} must be alike enough.")
        return
    click.echo(
        f"From {_percent(found.threshold)} alike at most {_percent(found.bound)} of the answers are wrong "
        f"({found.wrong} of {found.hits} were; {_percent(found.confidence)} confidence). "
        f"{_percent(found.found)} of the questions that have an answer would get it."
    )


def _pairs(file: Path) -> list[tuple[str, str, bool]]:
    made = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            pair = json.loads(line)
            one, two, same = pair["a"], pair["b"], pair["same"]
        except (ValueError, KeyError, TypeError):
            one, two, same = None, None, None
        if not isinstance(one, str) or not isinstance(two, str) or not isinstance(same, bool):
            raise ConfigError(
                where=f"{file}:{number}", problem="this is no pair", mend='Write {"a": "…", "b": "…", "same": true}.'
            )
        made.append((one.strip(), two.strip(), same))
    return made


def _percent(millionths: int) -> str:
    return f"{figures.share(millionths, MILLION)}"


def _entry_shape(entry: FaqEntry) -> dict[str, object]:
    return {
        "entry": entry.id,
        "curated": entry.curated,
        "tenant": entry.tenant,
        "question": entry.question,
        "made_at": entry.made_at,
        "expires_at": entry.expires_at,
    }


def _hit_shape(hit: FaqHit) -> dict[str, object]:
    return {
        "hit": hit.id,
        "entry": hit.entry,
        "at": hit.at,
        "score_ppm": hit.score,
        "served": hit.served,
        "matcher": hit.matcher,
        "tenant": hit.tenant,
        "asked": hit.asked,
        "question": hit.question,
        "label": hit.label,
    }
