"""Arguments of `swift pt`: further pre-training on plain text."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.commands.sft import SftArguments
from swift.llm.arguments.fields import redefault


@dataclass(frozen=True, kw_only=True)
class PtArguments(SftArguments):
    """Arguments of `swift pt`: further pre-training on plain text."""

    sft_type: str = redefault(SftArguments, "sft_type", "full")
    target_modules: Sequence[str] = redefault(SftArguments, "target_modules", ("ALL",))
    lazy_tokenize: bool | None = redefault(SftArguments, "lazy_tokenize", True)
    eval_steps: int | None = redefault(SftArguments, "eval_steps", 500, help="Steps between evaluations.")
