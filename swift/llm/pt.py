"""``swift pt``: continue pre-training on plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swift.llm.training.start import plan_in_python, train, train_in_python

if TYPE_CHECKING:
    from swift.llm.arguments.commands import PtArguments
    from swift.llm.plan.plans import TrainPlan
    from swift.trainers.result import TrainResult

COMMAND = "pt"


def make_plan(args: PtArguments, sources: Mapping[str, str] | None = None) -> TrainPlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    return plan_in_python(COMMAND, args, sources)


def pt_main(args: PtArguments) -> TrainResult | TrainPlan:
    """Train with arguments built in Python: the same as ``swift pt`` with them as flags.

    Returns the result of the run, or the plan with ``dry_run=True``. Raises SwiftError where the command line would
    show a message.
    """
    return train_in_python(COMMAND, args)


def main(parsed: Any) -> int:
    """Run the command; returns its exit code."""
    train(COMMAND, parsed.args, parsed.sources)
    return 0
