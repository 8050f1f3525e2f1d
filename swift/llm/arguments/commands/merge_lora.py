"""Arguments of `swift merge-lora`: an adapter added into its model."""

from dataclasses import dataclass

from swift.llm.arguments.commands.infer import InferArguments


@dataclass(frozen=True, kw_only=True)
class MergeLoraArguments(InferArguments):
    """Arguments of `swift merge-lora`: an adapter added into its model."""
