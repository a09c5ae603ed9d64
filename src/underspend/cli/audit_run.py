"""One run of the audit: what is read, what is taken as it was kept, and what is kept for the next run."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from underspend.config import load
from underspend.core.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from underspend.audit.bills import Billed
    from underspend.audit.gateway_side import BothSides, Seen
    from underspend.audit.kept import Kept
    from underspend.audit.part import Part
    from underspend.audit.parting import Parted
    from underspend.audit.plan import Paying
    from underspend.audit.whole import Audit, Choice, Context
    from underspend.core.advisor import Surroundings
    from underspend.core.history import History
    from underspend.core.quota import Share

_DAY = 86_400_000_000
_FILTERS = ("since", "until", "project", "model", "session")
_FOLDER = "audits"


class Run:
    """The audit that some options ask for. `roots` are the folders it reads."""

    def __init__(self, options: Mapping[str, Any], *, now: int, short: bool) -> None:
        from underspend.audit.kept import Store, zone_of_machine
        from underspend.readers.claude_code import default_roots
        from underspend.reports.periods import zone

        self._options, self._now, self._short = options, now, short
        self._settings = load(steps=False)
        named = list(options.get("roots") or ())
        self.roots = named or default_roots(os.environ, sys.platform)
        self._uses_ledger = not named and not options.get("no_keep")
        self._zone = zone(options.get("timezone") or self._settings.report.timezone or None)
        is_kept = not options.get("no_cache") and not any(options.get(name) for name in _FILTERS)
        folder = self._settings.paths.data / _FOLDER if is_kept else None
        asked = f"{self._zone or zone_of_machine()} {self._settings.prices}"
        self._store = Store(folder, self.roots, asked)
        self._parted: Parted | None = None

    def report(self, progress: Callable[[int, int], None] | None) -> Audit | None:
        """The audit; None where there is no reply at all."""
        from underspend.audit.parting import parted
        from underspend.readers.claude_code.roots import sources

        self._sources, skipped = sources(self.roots)
        made = parted(self._sources, self._store.load(), self._gather, self._looking, progress)
        made = self._with_recalled(made)
        self._parted = made
        parts = made.parts
        if skipped:
            from underspend.audit.part import part_of
            from underspend.core.history import History

            parts = [*parts, part_of(History(skipped=skipped), self._looking(made.around))]
        if not any(part.replies for part in parts):
            return None
        from underspend.audit.whole import summed

        report = summed(parts, self._context(made.around), made.around, self._replies)
        return report if self._short else replace(report, gateway=self._beside_gateway(report, parts))

    def _beside_gateway(self, report: Audit, parts: Sequence[Part]) -> BothSides | None:
        """The same time in the gateway's ledger; None where there is nothing, or none is to be used."""
        if not self._uses_ledger:
            return None
        from underspend.audit.gateway_side import both_sides, period_of
        from underspend.audit.ledger_glance import gateway_calls
        from underspend.audit.numbered import unpacked

        choice = self._choice()
        seen: Sequence[Seen] = ()
        with contextlib.suppress(StoreError):
            seen = gateway_calls(self._settings.ledger.url, *period_of(choice, report.first_at, self._now))
        if not seen:
            return None
        replies = unpacked(part.numbered for part in parts)
        sessions = report.groups["by_session"].keys()
        return both_sides(seen, replies, choice, first_at=report.first_at, sessions=sessions)

    def nothing(self) -> Audit:
        """The audit of no reply."""
        from underspend.audit.whole import audit
        from underspend.core.history import History

        around = self._gather(())
        return audit(History(), self._context(around), around=around)

    def keep(self, report: Audit | None) -> None:
        """Keep what was found for the next run, and the replies in Underspend's ledger."""
        made = self._parted
        if made is None:
            return
        if made.is_new:
            self._store.save(made.kept)
        if self._uses_ledger and report is not None:
            self._keep_history(made.kept, report.paying)

    def _gather(self, directories: Sequence[str]) -> Surroundings:
        from underspend.audit.memory_files import managed_file
        from underspend.audit.surroundings import gather

        return gather(
            directories,
            now=self._now,
            config_folders=self._config_folders(),
            managed_memory=managed_file(sys.platform),
        )

    def _config_folders(self) -> list[Path]:
        return [root for root in self.roots if (root / "projects").is_dir()]

    def _context(self, around: Surroundings, *, paying: bool = True) -> Context:
        from underspend import advisors
        from underspend.audit.whole import Context

        made = Context(
            now=self._now,
            zone=self._zone,
            advisors=advisors.BUILTIN,
            choice=self._choice(),
            overrides=self._settings.prices,
            short=self._short,
        )
        return replace(made, paying=self._paying(around.settings), quota=self._quota()) if paying else made

    def _quota(self) -> list[Share]:
        """The readings of the plan's limits: those kept, and what the client was told last, which is kept too."""
        if self._options.get("roots"):
            return []
        from underspend.readers.claude_code.quota import of_states
        from underspend.stores.quota_log import QuotaLog

        log, told = QuotaLog(self._settings.paths.quota), of_states(self._config_folders())
        if self._options.get("no_keep"):
            return [*log.shares(), *told]
        log.note(told)
        return log.shares()

    def _looking(self, around: Surroundings) -> Any:
        from underspend.audit.whole import looking_of

        return looking_of(self._context(around, paying=False), around)

    def _choice(self) -> Choice:
        from underspend.audit.choice import Choice
        from underspend.reports.periods import parse

        instants: dict[str, int | None] = {}
        for name in ("since", "until"):
            said = self._options.get(name)
            try:
                instants[name] = (
                    None if said is None else parse(said, now=self._now, tz=self._zone, end=name == "until")
                )
            except ValueError as error:
                raise click.BadParameter(str(error), param_hint=f"--{name}") from None
        chosen = {name: self._options.get(name) for name in ("project", "model", "session")}
        return Choice(since=instants["since"], until=instants["until"], **chosen)

    def _paying(self, settings: Mapping[str, Mapping[str, object]]) -> Paying:
        from underspend.audit.plan import detect

        return detect(
            told=self._options.get("plan"),
            environ=os.environ,
            settings=settings,
            config_folders=self._config_folders(),
            billing=self._billing(),
        )

    def _billing(self) -> Iterator[str]:
        if self._uses_ledger:
            from underspend.audit.ledger_glance import billing

            with contextlib.suppress(StoreError):
                yield from billing(self._settings.ledger.url)

    def _replies(self) -> list[Billed]:
        from underspend.audit.whole import chosen
        from underspend.readers.claude_code import read_history

        history = read_history(self.roots)
        self._recall_into(history)
        return chosen(history, self._context(self._gather(())))

    def _recall_into(self, history: History) -> bool:
        """Add the replies that only the ledger holds; gives whether there are more that are still too young."""
        from underspend.audit.ledger_glance import identity

        if self._uses_ledger and identity(self._settings.ledger.url) and self._parted is not None:
            from underspend.audit.history_kept import gone

            with self._ledger() as engine:
                self._uses_ledger = engine is not None
                if engine is not None:
                    bonds = [member.bonds for member in self._parted.kept.members]
                    lines, more = gone(engine, bonds, self.roots, self._now)
                    history.timelines += lines
                    return more
        return False

    def _with_recalled(self, made: Parted) -> Parted:
        """The parts, and one of the replies whose transcripts are gone.

        That is asked for again where a transcript went, and once a day while some replies are too young for it.
        """
        if not self._uses_ledger:
            return made
        from underspend.audit.ledger_glance import identity

        ledger = identity(self._settings.ledger.url)
        if not ledger:
            return made
        kept, wanted = made.kept, asked_of(ledger, made.kept.losses)
        today = f"{wanted} {self._now // _DAY}"
        if kept.recalled_for in {wanted, today}:
            return replace(made, parts=[*made.parts, kept.recalled]) if kept.recalled else made
        from underspend.audit.part import part_of
        from underspend.core.history import History

        history = History()
        self._parted = made
        kept.recalled_for = today if self._recall_into(history) else wanted
        kept.recalled = part_of(history, self._looking(made.around)) if history.timelines else None
        return replace(made, parts=[*made.parts, kept.recalled] if kept.recalled else made.parts, is_new=True)

    def _keep_history(self, kept: Kept, paying: Paying) -> None:
        """Write replies that are not in the ledger yet, beside the user's next command where nobody waits for it."""
        from underspend.audit.ledger_glance import identity, is_sound

        url = self._settings.ledger.url
        if kept.ledger != identity(url):
            for member in kept.members:
                member.in_ledger = False
        if all(member.in_ledger for member in kept.members):
            return
        subscription = paying.plan.is_subscription
        billing = "oauth" if subscription else "api_key" if paying.plan.value == "api" else None
        if is_sound(url) and can_go_on_alone():
            go_on_alone(lambda: self._write_history(billing))
        else:
            self._write_history(billing)

    def _write_history(self, billing: str | None) -> None:
        from sqlalchemy.exc import DatabaseError

        from underspend.audit.history_kept import write
        from underspend.audit.ledger_glance import identity
        from underspend.pricing.catalogue import catalogue

        prices = catalogue().with_overrides(self._settings.prices) if self._settings.prices else catalogue()
        made, before = self._parted, identity(self._settings.ledger.url)
        with self._ledger() as engine, self._alone() as is_alone:
            if engine is None or made is None or not is_alone:
                return
            try:
                written = write(engine, self._sources, made.kept, roots=self.roots, billing=billing, prices=prices)
            except DatabaseError as error:
                click.echo(f"underspend: history is not kept: {error.orig}", err=True)
                return
            ledger = identity(self._settings.ledger.url)
            # A ledger that was made just now holds nothing that is not here.
            self._store.note(set(written), ledger, asked_of(ledger, made.kept.losses) if not before else None)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Whether no other run is writing history now."""
        from underspend.core.errors import StoreLockedError
        from underspend.stores.lock import exclusive

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(exclusive(self._settings.paths.data / "history.lock"))
            except StoreLockedError:
                yield False
            else:
                yield True

    @contextmanager
    def _ledger(self) -> Iterator[Engine | None]:
        """Underspend's own ledger, made where there is none; None, and a word of why, where it cannot be used."""
        from underspend.stores.database import open_database

        engine = None
        try:
            self._settings.paths.data.mkdir(parents=True, exist_ok=True)
            engine = open_database(self._settings.ledger.url)
        except (StoreError, OSError) as error:
            click.echo(f"underspend: history is not kept: {error}", err=True)
        try:
            yield engine
        finally:
            if engine is not None:
                engine.dispose()


def asked_of(ledger: str, losses: int) -> str:
    """What the replies that only the ledger holds depend on."""
    return f"{ledger} {losses}"


def can_go_on_alone() -> bool:
    """Whether this is a process of its own, from which a copy can go on when it has ended."""
    return sys.platform == "linux" and sys.stdout is sys.__stdout__ and threading.active_count() == 1


def go_on_alone(work: Callable[[], None]) -> None:
    """Let a copy of this process do something that nobody waits for, with no terminal and at a low priority."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    try:
        if os.fork():
            return
    except OSError:
        return
    status = 1
    try:
        os.setsid()
        os.nice(10)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        work()
        status = 0
    finally:
        os._exit(status)
