"""Arguments of `swift rlhf`: alignment by preferences or rewards."""

from dataclasses import dataclass

from swift.llm.arguments.commands.sft import SftArguments
from swift.llm.arguments.rlhf import AlignmentArguments


@dataclass(frozen=True, kw_only=True)
class RlhfArguments(AlignmentArguments, SftArguments):
    """Arguments of `swift rlhf`: alignment by preferences or rewards."""
