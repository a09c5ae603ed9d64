"""The `underspend` command. Each command is one file of this folder, imported only when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib import import_module

import click

from underspend.core.errors import UnderspendError

COMMANDS = {
    "audit": "where the money went and what to do, from Claude Code's transcripts",
    "lint": "what a CLAUDE.md costs and could do without",
    "quota": "keep the shares of your plan's limits, as a status line command of Claude Code",
    "whatif": "what other policies would have cost you, on your own calls",
    "up": "run the gateway",
    "demo": "see a populated page without a key: a fake provider, real sessions",
    "on": "point Claude Code at the gateway",
    "off": "undo `on`, to the byte",
    "status": "how the running gateway is",
    "open": "open the dashboard",
    "spend": "what was paid, by day, model, project, session or agent",
    "budget": "how budgets stand: spent, held, left; raise or pause one",
    "savings": "what was really saved: billed, simulated, measured",
    "routes": "what routing knows: classes of tasks, models, certificates",
    "alerts": "what alerts were sent; try each place; let go on what is paused",
    "top": "the costliest calls and sessions",
    "tail": "calls as they happen",
    "explain": "one call: every block, lane, price and edit",
    "cache": "the replies kept for equal calls: look at them, forget them",
    "meter": "what a raw reply cost",
    "prices": "the price list, dated, with sources",
    "config": "every setting and where its value comes from; set one",
    "doctor": "look for what costs money or does not work",
}


def _home_option() -> click.Option:
    """`--home`, which every command takes: it stands for $UNDERSPEND_HOME."""

    def remember(_: click.Context, __: click.Parameter, value: str | None) -> None:
        if value:
            os.environ["UNDERSPEND_HOME"] = value

    where = click.Path(file_okay=False)
    text = "Folder of config and ledger [default: $UNDERSPEND_HOME or the platform's own]."
    return click.Option(["--home"], type=where, help=text, expose_value=False, is_eager=True, callback=remember)


def _leaves(command: click.Command) -> Iterator[click.Command]:
    """What can be called of a command: itself, those below it, or both."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield command
    if not isinstance(command, click.Group):
        return
    for each in command.commands.values():
        yield from _leaves(each)


class _Lazy(click.Group):
    """A group whose commands are found by name and listed without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"underspend.cli.{cmd_name}").command
        for leaf in _leaves(command):
            if not any(option.name == "home" for option in leaf.params):
                leaf.params.append(_home_option())
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            mend = f" Did you mean `underspend {close[0]}`?" if close else " See `underspend --help`."
            raise click.UsageError(f"There is no command {args[0]}.{mend}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=_Lazy,
    invoke_without_command=True,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="underspend")
@click.pass_context
def underspend(ctx: click.Context) -> None:
    """Spend less on Claude Code and the Claude API, and prove it.

    Without a command: the bill and the weightiest findings, from the transcripts Claude Code wrote here.
    """
    if ctx.invoked_subcommand is None:
        from underspend.cli.audit import bare

        bare()


def main() -> None:
    """Run the command line; every expected error is one line and an exit code of its own."""
    try:
        underspend.main(standalone_mode=False)
    except UnderspendError as error:
        _fail(str(error), error.exit_code)
    except click.UsageError as error:
        where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        _fail(f"{error.format_message()}{where}", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _fail(message: str, code: int) -> None:
    click.echo(f"underspend: {message}", err=True)
    sys.exit(code)
