"""Arguments of `swift merge-lora`: adapters added into their model."""

from dataclasses import dataclass

from swift.llm.arguments.commands.infer import InferArguments
from swift.llm.arguments.merge import CombineArguments


@dataclass(frozen=True, kw_only=True)
class MergeLoraArguments(CombineArguments, InferArguments):
    """Arguments of `swift merge-lora`: adapters added into their model."""
