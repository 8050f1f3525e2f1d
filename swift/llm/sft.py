"""``swift sft``: fine-tune a model on instruction data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swift.llm.arguments.coerce import checked
from swift.llm.arguments.commands import SftArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.training import planning
from swift.llm.training.start import train

if TYPE_CHECKING:
    from swift.llm.plan.plans import TrainPlan
    from swift.trainers.result import TrainResult

COMMAND = "sft"


def make_plan(args: SftArguments, sources: Mapping[str, str] | None = None) -> TrainPlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    return planning.make_plan(COMMAND, args, given_in_python(args) if sources is None else sources)[0]


def sft_main(args: SftArguments) -> TrainResult | TrainPlan:
    """Train with arguments built in Python: the same as ``swift sft`` with them as flags.

    Returns the result of the run, or the plan with ``dry_run=True``. Raises SwiftError where the command line would
    show a message.
    """
    args = checked(args)
    return train(COMMAND, args, given_in_python(args))


def main(parsed: Any) -> int:
    """Run the command; returns its exit code."""
    train(COMMAND, parsed.args, parsed.sources)
    return 0
