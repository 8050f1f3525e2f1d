"""What the commands share that begin with a model as `swift infer` does."""

from dataclasses import dataclass

from swift.llm.arguments.answer import AnswerArguments, EngineArguments
from swift.llm.arguments.data import DataArguments
from swift.llm.arguments.fields import redefault
from swift.llm.arguments.generate import DrawArguments, GenerationArguments, StopArguments
from swift.llm.arguments.model import ModelArguments, RunArguments
from swift.llm.arguments.quant import QuantArguments
from swift.llm.arguments.template import TemplateArguments
from swift.llm.arguments.tuner import SftTypeArguments


@dataclass(frozen=True, kw_only=True)
class AnsweringArguments(
    RunArguments, EngineArguments, StopArguments, DrawArguments, GenerationArguments, AnswerArguments,
    QuantArguments, SftTypeArguments, DataArguments, TemplateArguments, ModelArguments,
):  # fmt: skip
    """A model, what it is tuned with, the engine that runs it and how it answers."""

    max_length: int = redefault(
        TemplateArguments, "max_length", -1, help="Most tokens of a prompt; -1 is no limit but the model's.",
    )  # fmt: skip
    sft_type: str = redefault(
        SftTypeArguments, "sft_type", "lora", help="How the checkpoint was tuned. Read from the checkpoint "
        "itself.",
    )  # fmt: skip
