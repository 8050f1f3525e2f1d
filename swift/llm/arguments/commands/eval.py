"""Arguments of `swift eval`: benchmarks. Answers are greedy."""

from dataclasses import dataclass

from swift.llm.arguments.commands.infer import InferArguments
from swift.llm.arguments.fields import redefault
from swift.llm.arguments.score import ScoreArguments


@dataclass(frozen=True, kw_only=True)
class EvalArguments(ScoreArguments, InferArguments):
    """Arguments of `swift eval`: benchmarks. Answers are greedy."""

    do_sample: bool | None = redefault(InferArguments, "do_sample", False)
    temperature: float | None = redefault(InferArguments, "temperature", 0.0)
