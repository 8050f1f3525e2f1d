"""``swift merge-lora``: fold an adapter into its base and prove that the result answers alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from swift.llm.answering.planning import make_merge_plan
from swift.llm.arguments.commands import MergeLoraArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.plan.explain import run_or_show

if TYPE_CHECKING:
    from swift.llm.merge.merge import MergeResult
    from swift.llm.plan.plans import MergePlan


def make_plan(args: MergeLoraArguments, sources: Mapping[str, str] | None = None) -> MergePlan:
    """The frozen plan of these arguments; loads no weights. Raises PlanError with every conflict at once."""
    return make_merge_plan(args, given_in_python(args) if sources is None else sources)


def run(plan: MergePlan) -> MergeResult:
    """Merge as planned; the target is whole or as it was."""
    from swift.llm.merge.merge import fetch_and_merge

    return fetch_and_merge(plan)


def merge_lora_main(args: MergeLoraArguments) -> MergeResult | MergePlan:
    """Merge with arguments built in Python; returns the result, or the plan with ``dry_run=True``. Raises SwiftError."""
    return _merge(args, given_in_python(args))


def main(parsed: Any) -> int:
    """Run the command; returns its exit code."""
    _merge(parsed.args, parsed.sources)
    return 0


def _merge(args: MergeLoraArguments, sources: Mapping[str, str]) -> MergeResult | MergePlan:
    return run_or_show(make_plan(args, sources), _run_and_tell, dry_run=args.dry_run)


def _run_and_tell(plan: MergePlan) -> MergeResult:
    result = run(plan)
    print(result.line(), flush=True)
    return result
