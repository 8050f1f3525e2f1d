"""Samples made ahead of a training, decided: the template and the data of that training, and whose share is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.facts import ModelFacts
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.plan.problems import Problems, Reasons
from swift.llm.plan.train import resolve_samples

OF_THE_MODEL = ("dtype", "attn_impl", "use_flash_attn", "device_map_config", "device_max_memory", "trust_remote_code",
                "model_kwargs", "local_repo_path")  # fmt: skip
"""How a model is loaded and computes, which no sample depends on: accepted, so that a training's line can be repeated."""

OF_THE_BATCH = ("padding_free", "group_by_length")
"""How samples become batches: accepted for the same reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreprocessPlan:
    """The samples to make. ``training`` is the command that will use them; ``worker`` (i, n), i from 0, makes a share of them.

    ``statistics_path``: where the statistics are written as JSON.
    """

    command: str
    training: str
    model_type: str | None
    model_path: str
    template: TemplatePlan
    data: DataPlan
    worker: tuple[int, int] = (0, 1)
    statistics_path: str | None = None
    verify_template: bool = True
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def resolve_preprocess(
    args: Any,
    sources: Mapping[str, str],
    model: ModelFacts,
    row: ModelRow,
    row_reason: str,
    *,
    templates: Mapping[str, Any],
    loss_scale: str | None,
) -> PreprocessPlan:
    """The plan of ``swift preprocess``. Raises PlanError with every conflict at once."""
    problems, reasons = Problems(), Reasons(sources)
    reasons.note("model_type", row_reason)
    if args.streaming:
        problems.add(
            "--streaming true: a stream is encoded while training goes on; there is nothing to prepare. Leave it out."
        )
    if args.lazy_tokenize and "lazy_tokenize" in sources:
        problems.add(
            "--lazy_tokenize true: rows are then encoded when they are used; there is nothing to prepare. Leave it out."
        )
    if "loss_scale_config_path" in sources and not args.use_loss_scale:
        problems.add(
            "--loss_scale_config_path: has an effect only with --use_loss_scale true. Leave it out, or add that."
        )
    if args.train_dataset_mix_ds != ("ms-bench",):
        problems.add("--train_dataset_mix_ds: is retired. Name the sets to mix in under --dataset.")
    worker = _worker(args.shard, problems)
    problems.stop_if_any()
    template, data = resolve_samples(
        args.command, args, model, row, templates, loss_scale, reasons=reasons, problems=problems
    )
    problems.stop_if_any()
    return PreprocessPlan(
        command="preprocess",
        training=reasons.take("training", "command", args.command),
        model_type=row.model_type,
        model_path=model.path,
        template=template,
        data=data,
        worker=worker,
        statistics_path=args.json,
        verify_template=args.verify_template,
        reasons=dict(reasons.by_field),
    )


def _worker(text: str | None, problems: Problems) -> tuple[int, int]:
    """``2/4`` is worker 1 of 4, counted from 0."""
    if text is None:
        return 0, 1
    number, _, count = text.partition("/")
    if number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count):
        return int(number) - 1, int(count)
    problems.add(f"--shard {text}: is a share I/N with I from 1 to N, such as 1/4.")
    return 0, 1
