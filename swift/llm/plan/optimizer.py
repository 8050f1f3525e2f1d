"""The optimizer of a run, the course of its rate and what watches it: which, and whether this machine can run it. Pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.requirements import Requirement

from swift.llm.plan.facts import MachineFacts
from swift.llm.plan.problems import Problems, Reasons
from swift.trainers.config import PROJECTIONS, GaloreConfig
from swift.trainers.optimizers.table import GALORE, OptimizerRow, find_optimizer
from swift.trainers.schedules import check_schedule

__all__ = ["resolve_extras", "resolve_optimizer", "resolve_schedule", "takes_steps_at_once"]

WHOLE = ("full", "llamapro")
"""Methods that train whole matrices, which GaLore can project."""

TRACKERS: Mapping[str, str] = {
    "wandb": "wandb", "mlflow": "mlflow", "swanlab": "swanlab", "comet_ml": "comet-ml", "clearml": "clearml",
    "neptune": "neptune", "dvclive": "dvclive", "codecarbon": "codecarbon", "trackio": "trackio",
}  # fmt: skip
"""The package of each tracker that is not TensorBoard."""

OF_Q_GALORE = (
    "galore_weight_quant",
    "galore_proj_quant",
    "galore_cos_threshold",
    "galore_gamma_proj",
    "galore_queue_size",
)
OF_QUANTISED_PROJECTIONS = ("galore_proj_bits", "galore_proj_group_size")
WITHOUT_WARMUP = ("one_cycle", "log_sweep")
"""Schedules whose rise is part of their course."""


def resolve_optimizer(
    args: Any, machine: MachineFacts, sft_type: str, compute: str, reasons: Reasons, problems: Problems
) -> dict[str, Any]:
    """The fields of the loop's settings that say how weights move: optimizer, GaLore, LISA, rates by part, clipping."""
    name = reasons.take("trainer.optim", "optim", str(args.optim))
    layerwise = bool(args.galore_optim_per_parameter)
    with_galore = bool(args.use_galore)
    if name.removesuffix("_layerwise") in GALORE:
        with_galore, layerwise = True, layerwise or name.endswith("_layerwise")
        name = GALORE[name.removesuffix("_layerwise")]
    row = find_optimizer(name)
    if isinstance(row, str):
        problems.add(row)
        row = OptimizerRow(name, name)
    else:
        _check_installed(row, machine, problems)
    galore = _resolve_galore(args, row, sft_type, layerwise, reasons, problems) if with_galore else None
    fields: dict[str, Any] = {
        "optim": row.name,
        "optim_args": dict(args.optim_args or {}),
        "galore": galore,
        **_resolve_lisa(args, sft_type, with_galore, reasons, problems),
        "max_grad_norm": reasons.take("trainer.max_grad_norm", "max_grad_norm", args.max_grad_norm),
    }
    if takes_steps_at_once(fields):
        flag = f"--optim {row.name}" if row.at_once else "--galore_optim_per_parameter true"
        fields["max_grad_norm"] = _fit_layerwise(args, flag, compute, reasons, problems)
    for flag in ("embedding_learning_rate", "head_learning_rate"):
        fields[flag] = rate = getattr(args, flag)
        if rate is not None:
            reasons.take(f"trainer.{flag}", flag, rate)
            if rate <= 0:
                problems.add(f"--{flag} {rate}: must be above 0.")
    return fields


def takes_steps_at_once(fields: Mapping[str, Any]) -> bool:
    """Whether the optimizer of these settings uses a gradient as soon as it is there, inside the backward pass."""
    row, galore = find_optimizer(fields["optim"]), fields["galore"]
    return (isinstance(row, OptimizerRow) and row.at_once) or (galore is not None and galore.per_parameter)


def _check_installed(row: OptimizerRow, machine: MachineFacts, problems: Problems) -> None:
    place = "gpu" if machine.gpus else "cpu"
    if row.requires is not None:
        wanted = Requirement(row.requires)
        have = machine.versions.get(wanted.name)
        if have is None:
            problems.add(
                f"--optim {row.name}: needs the package {wanted.name}. Install it with: pip install '{row.requires}'"
            )
        elif not wanted.specifier.contains(have, prereleases=True):
            problems.add(f"--optim {row.name}: needs {row.requires}, {have} is installed. Install it with: pip install"
                         f" '{row.requires}'")  # fmt: skip
    if place not in row.devices:
        problems.add(
            f"--optim {row.name}: {row.title}; this machine trains on a {place.upper()}. Use --optim adamw_torch."
        )


