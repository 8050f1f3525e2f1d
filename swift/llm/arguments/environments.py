"""Arguments of `swift env` and of `swift serve-check`."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.fields import arg, redefault

ACTIONS = ("list", "add", "check", "remove")


@dataclass(frozen=True, kw_only=True)
class EnvArguments:
    """Which environments, and what to do with them."""

    action: str = arg(
        "list", "What to do: list all, add (make or repair), check (imports and a prompt), remove.", "misc", choices=ACTIONS,
        positional=True,
    )  # fmt: skip
    names: Sequence[str] = arg(
        (), "Environments, such as vllm (`swift env list` shows them).", "misc", positional=True, metavar="NAME",
    )  # fmt: skip
    env_dir: str | None = arg(
        None, "Folder of the environments. Left out, the variable SWIFT_ENV_DIR, or envs in swift's cache.", "misc",
        path="always",
    )  # fmt: skip
    installer: str = arg(
        "auto", "What installs: uv where it is (auto), or the one named.", "misc", choices=("auto", "uv", "pip"),
    )  # fmt: skip
    torch_index: str | None = arg(
        None, "Package index to take torch from, for another build of it. Left out, the variable TORCH_INDEX.", "misc",
        metavar="URL",
    )  # fmt: skip
    again: bool = arg(False, "With add: make it anew even where it is whole.", "misc")
    smoke: bool = arg(
        True, "With add and check: start the engine in it with the embedded demo model and let it answer a prompt.", "misc",
    )  # fmt: skip
    json: bool = arg(False, "Print JSON, and nothing else.", "misc")


@dataclass(frozen=True, kw_only=True)
class ServeCheckArguments(AnsweringArguments):
    """A model, an engine, and how far its log-probabilities may be from those of the training code."""

    tolerance: float = arg(
        0.05, "Most that the log-probability of a token may differ, in nats; weights in bf16 or fp16 may differ by four times "
        "that.", "infer",
    )  # fmt: skip
    check_tokens: int = arg(24, "Tokens of each answer that are compared.", "infer")
    json: bool = arg(False, "Print the report as JSON, and nothing else.", "infer")
    save_result: bool = redefault(AnsweringArguments, "save_result", False, help="Write the report to a file.")
