"""`underspend demo`: real recorded sessions through a real gateway, with a fake provider behind it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from underspend.cli.demo_bills import Bills, acting, agreement, markdown, paired, shown
from underspend.cli.output import console

if TYPE_CHECKING:
    from underspend.config import Settings
    from underspend.gateway.asgi import App
    from underspend.gateway.serve import Parts
    from underspend.testing.demo import Progress
    from underspend.testing.fake_upstream import FakeUpstream

_DRAIN_SECONDS = 3
_SETTLE_SECONDS = 10
_A_MOMENT = 0.05
_SWITCH_SECONDS = 0.0005  # provider, gateway and player share one interpreter; none may wait long for its turn
_PAUSE_SECONDS = {"fast": 0.0, "live": 0.2}
_PROVIDER = "sessions from public repositories, replayed against a fake provider: nothing leaves this machine"


@click.command("demo", short_help="See a populated page without a key.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 4100, else a free one).")
@click.option("--open", "opens", is_flag=True, help="Open the dashboard in a browser, if there is one.")
@click.option(
    "--speed",
    type=click.Choice(list(_PAUSE_SECONDS)),
    default="fast",
    show_default=True,
    help="Play the past at once, or in minutes so that you see the page fill.",
)
@click.option("--bills", is_flag=True, help="Play, print the two bills as Markdown, and end.")
@click.option("--keep", metavar="DIR", type=click.Path(path_type=Path), help="Keep config and ledger in a new folder.")
def command(port: int | None, speed: str, keep: Path | None, *, opens: bool, bills: bool) -> None:
    """Real Claude Code sessions, recorded, through a real gateway: needs no key and no network.

    The provider is a fake on this machine that answers what was recorded and bills by a prompt cache of its own. It
    is asked twice, without the gateway and through it, so that there are two bills to compare.
    A few calls go on until Ctrl-C; then the demo removes its files.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        home = _home(keep, stack)
        Demo(home, pause=_PAUSE_SECONDS[speed], opens=opens, kept=keep is not None, ends=bills).run(port)


