"""Arguments of the commands of our own that need no model."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import Json, arg

LISTS = ("models", "templates", "datasets", "tuners")
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, kw_only=True)
class ListArguments:
    """What to list, and the words that a listed row must hold."""

    what: str = arg("models", "Kind of rows to list.", "misc", choices=LISTS, positional=True)
    words: Sequence[str] = arg(
        (), "Words that all must occur in a row: in its name, hub id or tags.", "misc", positional=True,
        metavar="WORD",
    )  # fmt: skip
    json: bool = arg(False, "Print JSON lines, all fields of a row.", "misc")
    custom_register_path: str | None = arg(
        None, "Python file that registers models, templates or data sets of your own.", "misc", path="always",
    )  # fmt: skip
    custom_dataset_info: Json = arg(
        None, "Data sets of your own: a dataset_info.json, or its content as JSON.", "misc", path="keep",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CompletionArguments:
    """The shell to complete for."""

    shell: str = arg("bash", "Shell to write the script for.", "misc", choices=SHELLS, positional=True)
