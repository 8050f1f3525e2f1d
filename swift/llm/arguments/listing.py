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
    family: str | None = arg(None, "Models of one family, by its exact name, say qwen2_5.", "misc")
    size: str | None = arg(
        None, "Models of a size in parameters: 7b, 500m, '<=8b', '>30b', or 1b..8b with both ends.", "misc",
    )  # fmt: skip
    tag: str | None = arg(None, "Models with a tag: chat, base, moe, coding, math, reasoning, vision and more.", "misc")
    task: str | None = arg(
        None, "Models made for a task: causal_lm, embedding, reranker, reward, masked_lm, speech_to_text.", "misc",
    )  # fmt: skip
    modality: str | None = arg(
        None, "Models that read image, video or audio beside text; text: those that read nothing else.", "misc"
    )
    quant: str | None = arg(
        None, "Models quantised by a method (gptq, awq, fp8), to a width (4bit), or both (gptq4); none: not at all.", "misc",
    )  # fmt: skip
    check: bool = arg(
        False, "Check the rows of the models instead of listing them; the exit code is 1 where something is wrong.", "misc",
    )  # fmt: skip
    model: str | None = arg(
        None, "With --check: a model's folder whose config.json and chat template are compared with its row.", "misc",
        path="always",
    )  # fmt: skip
    hub: bool = arg(
        False, "With --check: fetch configuration and tokenizer of each listed model from its hub and compare them too.", "misc",
    )  # fmt: skip
    use_hf: bool | None = arg(
        None, "With --hub: ask Hugging Face (true) or ModelScope (false); left out, the variable USE_HF decides.", "misc",
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