def _home(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="underspend-demo-")))
    folder = keep.expanduser().absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f"{keep} holds files already; name a new folder", param_hint="--keep")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Demo:
    """A fake provider, a gateway and a player in one process, with their files in `home`."""

    def __init__(self, home: Path, *, pause: float, opens: bool, kept: bool, ends: bool = False) -> None:
        from underspend.testing.demo import Cue, Player, ReplayClock, sessions

        self._home = home
        self._pause = pause
        self._opens = opens
        self._kept = kept
        self._ends = ends
        self._cue, self._clock = Cue(), ReplayClock()
        self._player = Player(cue=self._cue, clock=self._clock, pause=pause)
        self._alone = Player(cue=self._cue, clock=self._clock, direct=True)
        self._parts: Parts | None = None
        self._past = [session for session in sessions() if session.days_ago is not None]
        self._live = [session for session in sessions() if session.days_ago is None]
        self._thread: threading.Thread | None = None
        self._failure: str | None = None

    def run(self, port: int | None) -> None:
        """Serve until stopped. Raises PortTakenError, and ClickException when a call was not answered as it should."""
        from underspend.testing.fake_upstream import run_in_thread

        with run_in_thread(self._cue, clock=self._clock) as provider:
            try:
                self._serve(provider, port)
            finally:
                self._player.stop()
                self._alone.stop()
                if self._thread is not None:
                    self._thread.join()
            if self._failure is not None:
                raise click.ClickException(self._failure)
            if self._ends:
                return
            where = f"its files are in {self._home}" if self._kept else "its files are removed"
            click.echo(f"underspend demo stopped after {_played(provider)}; {where}.")

    def _serve(self, provider: FakeUpstream, port: int | None) -> None:
        from underspend.core.errors import PortTakenError
        from underspend.gateway.serve import serve

        def ready(url: str) -> None:
            self._thread = threading.Thread(target=self._play, args=(url, provider), name="demo-player")
            self._thread.start()

        try:
            serve(self._settings(provider, port), self._dashboard, ready, clock=self._clock)
        except PortTakenError:
            if port is not None:
                raise
            serve(self._settings(provider, 0), self._dashboard, ready, clock=self._clock)

    def _settings(self, provider: FakeUpstream, port: int | None) -> Settings:
        """Settings of the demo alone: the user's own variables, which may name a real ledger, are not looked at."""
        from underspend.config import load

        flags = {
            "gateway.port": port,
            "gateway.drain_seconds": _DRAIN_SECONDS,
            "upstream.anthropic": provider.url,
        }
        return load(home=self._home, flags=flags, environ={})

    def _dashboard(self, parts: Parts) -> App:
        from underspend.web.app import create

        self._parts = parts
        return create(
            engine=parts.engine, live=parts.live, status=parts.status, settings=parts.settings, now=self._clock.now
        )

    def _play(self, url: str, provider: FakeUpstream) -> None:
        from underspend.testing.demo import PlayError
        from underspend.testing.fake_upstream import run_in_thread

        port = url.rpartition(":")[2]
        config = f'[gateway]\nport = {port}\n\n[upstream]\nanthropic = "{provider.url}"\n'
        try:
            (self._home / "config.toml").write_text(config, encoding="utf-8")
            if self._pause:
                click.echo(f"underspend demo: {url}/_/ fills in the next minutes")
                self._show(url)
            with run_in_thread(self._cue, clock=self._clock) as alone:
                self._alone.past(alone.url, self._past, _progress)
                self._player.past(url, self._past, _progress)
                _overwrite("")
                if self._player.stopped_within(0):
                    return
                bills = self._bills(alone, provider)
            if self._ends:
                click.echo(markdown(bills))
                signal.raise_signal(signal.SIGINT)
                return
            self._say(url, provider, bills)
            self._player.live(url, self._live)
        except (PlayError, OSError) as error:
            # a gateway that was told to stop closes its connections before it tells us
            if not self._player.stopped_within(_DRAIN_SECONDS + 2):
                self._failure = str(error)
                signal.raise_signal(signal.SIGINT)

    def _bills(self, alone: FakeUpstream, provider: FakeUpstream) -> Bills:
        """The two bills, and what the ledger makes of the second once every call of it is settled."""
        from underspend.reports.savings import savings

        parts, deadline = self._parts, time.monotonic() + _SETTLE_SECONDS
        if parts is None:
            raise click.ClickException("the gateway has no ledger")
        made = savings(parts.engine)
        while made.billed.paid != provider.bill().picodollars and time.monotonic() < deadline:
            time.sleep(_A_MOMENT)
            made = savings(parts.engine)
        return Bills(pairs=paired(self._past, alone, provider), said=made.billed.saved, on=acting(parts.settings.steps))

    def _say(self, url: str, provider: FakeUpstream, bills: Bills) -> None:
        home = shlex.quote(str(self._home))
        days = round(max(session.days_ago or 0 for session in self._past))
        click.echo(f"underspend demo: {url}/_/")
        click.echo(f"  played       {len(self._past)} sessions, {_played(provider)}, over the last {days} days")
        click.echo(f"  what         {_PROVIDER}")
        click.echo()
        out = console()
        out.print(shown(bills))
        click.echo(agreement(bills))
        click.echo()
        click.echo(f"  look further export UNDERSPEND_HOME={home}")
        click.echo("               underspend spend --by project · top · tail · explain CALL (an id of top)")
        click.echo("  Ctrl-C stops it; until then a call is made every few seconds.")
        if not self._pause:
            self._show(url)

    def _show(self, url: str) -> None:
        if self._opens and _has_browser():
            click.launch(f"{url}/_/")


def _played(provider: FakeUpstream) -> str:
    """How many calls the provider answered and what it bills for them."""
    from underspend.core.money import show

    return f"{len(provider.requests)} calls, {show(provider.bill().picodollars)}"


def _progress(progress: Progress) -> None:
    _overwrite(f"playing recorded sessions: {progress.played} of {progress.of} calls")


def _overwrite(line: str) -> None:
    """Replace the line of progress, where there is a terminal to show it."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)


def _has_browser() -> bool:
    """Whether a browser can show a window: elsewhere the launcher would take the terminal."""
    windows = sys.platform in {"win32", "darwin"}
    return windows or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
