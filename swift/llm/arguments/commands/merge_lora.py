"""Arguments of `swift merge-lora`: adapters added into their model."""

from dataclasses import dataclass

from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.merge import CombineArguments


@dataclass(frozen=True, kw_only=True)
class MergeLoraArguments(CombineArguments, AnsweringArguments):
    """Arguments of `swift merge-lora`: adapters added into their model."""
