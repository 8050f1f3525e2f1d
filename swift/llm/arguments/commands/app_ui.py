"""Arguments of `swift app-ui`: a chat page for one model."""

from dataclasses import dataclass

from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.serve import AppArguments
from swift.llm.arguments.template import ImageArguments


@dataclass(frozen=True, kw_only=True)
class AppUiArguments(AppArguments, ImageArguments, AnsweringArguments):
    """Arguments of `swift app-ui`: a chat page for one model."""
