"""``swift preprocess``: make the samples of a training ahead of time, and say what is in them. Loads no model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from swift.llm.arguments.coerce import checked
from swift.llm.arguments.commands import PreprocessArguments
from swift.llm.arguments.given import given_in_python
from swift.llm.catalog.registries import TEMPLATE_MAPPING
from swift.llm.plan.explain import explain
from swift.llm.plan.find import find_model, register_rows
from swift.llm.plan.loss_scale import read_loss_scale
from swift.llm.plan.preprocess import OF_THE_BATCH, OF_THE_MODEL, PreprocessPlan, resolve_preprocess
from swift.utils.files import write_json_atomic
from swift.utils.log import logger

COMMAND = "preprocess"


def make_plan(args: PreprocessArguments, sources: Mapping[str, str] | None = None) -> PreprocessPlan:
    """The frozen plan of these arguments. Raises PlanError with every conflict at once."""
    sources = given_in_python(args) if sources is None else sources
    register_rows(args)
    model, row, why = find_model(args, sources, need_weights=False)
    useless = [name for name in (*OF_THE_MODEL, *OF_THE_BATCH) if name in sources]
    if useless:
        logger.info("%s: no sample depends on it; taken, so that a training's line can be repeated", ", ".join(useless))
    weights = read_loss_scale(args.loss_scale_config_path) if args.use_loss_scale else None
    return resolve_preprocess(args, sources, model, row, why, templates=TEMPLATE_MAPPING, loss_scale=weights)


def preprocess_main(args: PreprocessArguments) -> dict[str, Any] | PreprocessPlan | None:
    """Prepare with arguments built in Python; returns the statistics, None where other shares are still missing.

    With ``dry_run=True`` returns the plan. Raises SwiftError.
    """
    args = checked(args)
    plan = make_plan(args)
    if args.dry_run:
        return plan
    return run(plan, debug=args.debug)


def main(parsed: Any) -> int:
    """Run the command; returns its exit code."""
    plan = make_plan(parsed.args, parsed.sources)
    if parsed.args.dry_run:
        sys.stdout.write(explain(plan) + "\n")
        return 0
    run(plan, debug=parsed.args.debug)
    return 0


def run(plan: PreprocessPlan, *, debug: bool = False) -> dict[str, Any] | None:
    """Make this worker's share; where all is there, print and return the statistics.

    ``debug`` shows more of the lost rows. Raises DataError for data that cannot be read or lost too much.
    """
    from swift.llm.dataset.cache import Worker, cache_folder
    from swift.llm.dataset.preparation import build_parts, prepare
    from swift.llm.dataset.statistics import measure
    from swift.llm.template import open_template
    from swift.llm.template.check import verify
    from swift.llm.tokenizer import load_tokenizer
    from swift.llm.training.preview import show_samples

    tokenizer = load_tokenizer(Path(plan.model_path))
    template = open_template(plan.template.template_type, tokenizer, plan.template)
    notes = []
    if plan.verify_template and plan.training != "pt":
        verdict = verify(template, tokenizer)
        if verdict.checked and not verdict.equal:
            notes.append(f"template {template.name} differs from the tokenizer's own:\n{verdict.first_difference}")
    built = build_parts(plan.data, template, Worker(*plan.worker))
    for label, one in built:
        did = "all was there" if one.found else f"{one.made} of {one.num_parts} parts made"
        _say(f"{label}: {did}" + (f", {one.missing} are still to be made by other shards" if one.missing else ""))
    if any(one.missing for _, one in built):
        number, count = plan.worker
        _say(f"share {number + 1} of {count} is done. When the others are, run this again, or train, to join them.")
        return None
    prepared = prepare(plan.data, template)
    statistics = measure(prepared, max_length=plan.data.max_length, seed=plan.data.seed)
    for line in (
        *(source.line() for source in prepared.report.sources), *statistics.lines(),
        *show_samples(prepared, tokenizer), *notes, *template.notes,
    ):  # fmt: skip
        _say(line)
    ledger = prepared.report.ledger
    shown = ledger[: 100 if debug else 5]
    for lost in shown:
        _say(f"{lost.action} {lost}")
    if len(ledger) > len(shown):
        _say(f"… and {len(ledger) - len(shown):,} more rows are lost or cut: --json FILE lists them all")
    told = {**statistics.to_json(), "ledger": [lost.to_json() for lost in ledger]}
    if plan.statistics_path:
        write_json_atomic(plan.statistics_path, told)
        _say(f"statistics: {plan.statistics_path}")
    _say(
        f"prepared in {cache_folder(plan.data.cache_dir)}: swift {plan.training} with the same model, data and limits finds it"
    )
    return told


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