def _resolve_galore(
    args: Any, row: OptimizerRow, sft_type: str, layerwise: bool, reasons: Reasons, problems: Problems
) -> GaloreConfig:
    given = reasons.sources
    if sft_type not in WHOLE:
        problems.add(f"--use_galore true: projects the gradients of whole matrices; --sft_type {sft_type} trains small ones."
                     " Use --sft_type full, or leave it out.")  # fmt: skip
    if not row.galore:
        problems.add(f"--use_galore true: does not work over --optim {row.name}. Use adamw_torch, adamw_8bit, adafactor or"
                     " lion_32bit.")  # fmt: skip
    for flag, least in (("galore_rank", 1), ("galore_update_proj_gap", 1), ("galore_gamma_proj", 1), ("galore_queue_size", 1),
                        ("galore_proj_group_size", 1)):  # fmt: skip
        if getattr(args, flag) < least:
            problems.add(f"--{flag} {getattr(args, flag)}: is a count from {least} up.")
    if args.galore_proj_type not in PROJECTIONS:
        problems.add(f"--galore_proj_type {args.galore_proj_type}: is none of {', '.join(PROJECTIONS)}.")
    if args.galore_proj_bits not in (4, 8):
        problems.add(f"--galore_proj_bits {args.galore_proj_bits}: is 4 or 8.")
    for flags, on, what in ((OF_Q_GALORE, args.galore_quantization, "galore_quantization"),
                            (OF_QUANTISED_PROJECTIONS, args.galore_proj_quant, "galore_proj_quant")):  # fmt: skip
        for flag in flags:
            if not on and flag in given and not given[flag].startswith("checkpoint"):
                problems.add(f"--{flag}: has an effect only with --{what} true. Leave it out, or add that.")
    targets = args.galore_target_modules or ()
    reasons.note("trainer.galore", given.get("use_galore", given.get("optim", "default")))
    return GaloreConfig(
        rank=args.galore_rank,
        gap=args.galore_update_proj_gap,
        scale=args.galore_scale,
        proj_type=args.galore_proj_type,
        targets=(targets,) if isinstance(targets, str) else tuple(targets),
        with_embedding=args.galore_with_embedding,
        per_parameter=layerwise,
        bits=args.galore_proj_bits if args.galore_quantization and args.galore_proj_quant else None,
        group_size=args.galore_proj_group_size,
        cos_threshold=args.galore_cos_threshold if args.galore_quantization else None,
        gamma=args.galore_gamma_proj,
        queue_size=args.galore_queue_size,
        weight_bits=8 if args.galore_quantization and args.galore_weight_quant else None,
    )


def _fit_layerwise(args: Any, flag: str, compute: str, reasons: Reasons, problems: Problems) -> float:
    """An optimizer for each parameter uses a gradient as soon as it is there: nothing can be added up or clipped."""
    if (args.gradient_accumulation_steps or 1) > 1:
        problems.add(f"{flag}: takes a step after each batch; --gradient_accumulation_steps is"
                     f" {args.gradient_accumulation_steps}. Leave one of them out.")  # fmt: skip
    if "max_grad_norm" in reasons.sources and args.max_grad_norm:
        problems.add(
            f"--max_grad_norm: with {flag} gradients are never all there to be clipped. Leave one of them out."
        )
    if args.auto_find_batch_size:
        problems.add(f"--auto_find_batch_size true: accumulates where the batch is too large, and {flag} takes a step after each"
                     " batch. Leave one of them out.")  # fmt: skip
    if compute == "fp16":
        problems.add(f"{flag}: cannot undo the scaling of --dtype fp16. Use bf16 or fp32.")
    reasons.note("trainer.max_grad_norm", "not clipped: an optimizer for each parameter uses its gradient at once")
    return 0.0


def _resolve_lisa(args: Any, sft_type: str, with_galore: bool, reasons: Reasons, problems: Problems) -> dict[str, int]:
    layers = args.lisa_activated_layers
    if layers:
        reasons.take("trainer.lisa_layers", "lisa_activated_layers", layers)
        if layers < 0:
            problems.add(f"--lisa_activated_layers {layers}: is a count from 0 (off) up.")
        if args.lisa_step_interval < 1:
            problems.add(f"--lisa_step_interval {args.lisa_step_interval}: is a count from 1 up.")
        if sft_type != "full":
            problems.add(f"--lisa_activated_layers {layers}: chooses among whole layers; --sft_type is {sft_type}. Use --sft_type"
                         " full, or leave it out.")  # fmt: skip
        if with_galore:
            problems.add("--lisa_activated_layers and --use_galore: both save the optimizer's memory, in ways that exclude each"
                         " other. Leave one of them out.")  # fmt: skip
    return {"lisa_layers": layers, "lisa_interval": args.lisa_step_interval}


