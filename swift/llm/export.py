"""``swift export``: an adapter in PEFT's layout, or folded into its base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swift.llm.answering.planning import make_export_plan
from swift.llm.arguments.commands import ExportArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.explain import explain, run_or_show

if TYPE_CHECKING:
    from swift.llm.merge.convert import ConvertResult
    from swift.llm.merge.merge import MergeResult
    from swift.llm.plan.plans import ExportPlan


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was made; None for what was not asked for."""

    converted: ConvertResult | None
    merged: MergeResult | None

    def line(self) -> str:
        """For the terminal."""
        return "\n".join(one.line() for one in (self.converted, self.merged) if one is not None)


def make_plan(args: ExportArguments, sources: Mapping[str, str] | None = None) -> ExportPlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    return make_export_plan(args, given_in_python(args) if sources is None else sources)


def run(plan: ExportPlan) -> ExportResult:
    """Convert, then merge, as planned; each target is whole or as it was."""
    from swift.llm.merge.convert import convert_checkpoint
    from swift.llm.merge.merge import fetch_and_merge

    converted = convert_checkpoint(plan.convert) if plan.convert is not None else None
    merged = fetch_and_merge(plan.merge) if plan.merge is not None else None
    return ExportResult(converted, merged)


def export_main(args: ExportArguments) -> ExportResult | ExportPlan:
    """Export with arguments built in Python; returns the result, or the plan with ``dry_run=True``. Raises SwiftError."""
    return _export(args, given_in_python(args))


def main(parsed: Any) -> int:
    """Run the command; returns its exit code."""
    _export(parsed.args, parsed.sources)
    return 0


def _export(args: ExportArguments, sources: Mapping[str, str]) -> ExportResult | ExportPlan:
    return run_or_show(make_plan(args, sources), _run_and_tell, dry_run=args.dry_run, show=_show)


def _show(plan: ExportPlan) -> None:
    print("\n\n".join(explain(one) for one in (plan, plan.merge) if one is not None), flush=True)


def _run_and_tell(plan: ExportPlan) -> ExportResult:
    result = run(plan)
    print(result.line(), flush=True)
    return result
