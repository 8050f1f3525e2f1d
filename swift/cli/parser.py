"""argv and a configuration file to one frozen arguments object. Generic: knows no argument by name but
`--config`.

Order of strength: command line, file, default. (What a checkpoint hands on stands between file and default;
the verb adds it, since it takes a look at the disk.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from swift.cli.commands import COMMANDS, CommandRow
from swift.llm.arguments.coerce import coerce, is_list
from swift.llm.arguments.fields import Spec, specs
from swift.utils.errors import ArgumentError
from swift.utils.lazy import load

__all__ = ["Given", "Parsed", "parse", "parse_argv"]


@dataclass(frozen=True)
class Parsed:
    """What was said. `sources` has an entry for given fields only: "flag --lora_rank", "file cfg.yaml:12".

    `notes` are sentences for the log. `command` may differ from the one that was typed: a file can ask for
    another. `environment` holds variables that a file sets for its tracker.
    """

    command: str
    args: Any
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Given(NamedTuple):
    """One name and value as written: `where` is how messages call the place, `source` how the plan does.

    `raw` is text, a list of texts, or what JSON holds; `data` the same as YAML reads it (numbers, truth
    values).
    """

    name: str
    raw: Any
    data: Any
    where: str
    source: str


def parse(command: CommandRow, argv: Sequence[str]) -> Parsed:
    """Read the words after the command. Raises ArgumentError that lists everything that is wrong with them."""
    return _Reader(command).read(argv)


def parse_argv(name: str, argv: Sequence[str]) -> Parsed:
    """The same for a command by name, as the Python API calls it."""
    from swift.cli.commands import find_command

    return parse(find_command(name), argv)


class _Reader:
    """One reading of one command line; collects problems and notes on the way."""

    def __init__(self, command: CommandRow) -> None:
        self.typed = command.name
        self.presets = command.presets
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.environment: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self._use(command)

    def _use(self, command: CommandRow) -> None:
        self.command = COMMANDS["rlhf"] if command.presets else command
        self.arguments: type = load(command.arguments)
        self.specs: Mapping[str, Spec] = specs(self.arguments)
        self.names: dict[str, str] = {name: name for name in self.specs}
        for name, spec in self.specs.items():
            for alias in spec.aliases:
                self.names.setdefault(alias, name)

    def read(self, argv: Sequence[str]) -> Parsed:
        """Read once, and raise once with all that is wrong."""
        positionals, flags = self._split(argv)
        file_name = self._file_name(positionals, flags)
        items: list[Given] = []
        if file_name is not None:
            try:
                items = self._read_file(file_name, flags)
            except ArgumentError as error:
                self.problems.append(str(error))
        flags = self._translate([flag for flag in flags if flag.name != "config"], from_file=False)
        skip = self._ignores_unknown([*items, *flags])
        for name, value in self.presets:
            self.values[name] = value
            self.sources[name] = f"command {self.typed}"
        self._take(items, skip)
        self._take(flags, skip)
        self._take_positionals(positionals)
        self._raise()
        arguments = self.arguments(**self.values)
        return Parsed(self.command.name, arguments, self.sources, tuple(self.notes), self.environment)

    def _read_file(self, file_name: str, flags: list[Given]) -> list[Given]:
        """Read the configuration file; its keys may ask for another command than the one that was typed."""
        from swift.cli.config_file import read_config
        from swift.cli.dialect import other_command

        config = read_config(file_name)
        other = other_command(self.command.name, config.items)
        if other is not None:
            name, key = other
            self.notes.append(f"{config.label} holds {key}: swift {name} runs, not swift {self.command.name}")
            self._use(COMMANDS[name])
        items = self._translate(config.items, from_file=True)
        if config.strict:
            self._refuse_additions(flags, items, config.label)
        return items

    # -- words -----------------------------------------------------------------------------------------------

    def _split(self, argv: Sequence[str]) -> tuple[list[str], list[Given]]:
        """Cut argv into what stands before the first option, and the options with their values."""
        positionals: list[str] = []
        flags: list[Given] = []
        words = list(argv)
        while words and not _is_option(words[0]):
            positionals.append(words.pop(0))
        while words:
            typed, equals, attached = words.pop(0).partition("=")
            values = [attached] if equals else []
            while words and not _is_option(words[0]):
                values.append(words.pop(0))
            flag = self._flag(typed, typed[2:].replace("-", "_"), values)
            if flag is not None:
                flags.append(flag)
        return positionals, flags

    def _flag(self, typed: str, name: str, values: list[str]) -> Given | None:
        """Pair a name with its values; a bare truth value is true, and `--no_x` the opposite of `--x`."""
        where, source = typed, f"flag {typed}"
        spec = self.specs.get(self.names.get(name, ""))
        negated = self.specs.get(self.names.get(name.removeprefix("no_"), "")) if name.startswith("no_") else None
        if spec is None and negated is not None and negated.kind == "bool":
            if values:
                self.problems.append(f"{typed} takes no value; write --{negated.name} {values[0]}")
                return None
            return Given(name.removeprefix("no_"), "false", False, where, source)
        if not values:
            if spec is None or spec.kind == "bool":
                return Given(name, "true", True, where, source)
            self.problems.append(_no_value(typed, spec))
            return None
        if len(values) == 1 and not (spec is not None and is_list(spec)):
            return Given(name, values[0], _read_scalar(values[0]), where, source)
        if spec is None or is_list(spec):
            return Given(name, values, [_read_scalar(value) for value in values], where, source)
        text = " ".join(values)
        self.problems.append(
            f'{typed} takes one value, not {len(values)}: {text}. A text with blanks needs quotes: "{text}"'
        )
        return None

    def _file_name(self, positionals: list[str], flags: list[Given]) -> str | None:
        """Take the configuration file out of the words: the first positional, or `--config`."""
        configs = [str(flag.raw) for flag in flags if flag.name == "config" and "config" not in self.names]
        if any(spec.positional for spec in self.specs.values()):
            return configs[-1] if configs else None
        names = [*positionals, *configs]
        positionals.clear()
        if len(names) > 1:
            self.problems.append(
                f"only one configuration file can be given, here are {len(names)} words: {' '.join(names)}. "
                "Names of options begin with two dashes."
            )
            return None
        return names[0] if names else None

    def _take_positionals(self, positionals: list[str]) -> None:
        for spec in (spec for spec in self.specs.values() if spec.positional):
            if positionals:
                count = len(positionals) if is_list(spec) else 1
                words, positionals = positionals[:count], positionals[count:]
                label = f"argument {spec.name}"
                self._take([Given(spec.name, words if is_list(spec) else words[0], None, label, label)], skip=False)

    # -- values ----------------------------------------------------------------------------------------------

    def _translate(self, items: list[Given], *, from_file: bool) -> list[Given]:
        """Turn keys of the other dialect into arguments, if there are any."""
        if all(item.name in self.names for item in items) and not from_file:
            return items
        from swift.cli.dialect import translate

        result = translate(items, self.command.name, self.names, from_file=from_file)
        self.problems += result.problems
        self.notes += result.notes
        self.environment |= result.environment
        return result.items

    def _ignores_unknown(self, items: Iterable[Given]) -> bool:
        given = [item for item in items if item.name == "ignore_args_error" and item.name in self.names]
        return bool(given) and str(given[-1].raw).casefold() in ("true", "yes", "1", "on")

    def _take(self, items: Iterable[Given], skip: bool) -> None:
        """Coerce and keep; later items win."""
        seen: set[str] = set()
        unknown: list[Given] = []
        for item in items:
            name = self.names.get(item.name)
            if name is None:
                unknown.append(item)
                continue
            spec = self.specs[name]
            if name in seen:
                self.notes.append(f"{item.where}: {name} is given more than once; this one counts")
            seen.add(name)
            if item.raw is None:  # an empty key of a file: not set
                continue
            try:
                self.values[name] = coerce(spec, item.raw)
            except ArgumentError as error:
                self.problems.append(f"{item.where}: {error}")
                continue
            self.sources[name] = item.source
            self._note_old(item, spec)
        for item in unknown:
            if skip:
                self.notes.append(f"{item.where}: not known, skipped (ignore_args_error)")
            else:
                self.problems.append(self._unknown(item))

    def _note_old(self, item: Given, spec: Spec) -> None:
        if item.name != spec.name:
            self.notes.append(f"{item.where}: old name of --{spec.name}")
        if spec.deprecated is not None:
            self.notes.append(f"{item.where}: deprecated; use {spec.deprecated}")
        if (
            isinstance(item.raw, str)
            and item.raw in spec.renamed
            and spec.renamed[item.raw].lower() != item.raw.lower()
        ):
            self.notes.append(f"{item.where}: {item.raw} is an old value, read as {spec.renamed[item.raw]}")

    def _unknown(self, item: Given) -> str:
        from swift.utils.registry import nearest

        near = nearest(item.name, [*self.names, "config"])
        dashes = "--" if item.source.startswith("flag") else ""
        hint = f"; did you mean {' or '.join(dashes + name for name in near)}?" if near else ""
        kind = "unknown option" if dashes else "unknown key"
        if dashes:
            return f"{kind} {item.where}{hint or f' (swift {self.command.name} --help lists all)'}"
        return f"{item.where}: {kind}{hint}"

    def _refuse_additions(self, flags: list[Given], items: list[Given], label: str) -> None:
        """A strict file may be overridden, and not be added to."""
        said = {self.names.get(item.name) for item in items}
        for flag in flags:
            name = self.names.get(flag.name)
            if name is not None and name not in said and flag.name != "config":
                self.problems.append(
                    f"{flag.where}: {label} is strict, so options may only change keys that it has; "
                    f"add {name} to the file, or remove strict"
                )

    def _raise(self) -> None:
        if not self.problems:
            return
        problems = list(dict.fromkeys(self.problems))
        if len(problems) == 1:
            raise ArgumentError(problems[0])
        raise ArgumentError("\n  - ".join([f"{len(problems)} problems", *problems]))


def _is_option(word: str) -> bool:
    """Options begin with two dashes; so a negative number is a value."""
    return word.startswith("--") and len(word) > 2


def _no_value(typed: str, spec: Spec) -> str:
    from swift.llm.arguments.coerce import example, expected

    return f"{typed} needs a value: {expected(spec)} (example: {typed} {example(spec)})"


def _read_scalar(text: str) -> Any:
    """What the text would be in YAML, for the options of the other dialect."""
    folded = text.strip().casefold()
    if folded in ("true", "yes", "on"):
        return True
    if folded in ("false", "no", "off"):
        return False
    if folded in ("null", "none", "~", ""):
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text.lstrip().startswith(("{", "[")):
        import json

        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text
