"""Every option explains itself, and asking for help costs no heavy import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from swift.cli.commands import COMMANDS
from swift.cli.help import command_help, general_help
from swift.llm.arguments.fields import GROUPS, specs
from swift.utils.lazy import load

HEAVY = ("torch", "transformers", "datasets", "numpy", "gradio", "fastapi", "peft", "trl", "yaml", "tokenizers")
WITH_ARGUMENTS = [name for name, row in COMMANDS.items() if row.arguments]


@pytest.mark.parametrize("command", WITH_ARGUMENTS)
def test_every_option_has_a_text_and_a_group(command: str) -> None:
    wrong = [
        name
        for name, spec in specs(load(COMMANDS[command].arguments)).items()
        if not (15 <= len(spec.help) <= 300 and spec.help[0].isupper() and spec.help.endswith("."))
        or spec.group not in GROUPS
    ]
    assert wrong == []


@pytest.mark.parametrize("command", WITH_ARGUMENTS)
def test_help_shows_every_option_once(command: str) -> None:
    text = command_help(COMMANDS[command])
    options = [name for name, spec in specs(load(COMMANDS[command].arguments)).items() if not spec.positional]
    shown = [line[4:].split()[0] for line in text.splitlines() if line[:4] in ("  --", "* --")]
    assert sorted(shown) == sorted(options)
    assert max(len(line) for line in text.splitlines()) <= 120


def test_the_first_page_shows_every_command() -> None:
    text = general_help()
    for row in COMMANDS.values():
        assert f"\n  {row.name} " in text
        assert row.help in text


def test_words_narrow_the_help() -> None:
    text = command_help(COMMANDS["sft"], ["lora_lr"])
    assert "--lora_lr_ratio" in text
    assert "--dtype" not in text
    assert "No option has" in command_help(COMMANDS["sft"], ["sausage"])


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["sft", "--help"], 0),
        (["help", "infer"], 0),
        (["completion", "bash"], 0),
        (["sft", "--lora_rnk", "8"], 2),
        (["stf"], 2),
        (["deploy"], 2),
    ],
)
def test_nothing_heavy_is_imported(argv: list[str], code: int) -> None:
    program = (
        "import sys; from swift.cli.main import main; code = main(sys.argv[1:]);"
        f"print(code, sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == f"{code} []"
    assert "Traceback" not in done.stderr