def resolve_schedule(args: Any, optim: str, reasons: Reasons, problems: Problems) -> dict[str, Any]:
    """The course of the learning rate."""
    name = args.lr_scheduler_type
    row = find_optimizer(optim)
    if isinstance(row, OptimizerRow) and row.schedule is not None and "lr_scheduler_type" not in reasons.sources:
        name = row.schedule
        reasons.note("trainer.lr_scheduler_type", f"what {row.name} asks for: it needs no course of its own")
    else:
        reasons.take("trainer.lr_scheduler_type", "lr_scheduler_type", name)
    wrong = check_schedule(name)
    if wrong is not None:
        problems.add(wrong)
    settings = dict(args.lr_scheduler_kwargs or {})
    floor, tail = args.cosine_min_lr_ratio, args.cosine_constant_lr_ratio
    for flag, value in (("cosine_min_lr_ratio", floor), ("cosine_constant_lr_ratio", tail)):
        if value is None:
            continue
        reasons.take(f"trainer.{flag}", flag, value)
        if not 0 < value <= 1:
            problems.add(f"--{flag} {value}: is a share above 0, up to 1.")
        if name not in ("cosine", "cosine_with_min_lr"):
            problems.add(f"--{flag}: is about the cosine; --lr_scheduler_type is {name}. Leave one of them out.")
    if floor is not None:
        name, settings = "cosine_with_min_lr", {"min_lr_rate": floor, **settings}
    if tail is not None and "min_lr_rate" not in settings:
        problems.add("--cosine_constant_lr_ratio: the rate that stays is --cosine_min_lr_ratio. Add that.")
    if args.lr_div_factor is not None:
        if name != "one_cycle":
            problems.add(
                "--lr_div_factor: has an effect only with --lr_scheduler_type one_cycle. Leave it out, or add that."
            )
        settings = {"div_factor": args.lr_div_factor, **settings}
    if name in WITHOUT_WARMUP:
        for flag in ("warmup_ratio", "warmup_steps"):
            if flag in reasons.sources:
                problems.add(f"--{flag}: --lr_scheduler_type {name} has its own rise. Leave one of them out"
                             + (" (--lr_scheduler_kwargs '{\"pct_start\": 0.3}' sets it)." if name == "one_cycle" else "."))  # fmt: skip
    if args.lr_quadratic_warmup and (name in WITHOUT_WARMUP or name == "constant"):
        problems.add(f"--lr_quadratic_warmup true: --lr_scheduler_type {name} has no warm-up. Leave one of them out.")
    return {"lr_scheduler_type": name, "lr_scheduler_kwargs": settings, "cosine_constant_lr_ratio": tail,
            "lr_quadratic_warmup": args.lr_quadratic_warmup}  # fmt: skip


def resolve_extras(
    args: Any, machine: MachineFacts, *, streaming: bool, reasons: Reasons, problems: Problems
) -> dict[str, Any]:
    """What a run does besides: trying its batch, compiling, kernels, watching the loss, trackers."""
    if args.auto_find_batch_size and streaming:
        problems.add("--auto_find_batch_size true: tries the longest rows first, and --streaming true does not know them. Leave"
                     " one of them out.")  # fmt: skip
    if args.loss_watchdog_patience < 1:
        problems.add(f"--loss_watchdog_patience {args.loss_watchdog_patience}: is a count from 1 up.")
    if args.loss_watchdog_threshold is None and "loss_watchdog_patience" in reasons.sources:
        problems.add(
            "--loss_watchdog_patience: has an effect only with --loss_watchdog_threshold. Leave it out, or add that."
        )
    backend = args.torch_compile_backend
    if not args.torch_compile and "torch_compile_backend" in reasons.sources:
        problems.add(
            "--torch_compile_backend: has an effect only with --torch_compile true. Leave it out, or add that."
        )
    if args.torch_compile and args.use_galore and args.galore_weight_quant:
        problems.add("--torch_compile true: does not compile layers whose weights are in 8 bits (--galore_weight_quant true). Leave"
                     " one of them out.")  # fmt: skip
    if args.neftune_backend is not None and args.neftune_noise_alpha is None:
        problems.add("--neftune_backend: has an effect only with --neftune_noise_alpha. Leave it out, or add that.")
    if args.use_liger and not machine.gpus:
        problems.add("--use_liger true: its kernels run on a GPU, and this machine has none. Leave it out: head and loss are"
                     " computed in chunks anyway.")  # fmt: skip
    elif args.use_liger and "liger-kernel" not in machine.versions:
        problems.add("--use_liger true: needs the package liger-kernel. Install it with: pip install liger-kernel")
    for tracker in args.report_to:
        package = TRACKERS.get(tracker)
        if package is not None and package not in machine.versions:
            problems.add(f"--report_to {tracker}: needs the package {package}. Install it with: pip install {package}")
    for flag in ("auto_find_batch_size", "loss_watchdog_threshold", "use_liger"):
        reasons.take(f"trainer.{flag}", flag, getattr(args, flag))
    reasons.take("trainer.try_largest_batch", "test_oom_error", args.test_oom_error)
    return {
        "auto_find_batch_size": args.auto_find_batch_size,
        "try_largest_batch": args.test_oom_error,
        "loss_watchdog_threshold": args.loss_watchdog_threshold,
        "loss_watchdog_patience": args.loss_watchdog_patience,
        "torch_compile": backend if args.torch_compile else None,
        "use_liger": args.use_liger,
        "report_to": tuple(args.report_to),
    }
