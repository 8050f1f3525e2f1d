"""Arguments of `swift app-ui`: a chat page for one model."""

from dataclasses import dataclass

from swift.llm.arguments.commands.infer import InferArguments
from swift.llm.arguments.serve import AppArguments


@dataclass(frozen=True, kw_only=True)
class AppUiArguments(AppArguments, InferArguments):
    """Arguments of `swift app-ui`: a chat page for one model."""
