"""`swift <command> ...`: finds the command, reads its words, runs its verb, and says in one line what went
wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from swift.cli.commands import COMMANDS, CommandRow, find_command
from swift.utils.errors import ArgumentError, NotBuiltError, SwiftError

if TYPE_CHECKING:
    from swift.cli.parser import Parsed

__all__ = ["main", "run_command"]

_HELP = ("-h", "--help")
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code: 0 well, 1 failed, 2 not understood, 130 interrupted."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except SwiftError as error:
        from swift.utils import environ

        if environ.SWIFT_DEBUG.read():
            raise
        name = words[0].replace("_", "-") if words else ""
        print(f"swift {name}: {error}" if name in COMMANDS else f"swift: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) has gone. Python would complain once more when it flushes on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def run_command(row: CommandRow, argv: Sequence[str]) -> int:
    """Parse the words of a command and run its verb."""
    from swift.cli.parser import parse

    parsed = parse(row, argv)
    _tell(parsed)
    row = find_command(parsed.command)
    if row.verb is None:
        raise NotBuiltError("the options are fine, but this command is not in this version yet")
    from swift.utils.environ import let_threads_sleep
    from swift.utils.lazy import load

    let_threads_sleep()
    return int(load(f"{row.verb}:main")(parsed))


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in _HELP or words == ["help"]:
        return _print_help([])
    if words[0] in ("--version", "-V", "version"):
        from swift import __version__

        print(f"swift {__version__}")
        return 0
    if words[0] == "help":
        return _print_help(words[1:])
    if words[0].startswith("-"):
        raise ArgumentError(
            f"expected a command before {words[0]}, for instance: swift sft {words[0]} ... (swift --help)"
        )
    row = find_command(words[0])
    asked = [word for word in words[1:] if word in _HELP]
    if asked:
        position = words.index(asked[0])
        rest = [word for word in words[position + 1 :] if word not in _HELP]
        return _print_help([words[0], *rest])
    return _plan(words[1:]) if row.name == "plan" else run_command(row, words[1:])


def _plan(words: list[str]) -> int:
    """`swift plan sft ...` is `swift sft ... --dry_run`."""
    if not words or words[0].startswith("-"):
        raise ArgumentError("expected a command to plan, for instance: swift plan sft --model_type demo-chat ...")
    row = find_command(words[0])
    from swift.llm.arguments.fields import specs
    from swift.utils.lazy import load

    if not row.arguments or "dry_run" not in specs(load(row.arguments)):
        raise ArgumentError(f"swift {row.name} has no plan to show; sft, pt and infer have one")
    return run_command(row, [*words[1:], "--dry_run"])


def _print_help(words: list[str]) -> int:
    from swift.cli.help import command_help, general_help

    print(command_help(find_command(words[0]), words[1:]) if words else general_help(), end="")
    return 0


def _tell(parsed: Parsed) -> None:
    """Log what was noticed while reading, and set what a file asks to be set."""
    if not parsed.notes and not parsed.environment:
        return
    from swift.utils import environ
    from swift.utils.log import logger

    for note in parsed.notes:
        logger.info("%s", note)
    for name, value in parsed.environment.items():
        environ.export(name, value)
