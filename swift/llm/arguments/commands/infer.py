"""Arguments of `swift infer`: chat, or answers over a data set."""

from dataclasses import dataclass

from swift.llm.arguments.answer import RowsArguments
from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.template import ImageArguments


@dataclass(frozen=True, kw_only=True)
class InferArguments(RowsArguments, ImageArguments, AnsweringArguments):
    """Arguments of `swift infer`: chat, or answers over a data set."""
