"""Arguments of `swift deploy`: a server with the OpenAI interface."""

from dataclasses import dataclass

from swift.llm.arguments.commands.answering import AnsweringArguments
from swift.llm.arguments.fields import redefault
from swift.llm.arguments.serve import HttpArguments
from swift.llm.arguments.template import ImageArguments


@dataclass(frozen=True, kw_only=True)
class DeployArguments(HttpArguments, ImageArguments, AnsweringArguments):
    """Arguments of `swift deploy`: a server with the OpenAI interface."""

    verbose: bool | None = redefault(
        AnsweringArguments, "verbose", True, group="server", help="Log every request.",
    )  # fmt: skip
