"""Arguments of `swift sft`: fine-tuning on instructions."""

from dataclasses import dataclass

from swift.llm.arguments.data import TrainDataArguments
from swift.llm.arguments.generate import GenerationArguments
from swift.llm.arguments.model import ModelArguments, RunArguments
from swift.llm.arguments.quant import QuantArguments
from swift.llm.arguments.template import TrainTemplateArguments
from swift.llm.arguments.train import (
    CheckpointArguments,
    DistributedArguments,
    EvaluationArguments,
    LoggingArguments,
    LoopArguments,
    OptimizerArguments,
    TrainModelArguments,
    TrainPushArguments,
)
from swift.llm.arguments.tuner import (
    AdapterArguments,
    LoraArguments,
    LowRankTrainingArguments,
    TunerArguments,
)


@dataclass(frozen=True, kw_only=True)
class SftArguments(
    RunArguments, TrainPushArguments, DistributedArguments, LoggingArguments, EvaluationArguments,
    GenerationArguments, CheckpointArguments, OptimizerArguments, LoopArguments, QuantArguments,
    LowRankTrainingArguments, AdapterArguments, LoraArguments, TunerArguments, TrainDataArguments,
    TrainTemplateArguments, TrainModelArguments, ModelArguments,
):  # fmt: skip
    """Arguments of `swift sft`: fine-tuning on instructions."""
