"""The command line: arguments in, exit code out. Verbs stand in the other cli_*.py."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Sequence

import click

from driver import cli_bundle, cli_hosts, cli_models, cli_site, cli_tools, streams
from driver.cli_common import INVENTORY, VERBOSE
from driver.errors import ProvisionError, UsageError

DEFAULT_VERB = "up"
OUR_BUG = 1
INTERRUPTED = 130
BROKEN_PIPE = 141  # what a shell says of a process that SIGPIPE ended


class Verbs(click.Group):
    """The verbs, in the order of the work; no verb at all, but an inventory, means `up`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which they were added."""
        del ctx
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default verb where it was left out."""
        return super().parse_args(ctx, with_verb(args))


def with_verb(args: Sequence[str]) -> list[str]:
    """Return *args* with `up` behind the options of the group when they name an inventory but no verb."""
    at, named = 0, False
    while at < len(args):
        word = args[at]
        if word in {"--inventory", "-i"}:
            at, named = at + 2, True
        elif word.startswith("--inventory="):
            at, named = at + 1, True
        elif word in {"--verbose", "-v"}:
            at += 1
        else:
            break
    rest = list(args[at:])
    if named and at <= len(args) and (not rest or (rest[0].startswith("-") and rest[0] not in {"--help", "--version"})):
        rest.insert(0, DEFAULT_VERB)
    return [*args[:at], *rest]


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from importlib.metadata import PackageNotFoundError, version

        try:
            click.echo(f"provision {version('provision')}")
        except PackageNotFoundError:
            click.echo("provision, from a checkout that is not installed")
        ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@INVENTORY
@VERBOSE
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version.")
def cli() -> None:
    """Take bare servers with AI accelerators to a served token, and prove that they still are what their site says.

    `provision --inventory NAME` alone is `provision up`. NAME is a folder of inventories/ or a path. Results go to
    stdout, log and progress to stderr. Exit codes: 0 ok, 1 our bug, 2 usage, 3 site or catalog invalid, 4 host
    unreachable, 5 task failed, 6 not compliant, 7 locked by another run.
    """


for verb in (*cli_site.VERBS, *cli_models.VERBS, *cli_hosts.VERBS, *cli_bundle.VERBS, *cli_tools.VERBS):
    cli.add_command(verb)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code of the process."""
    streams.prepare()
    try:
        code = _run(args)
        streams.flush()
    except BrokenPipeError:  # `| head`: nobody reads on, which is no fault
        streams.drop()
        return BROKEN_PIPE
    except OSError as error:  # a full disk behind stdout
        streams.drop()
        click.echo(f"Error: stdout: {error.strerror}; expected a place that takes the answer", err=True)
        return UsageError.exit_code
    return code


def _run(args: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=args, prog_name="provision", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except ProvisionError as error:
        click.echo(f"Error: {error}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return INTERRUPTED
    except SystemExit:  # click's answer to a closed stdout
        raise BrokenPipeError from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            raise  # stdout is full
        click.echo(bug(error), err=True)
        return OUR_BUG
    return result if isinstance(result, int) else 0


def bug(error: Exception) -> str:
    """Store the traceback of a fault of ours and return the short message that says where."""
    from driver import paths, runs

    text = "".join(traceback.format_exception(error))
    short = f"Error: a fault of provision itself: {type(error).__name__}: {str(error)[:300]}"
    try:
        file = runs.start("bug", "").file("traceback.txt")
        file.write_text(f"{' '.join(sys.argv)}\n{text}", encoding="utf-8")
    except (OSError, ProvisionError):
        return f"{short}\n{text}"
    return f"{short}\nThe traceback is in {paths.shown(file)}; add it to a bug report."
