"""Where the library ends and the terminal begins: parse, check, run; an error is one line."""

import errno
import importlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click

from mapmaker import __version__
from mapmaker.cli.chain import split_line
from mapmaker.cli.plan import Chain, Plan, check, log_as, logs_json, say, tell
from mapmaker.errors import MapmakerError
from mapmaker.events import Done
from mapmaker.registry import unknown
from mapmaker.workspace import Workspace

# Name -> (module, first line of its help). The module is imported when the command is used,
# so that `mapmaker --help` needs none of them; a test holds the lines against the docstrings.
COMMANDS = {
    "scrape": ("scrape", "Fetch the maps of a source, politely, with what is known of each."),
    "import": (
        "import_",
        "Take in your own pictures: files, folders, dd2vtt maps with their walls.",
    ),
    "prune": ("prune", "Drop what would teach the net nothing, then write shards."),
    "pack": ("pack", "Cut, augment and write shards of the pictures that were kept."),
    "verify": ("verify", "Read every byte of a data set's shards and say what has changed."),
    "train": ("train", "Train a net on a data set."),
    "sample": ("sample", "Make new maps."),
    "evaluate": ("evaluate", "Measure a net's pictures against maps it never saw."),
    "export": ("export", "Write a data set, or a net, in a form that other people's tools read."),
    "forget": ("forget", "Remove pictures for good: no scrape or import brings them back."),
    "list": ("list_", "List sources, data sets, runs or architectures."),
    "doctor": ("doctor", "Say what this machine can do, after trying it."),
    "demo": ("demo", "Go the whole way once, small, and show the pictures."),
}


class _Terminated(BaseException):
    """SIGTERM or SIGUSR1 came while no stage was catching signals itself."""


class Mapmaker(click.Group):
    """The commands by name, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"mapmaker.cli.commands.{COMMANDS[cmd_name][0]}")
        return module.command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands (several in one line run one after the other)"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Mapmaker,
    invoke_without_command=True,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: mapmaker scrape prune train --size 750 sample -n 16",
)
@click.version_option(__version__, "--version", message="mapmaker %(version)s")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="The folder that holds datasets/, checkpoints/ and maps/ (default: the current one).",
)
@click.option(
    "--log",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How progress is told on stderr: json gives a line an event.",
)
def cli(home: Path, log: str) -> None:
    """From a few hundred pictures to new battle maps.

    Commands chain: what one leaves, the next takes up. Every command has its own --help.
    """


def run_line(line: Sequence[str]) -> int:
    """Run one command line and return its exit code. Expected trouble is one line on stderr."""
    log_as("text")
    with _sigterm():
        try:
            return _run(list(line))
        except MapmakerError as error:
            return _complain(f"{error} {error.hint}".strip(), error.exit_code)
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "mapmaker"
            return _complain(f"{error.format_message()} See `{where} --help`.", 2)
        except click.ClickException as error:
            return _complain(error.format_message(), error.exit_code)
        except (KeyboardInterrupt, click.Abort):
            return _complain("Stopped by Ctrl-C. The same command goes on from here.", 130)
        except _Terminated:
            return _complain("Stopped by a signal. The same command goes on from here.", 75)
        except BrokenPipeError:
            with suppress(OSError):  # the reader of our output has gone; that is no error
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except OSError as error:
            return _complain(*_machine_trouble(error))


def _run(line: list[str]) -> int:
    names = click.Context(cli, info_name="mapmaker")
    ahead, parts = split_line(line, cli, list(COMMANDS), lambda name: _command(names, name))
    if not parts:
        return _no_command(ahead)
    with cli.make_context("mapmaker", ahead) as ctx:
        if ctx.args or ctx._protected_args:
            _no_command(ahead)
        log_as(ctx.params["log"])
        workspace = Workspace(ctx.params["home"].expanduser())
        plans = [_plan(ctx, part.command, part.words) for part in parts]
        check(plans, workspace)
        size = next((plan.size for plan in plans if plan.size), None)
        return _follow(plans, Chain(workspace, alone=len(plans) == 1, size=size))


def _no_command(words: list[str]) -> int:
    """Answer a line without a command: --help, --version, nothing, or a word nobody knows."""
    with cli.make_context("mapmaker", words or ["--help"]) as ctx:
        strange = [*ctx._protected_args, *ctx.args]
        if not strange:
            raise click.UsageError("The line names no command.", ctx)
        error = unknown("command", strange[0], COMMANDS)
        raise click.UsageError(f"{error} {error.hint}", ctx)


def _command(ctx: click.Context, name: str) -> click.Command:
    command = cli.get_command(ctx, name)
    assert command is not None
    return command


def _plan(ctx: click.Context, name: str, words: list[str]) -> Plan:
    command = _command(ctx, name)
    with command.make_context(name, words, parent=ctx) as sub:
        return sub.invoke(command.callback, **sub.params)  # type: ignore[arg-type]


def _follow(plans: Sequence[Plan], chain: Chain) -> int:
    """Run the plans in order; the first known gap decides the exit code, an error ends the line."""
    if any(plan.dry_run for plan in plans):
        would = {plan.command: list(plan.describe(chain)) for plan in plans}
        if any(plan.as_json for plan in plans):
            print(json.dumps({"would": would}, indent=1, ensure_ascii=False))
        else:
            print("\n".join(text for texts in would.values() for text in texts))
        return 0
    from mapmaker.cli.draw import draw

    code = 0
    for plan in plans:
        done = draw(plan.run(chain))
        chain.take(done)
        code = code or done.exit_code
        _report(plan, done)
    return code


def _report(plan: Plan, done: Done) -> None:
    if plan.as_json:
        print(json.dumps(done.data, indent=1, default=str, ensure_ascii=False))
    elif done.summary:
        print(done.summary)
    sys.stdout.flush()


def _complain(text: str, code: int) -> int:
    line = " ".join(text.split())
    if line and logs_json():
        tell("stopped" if code in (75, 130) else "error", text=line, exit_code=code)
    elif line:  # nothing, where another process of the same run says it
        say(line if code in (75, 130) else "Error: " + line)
    return code


def _machine_trouble(error: OSError) -> tuple[str, int]:
    where = error.filename or "a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full; {where} was not written. Free some room and run it again.", 5
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where} may not be written or read. Give yourself permission there.", 5
    raise error


@contextmanager
def _sigterm() -> Iterator[None]:
    def end(signum: int, frame: FrameType | None) -> Any:
        raise _Terminated

    # Clusters send SIGUSR1 some time before they take the machine away.
    numbers = [getattr(signal, n) for n in ("SIGTERM", "SIGUSR1") if hasattr(signal, n)]
    try:
        before = {number: signal.signal(number, end) for number in numbers}
    except ValueError:  # not the main thread: a test or a server that embeds us
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
