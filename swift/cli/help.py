"""Help texts, made from the rows and the fields: nothing is said here about any single option."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from swift.cli.commands import COMMANDS, CommandRow
from swift.llm.arguments.fields import GROUPS, Spec, specs
from swift.utils.lazy import load

__all__ = ["command_help", "general_help"]

_METAVARS = {
    "str": "TEXT",
    "int": "INT",
    "float": "NUMBER",
    "bool": "BOOL",
    "list[str]": "TEXT",
    "list[int]": "INT",
    "list[float]": "NUMBER",
    "json": "JSON",
}


def general_help() -> str:
    """Return what `swift --help` prints."""
    lines = ["swift: fine-tune, align, try, merge, quantize, measure and serve language models.", ""]
    lines += ["Usage: swift <command> [file.yaml|file.json] [--name value ...]"]
    for heading in dict.fromkeys(row.heading for row in COMMANDS.values()):
        lines += ["", f"{heading}:"]
        for row in (row for row in COMMANDS.values() if row.heading == heading):
            later = "" if is_built(row) else " (not in this version yet)"
            lines.append(f"  {row.name:<12}{row.help}{later}")
    lines += [
        "",
        "swift <command> --help          all options of a command",
        "swift <command> --help lora     those whose name or group holds a word",
        "swift --version                 the version",
        "",
        "Begin with:",
        *(f"  {example}" for example in COMMANDS["sft"].examples[:1]),
        *(f"  {example}" for example in COMMANDS["infer"].examples[:1]),
    ]
    return "\n".join(lines) + "\n"


def is_built(row: CommandRow) -> bool:
    """Whether the command does something in this version."""
    return row.verb is not None or row.name == "plan"


def command_help(row: CommandRow, words: Iterable[str] = ()) -> str:
    """Return the help of a command; `words` keep the options whose name or group holds one of them."""
    width = _width()
    lines = [f"swift {row.name}: {row.about}", ""] if len(row.about) < width else [*wrap(row.about, width), ""]
    if not is_built(row):
        lines += ["Not in this version yet: the options are checked, and nothing runs.", ""]
    if not row.arguments:
        lines += [f"Usage: swift {row.name} <command> [file.yaml|file.json] [--name value ...]", ""]
        return "\n".join([*lines, *_examples(row)]) + "\n"
    known = specs(load(row.arguments))
    positionals = [spec for spec in known.values() if spec.positional]
    lines += [_usage(row, positionals), ""]
    wanted = [word.lstrip("-").replace("-", "_").casefold() for word in words]
    options = [spec for spec in known.values() if not spec.positional and _is_wanted(spec, wanted)]
    if wanted and not options:
        return "\n".join([*lines, f"No option has {' or '.join(wanted)} in its name or group."]) + "\n"
    for spec in positionals if not wanted else ():
        lines += [f"  {spec.name}", *_description(spec, dict(row.presets), width)]
    if positionals and not wanted:
        lines.append("")
    if any(spec.starred for spec in options):
        lines += ["The options with a star are the ones to know first.", ""]
    for group, title in GROUPS.items():
        members = sorted((spec for spec in options if spec.group == group), key=lambda spec: not spec.starred)
        if members:
            lines.append(f"{title}:")
            for spec in members:
                lines += [_signature(spec), *_description(spec, dict(row.presets), width)]
            lines.append("")
    return "\n".join([*lines, *_examples(row)]).rstrip() + "\n"


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Cut a text into lines at its blanks (textwrap costs its import of re)."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and len(indent) + len(line) + 1 + len(word) > width:
            lines.append(indent + line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, indent + line] if line else lines


def _width() -> int:
    try:
        columns = os.get_terminal_size(1).columns
    except OSError:
        columns = 100  # a pipe or a file
    return max(60, min(columns, 110))


def _usage(row: CommandRow, positionals: list[Spec]) -> str:
    if not positionals:
        return f"Usage: swift {row.name} [file.yaml|file.json|URL] [--name value ...]"
    names = " ".join(
        "|".join(spec.choices) if spec.choices else f"[{spec.metavar or spec.name} ...]" for spec in positionals
    )
    return f"Usage: swift {row.name} {names} [--name value ...]"


def _is_wanted(spec: Spec, words: list[str]) -> bool:
    title = f"{spec.group} {GROUPS[spec.group]}".casefold()
    names = [spec.name.casefold(), *(alias.casefold() for alias in spec.aliases)]
    return not words or any(word in name for word in words for name in [*names, title])


def _signature(spec: Spec) -> str:
    metavar = spec.metavar or ("PATH" if spec.path == "always" else _METAVARS[spec.kind])
    if spec.kind == "bool":
        metavar = "[BOOL]"
    elif spec.kind.startswith("list"):
        metavar += " ..."
    return f"{'*' if spec.starred else ' '} --{spec.name} {metavar}"


def _description(spec: Spec, presets: dict[str, str], width: int) -> list[str]:
    default = _shown(presets.get(spec.name, spec.default))
    facts = [f"default: {default}"] if default else []
    if spec.choices:
        facts.append(f"choices: {', '.join(str(choice) for choice in spec.choices)}")
    if spec.presets:
        facts.append(f"presets: {', '.join(spec.presets)}")
    if spec.registry:
        facts.append(f"known ones: swift list {spec.registry}")
    if spec.kind == "bool" and spec.default is True:
        facts.append(f"off: --no_{spec.name}")
    if spec.aliases:
        facts.append(f"old name{'s' if spec.aliases[1:] else ''}: {', '.join(spec.aliases)}")
    if spec.deprecated:
        facts.append(f"deprecated: use {spec.deprecated}")
    return wrap(f"{spec.help} ({'; '.join(facts)})" if facts else spec.help, width, " " * 6)


def _shown(value: Any) -> str:
    """The default as it would be typed; nothing where it is decided later or empty, as the help text says."""
    if value is None or value == () or (isinstance(value, tuple) and None in value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    return "''" if value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def _examples(row: CommandRow) -> list[str]:
    return ["Examples:", *(f"  {example}" for example in row.examples)] if row.examples else []
