"""Arguments of `swift deploy`: a server with the OpenAI interface."""

from dataclasses import dataclass

from swift.llm.arguments.commands.infer import InferArguments
from swift.llm.arguments.fields import redefault
from swift.llm.arguments.serve import HttpArguments


@dataclass(frozen=True, kw_only=True)
class DeployArguments(HttpArguments, InferArguments):
    """Arguments of `swift deploy`: a server with the OpenAI interface."""

    verbose: bool | None = redefault(
        InferArguments, "verbose", True, group="server", help="Log every request.",
    )  # fmt: skip
