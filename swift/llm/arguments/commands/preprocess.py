"""Arguments of `swift preprocess`: make the samples of a training ahead of time."""

from dataclasses import dataclass

from swift.llm.arguments.data import TrainDataArguments
from swift.llm.arguments.fields import arg, redefault
from swift.llm.arguments.model import ModelArguments, RunArguments
from swift.llm.arguments.template import TrainTemplateArguments
from swift.llm.arguments.train import LoopArguments, TrainModelArguments


@dataclass(frozen=True, kw_only=True)
class WorkerArguments:
    """Whose samples they are, and who makes them."""

    command: str = arg(
        "sft", "The training that will use the samples: sft for dialogues, pt for plain text.", "dataset",
        choices=("sft", "pt"), starred=True,
    )  # fmt: skip
    shard: str | None = arg(
        None, "Which share of the work this process does, as 1/4 to 4/4. The others may run at the same time, on other "
        "machines too; what they write into one folder is found and joined.", "dataset", starred=True, metavar="I/N",
    )  # fmt: skip
    json: str | None = arg(
        None, "File to write the statistics to, as JSON.", "dataset", path="always", metavar="FILE",
    )  # fmt: skip
    seed: int = redefault(LoopArguments, "seed", 42, group="dataset")
    check_model_is_latest: bool = redefault(TrainModelArguments, "check_model_is_latest", True)


@dataclass(frozen=True, kw_only=True)
class PreprocessArguments(RunArguments, WorkerArguments, TrainDataArguments, TrainTemplateArguments, ModelArguments):
    """Arguments of `swift preprocess`: make the samples of a training ahead of time."""
