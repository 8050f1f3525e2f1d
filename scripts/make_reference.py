"""Write docs/arguments.md from the arguments themselves: the help text of an option is written once, beside its default."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from swift.cli.commands import COMMANDS
from swift.llm.arguments.fields import GROUPS, Spec, specs
from swift.trainers.optimizers.table import ALIASES, OPTIMIZERS
from swift.utils.lazy import load

TARGET = Path(__file__).resolve().parents[1] / "docs" / "arguments.md"
DOCUMENTED = ("sft", "pt", "infer", "merge-lora", "list")


def shown(value: Any) -> str:
    """A default as somebody would type it."""
    if value is None:
        return "decided by the plan"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{' '.join(str(item) for item in value if item is not None)}`" if any(value) else "none"
    return f"`{value}`" if value != "" else "empty"


def row(spec: Spec) -> str:
    """One argument as a line of a table."""
    choices = f" One of {', '.join(f'`{choice}`' for choice in spec.choices)}." if spec.choices else ""
    also = f" Also {', '.join(f'`--{alias}`' for alias in spec.aliases)}." if spec.aliases else ""
    old = f" Retired: use {spec.deprecated}." if spec.deprecated else ""
    text = (spec.help + choices + also + old).replace("|", "\\|").replace("\n", " ")
    return f"| `--{spec.name}` | {spec.kind} | {shown(spec.default)} | {text} |"


def lines() -> Iterator[str]:
    """The page, line by line."""
    yield "# Arguments"
    yield ""
    yield "Made by `scripts/docs` from `swift/llm/arguments/`. `swift <command> --help` shows the same."
    for command in COMMANDS.values():
        if command.name not in DOCUMENTED or not command.arguments:
            continue
        yield f"\n## swift {command.name}\n"
        yield f"{command.help[0].upper()}{command.help[1:]}.\n"
        known = specs(load(command.arguments))
        for group, title in GROUPS.items():
            members = [spec for spec in known.values() if spec.group == group]
            if members:
                yield f"\n### {title}\n"
                yield "| option | type | default | meaning |\n| --- | --- | --- | --- |"
                yield from (row(spec) for spec in members)
    yield "\n## Values of --optim\n"
    yield "Other words for the same: " + ", ".join(f"`{alias}` ({name})" for alias, name in ALIASES.items()) + ".\n"
    yield "| optimizer | what it is | needs | GaLore over it |\n| --- | --- | --- | --- |"
    for one in OPTIMIZERS.values():
        needs = ", ".join(
            [
                *([f"`{one.requires}`"] if one.requires else []),
                *(place for place in one.devices if "cpu" not in one.devices),
            ]
        )
        yield f"| `{one.name}` | {one.title} | {needs} | {'yes' if one.galore else ''} |"


def page() -> str:
    """The whole page."""
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    print(f"wrote {TARGET}")
