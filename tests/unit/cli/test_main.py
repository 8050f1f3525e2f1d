"""Exit codes and what is printed where."""

from __future__ import annotations

import subprocess
import sys

import pytest

import swift
from swift.cli.commands import COMMANDS
from swift.cli.completion import script
from swift.cli.main import main


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"swift {swift.__version__}\n"


@pytest.mark.parametrize(
    "argv", [[], ["--help"], ["-h"], ["help"], ["help", "app_ui"], ["app-ui", "-h"], ["plan", "--help"]]
)
def test_help_is_an_answer_and_not_an_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 0
    printed = capsys.readouterr()
    assert "Usage: swift" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["stf"], "swift: unknown command 'stf'; did you mean 'sft'? (swift --help lists all commands)\n"),
        (["sft", "--lora_rank", "x"], "swift sft: --lora_rank: 'x' is not an integer (example: --lora_rank 8)\n"),
        (["--lora_rank", "8"], "swift: expected a command before --lora_rank"),
        (["web-ui"], "swift web-ui: the options are fine, but this command is not in this version yet\n"),
        (["dpo"], "swift dpo: the options are fine, but this command is not in this version yet\n"),
        (["web_ui", "--prot", "1"], "swift web-ui: unknown option --prot; did you mean --port?\n"),
        (["plan"], "swift plan: expected a command to plan"),
        (["plan", "web-ui"], "swift plan: swift web-ui has no plan to show"),
        (["help", "sftt"], "swift: unknown command 'sftt'"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(said)


def test_debug_keeps_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from swift.utils.errors import ArgumentError

    monkeypatch.setenv("SWIFT_DEBUG", "1")
    with pytest.raises(ArgumentError):
        main(["stf"])


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = f"{sys.executable} -m swift sft --help | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_holds_commands_options_and_values(shell: str) -> None:
    text = script(shell)
    for name in COMMANDS:
        assert name in text
    for word in ("learning_rate", "truncation_left", "adalora_deltaT"):
        assert word in text


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["swift", "plan", "sf"], ["sft"]),
        (["swift", "merge_lora", "--ckpt"], ["--ckpt_dir"]),
        (["swift", "sft", "--dtype", "b"], ["bf16"]),
        (["swift", "list", "t"], ["templates", "tuners"]),
    ],
)
def test_bash_completes(words: list[str], wanted: list[str]) -> None:
    quoted = " ".join(f"'{word}'" for word in words)
    tail = f'COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _swift; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", script("bash") + tail], capture_output=True, text=True, check=True)
    assert done.stdout.split() == wanted
