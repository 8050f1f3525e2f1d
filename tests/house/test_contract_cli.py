"""The dataclasses hold every argument of the command-line contract, with its type, default, choices and aliases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swift.cli.commands import COMMANDS
from swift.llm.arguments.fields import Spec, matches, specs
from swift.utils.lazy import load

CONTRACT = Path(__file__).parents[3] / "shared" / "spec" / "cli.yaml"
COMMAND_NAMES = (
    "sft", "pt", "rlhf", "infer", "merge-lora", "export", "eval", "app-ui", "deploy", "web-ui",
)  # fmt: skip
# Kinds that are wider here than in the contract, on purpose: fractions of an epoch; a mapping as well as a path.
WIDER = {"num_train_epochs": "float", "fsdp_config": "json"}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    if not CONTRACT.exists():
        pytest.skip(f"the contract is not there: {CONTRACT}")
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))


def stated(contract: dict[str, Any], command: str) -> dict[str, dict[str, Any]]:
    """Every entry of a command by argument, the inherited ones first."""
    entry = contract["commands"][command]
    found = stated(contract, entry["inherits"]) if entry["inherits"] else {}
    for argument in [*entry["arguments"], *entry.get("code_only", [])]:
        found[argument["name"]] = argument
    return found


def spec_of(command: str) -> dict[str, Spec]:
    return dict(specs(load(COMMANDS[command].arguments)))


def test_every_command_is_there(contract: dict[str, Any]) -> None:
    assert set(contract["commands"]) == set(COMMAND_NAMES)
    aliases = contract["commands"]["rlhf"]["command_aliases"]
    for name in [*aliases, "kto", "cpo"]:
        assert COMMANDS[name].presets == (("rlhf_type", name),)
        assert COMMANDS[name].arguments == COMMANDS["rlhf"].arguments


@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_arguments_follow_the_contract(contract: dict[str, Any], command: str) -> None:
    ours = spec_of(command)
    wrong: list[str] = []
    for name, entry in stated(contract, command).items():
        spec = ours.get(name)
        if spec is None:
            wrong.append(f"{name}: missing")
            continue
        kind = WIDER.get(name, entry.get("code_type", entry["type"]))
        if spec.kind != kind:
            wrong.append(f"{name}: kind {spec.kind}, contract {kind}")
        default = entry.get("code_default", entry["default"])
        wanted = tuple(default) if isinstance(default, list) else default
        if spec.default != wanted or isinstance(spec.default, bool) != isinstance(wanted, bool):
            wrong.append(f"{name}: default {spec.default!r}, contract {wanted!r}")
        wrong += wrong_choices(spec, entry)
        missing = set(entry.get("aliases", ())) - set(spec.aliases)
        if missing:
            wrong.append(f"{name}: aliases {missing} are missing")
        if entry.get("deprecated") and not spec.deprecated:
            wrong.append(f"{name}: not marked as deprecated")
        if entry.get("starred") and not spec.starred:
            wrong.append(f"{name}: not starred")
    assert wrong == []


def wrong_choices(spec: Spec, entry: dict[str, Any]) -> list[str]:
    """A closed set of the page or of the code is accepted in full; what is free there is free here."""
    closed = [entry[key] for key in ("choices", "code_choices") if isinstance(entry.get(key), list)]
    wrong = [f"{spec.name}: preset {one} is missing" for one in entry.get("presets", ()) if one not in spec.presets]
    if isinstance(entry.get("choices"), str) and spec.registry is None:
        wrong.append(f"{spec.name}: takes names of {entry['choices']} and does not say so")
    if closed and spec.choices is None:
        return [*wrong, f"{spec.name}: has no choices"]
    if not closed and spec.choices is not None:
        return [*wrong, f"{spec.name}: is free in the contract, has choices {spec.choices}"]
    for value in (value for values in closed for value in values):
        assert spec.choices is not None
        if not any(value == choice or matches(value, choice) for choice in spec.choices):
            wrong.append(f"{spec.name}: {value!r} is not accepted")
    return wrong


def test_no_argument_is_called_twice() -> None:
    """A name or an alias stands for one argument, in every command."""
    for command in COMMAND_NAMES:
        seen: dict[str, str] = {}
        for name, spec in spec_of(command).items():
            for word in [name, *spec.aliases]:
                assert seen.setdefault(word, name) == name, f"{command}: {word}"
