"""Arguments of `swift web-ui`: a page for all commands."""

from dataclasses import dataclass

from swift.llm.arguments.serve import WebArguments


@dataclass(frozen=True, kw_only=True)
class WebUiArguments(WebArguments):
    """Arguments of `swift web-ui`: a page for all commands."""
