"""Benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class ScoreArguments:
    """Which benchmarks, how much of them, against what."""

    eval_dataset: Sequence[str] = arg(
        (), "Benchmarks by name; left out, all. No effect with custom_eval_config.", "eval", starred=True,
        metavar="NAME",
    )  # fmt: skip
    eval_backend: str = arg(
        "OpenCompass", "Harness that runs them.", "eval", choices=("Native", "OpenCompass"),
    )  # fmt: skip
    eval_few_shot: int | None = arg(
        None, "Examples shown before each question; left out, as the benchmark has it.", "eval",
        deprecated="nothing: the benchmark's own number is used",
    )  # fmt: skip
    eval_limit: str | None = arg(
        None, "Rows of each benchmark: a number, or a slice such as [10:20].", "eval", metavar="ROWS",
    )  # fmt: skip
    name: str = arg("", "Name of the run, part of the result folder <eval_output_dir>/<name>/<time>.", "eval")
    eval_url: str | None = arg(
        None, "Server with the OpenAI interface to measure, such as http://127.0.0.1:8000/v1, in place of a "
        "local model.", "eval",
    )  # fmt: skip
    eval_token: str = arg("EMPTY", "Key of that server; EMPTY is none.", "eval")
    eval_is_chat_model: bool | None = arg(
        None, "Whether a chat model or a base model answers at eval_url.", "eval",
    )  # fmt: skip
    custom_eval_config: str | None = arg(
        None, "JSON file that describes benchmarks of your own.", "eval", path="always",
    )  # fmt: skip
    eval_use_cache: bool = arg(False, "Use the answers of an earlier run and make the report anew.", "eval")
    eval_output_dir: str = arg("eval_outputs", "Folder of the results.", "eval", path="always")
    eval_batch_size: int = arg(8, "Questions at a time.", "eval")
    eval_nproc: int = arg(16, "Parallel workers, for benchmarks with images or video.", "eval")
    deploy_timeout: int = arg(1800, "Seconds to wait for the server that this command starts.", "eval")
