"""Which model, in which dtype, on which device, with which attention: pure decisions from arguments, facts and rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from packaging.requirements import Requirement

from swift.kernels.support import VARLEN_ARCHITECTURES, supports_varlen
from swift.llm.catalog.rows import ModelRow
from swift.llm.plan.facts import MachineFacts, ModelFacts
from swift.llm.plan.plans import Dtype, ModelPlan, TemplatePlan
from swift.llm.plan.problems import Problems, Reasons

ATTENTION_NEEDS_GPU = ("flash_attention_2", "flash_attention_3")
PACKAGES = {"flash_attention_2": "flash-attn", "flash_attention_3": "flash-attn-3"}
"""What holds the kernels of each."""


def resolve_dtype(
    args: Any,
    model: ModelFacts,
    machine: MachineFacts,
    row: ModelRow | None,
    reasons: Reasons,
    problems: Problems,
) -> Dtype:
    """The compute dtype: what was asked for, else what the machine multiplies natively."""
    gpu = machine.gpus[0] if machine.gpus else None
    if args.dtype != "AUTO":
        if args.dtype == "fp16" and gpu is None:
            problems.add(
                "--dtype fp16: this machine has no GPU, and fp16 does not train on a CPU. Use --dtype bf16 or fp32, or leave it out."
            )
        if args.dtype == "bf16" and gpu is not None and not gpu.bf16:
            problems.add(
                f"--dtype bf16: {gpu.name} has no bf16. Use --dtype fp16, or leave it out to choose automatically."
            )
        return reasons.take("model.dtype", "dtype", args.dtype)
    if gpu is None:
        reasons.note("model.dtype", "no GPU: fp32 is exact everywhere; --dtype bf16 is faster where the CPU multiplies it natively"
                     + (" (this one does)" if machine.cpu_bf16 else ""))  # fmt: skip
        return "fp32"
    if not gpu.bf16:
        reasons.note("model.dtype", f"{gpu.name} has no bf16")
        return "fp16"
    if row is not None and row.dtype in ("float16", "fp16"):
        reasons.note("model.dtype", f"row {row.model_type} asks for fp16")
        return "fp16"
    reasons.note("model.dtype", f"{gpu.name} has bf16")
    return "bf16"


def resolve_attention(
    args: Any, model: ModelFacts, machine: MachineFacts, *, flat: bool, reasons: Reasons, problems: Problems
) -> str:
    """The attention implementation; ``flat`` asks for one that keeps samples of a flat batch apart."""
    asked = args.attn_impl if args.attn_impl not in (None, "AUTO") else None
    flag = "--attn_impl"
    if asked is None and args.use_flash_attn:
        asked, flag = "flash_attention_2", "--use_flash_attn true"
    if asked in ATTENTION_NEEDS_GPU:
        if not machine.gpus:
            problems.add(
                f"{flag} {asked if flag == '--attn_impl' else ''}: FlashAttention needs a CUDA GPU and this machine has none. Leave it out.".replace(
                    " :", ":"
                )
            )
        elif PACKAGES[asked] not in machine.versions:
            package = PACKAGES[asked]
            problems.add(
                f"{flag}: the package {package} is not installed. pip install {package}, or leave the flag out."
            )
    if asked == "flex_attention" and not machine.gpus:
        problems.add("--attn_impl flex_attention: torch has no backward pass for it on a CPU, and this machine has no GPU. Leave"
                     " it out.")  # fmt: skip
    if asked == "varlen" and not supports_varlen(model.model_config):
        problems.add(
            f"--attn_impl varlen: not proven for {model.architecture}; proven for {', '.join(VARLEN_ARCHITECTURES)}. Leave it out."
        )
    if asked is not None:
        reasons.note(
            "model.attention",
            reasons.sources.get("attn_impl") or reasons.sources.get("use_flash_attn") or "default",
        )
        return str(asked)
    if flat:
        reasons.note("model.attention", "attends sample by sample over a flat batch, without a mask")
        return "varlen"
    reasons.note("model.attention", "scaled dot-product attention of torch")
    return "sdpa"


def resolve_model(
    args: Any,
    model: ModelFacts,
    machine: MachineFacts,
    row: ModelRow,
    *,
    dtype: Dtype,
    attention: str,
    reasons: Reasons,
    problems: Problems,
) -> ModelPlan:
    """The plan of one model's weights; ``dtype`` is the dtype they are held in, those in few bits apart (``plan.quant``)."""
    if args.model_kwargs:
        problems.add(
            "--model_kwargs: no model of this version takes any. --rescale_image bounds the size of images. Leave it out."
        )
    if args.local_repo_path:
        problems.add(
            "--local_repo_path: only multimodal models need it, and they are not in this version. Leave it out."
        )
    if row.trust_remote_code and not args.trust_remote_code:
        problems.add(f"{row.model_type}: its code lies beside its weights and is run only when you ask for it."
                     " Read it, then add --trust_remote_code true.")  # fmt: skip
    _check_row(row, machine, reasons, problems)
    limit = model.max_position_embeddings
    rope = _rope_scaling(args, limit, problems)
    if rope:
        reasons.note("model.rope_scaling", reasons.sources.get("rope_scaling", "default"))
    device = "cuda" if machine.gpus else "cpu"
    reasons.note("model.device", f"{len(machine.gpus)} GPU" if machine.gpus else "no GPU on this machine")
    return ModelPlan(
        model_type=row.model_type,
        path=model.path,
        hub_id=model.hub_id,
        use_hf=model.use_hf,
        revision=args.model_revision or row.revision,
        architecture=model.architecture,
        loader=row.loader,
        dtype=dtype,
        attention=attention,
        device=device,
        device_map=args.device_map_config,
        max_memory=tuple(args.device_max_memory),
        trust_remote_code=args.trust_remote_code,
        rope_scaling=rope,
        max_model_len=limit,
        num_parameters=model.num_parameters,
        reads_images=_reads_images(row, model, reasons),
    )


def _reads_images(row: ModelRow, model: ModelFacts, reasons: Reasons) -> bool:
    """Whether prompts may hold images: those of models whose image processor comes with transformers."""
    others = [one for one in row.modality if one != "text"]
    if not others:
        return False
    reads = "image" in others and "vision_config" in model.model_config and "auto_map" not in model.model_config
    unread = " and ".join(one for one in others if one != "image" or not reads)
    told = "answers about images, and is trained on text alone" if reads else "works on text alone"
    reasons.note("model.reads_images", told + (f"; {unread} is not read in this version" if unread else ""))
    return reads


def _check_row(row: ModelRow, machine: MachineFacts, reasons: Reasons, problems: Problems) -> None:
    """What the row says of the model that this version, or the installed packages, cannot do."""
    if row.task != "causal_lm":
        problems.add(
            f"{row.model_type}: a model for {row.task.replace('_', ' ')}; this version works with causal language models."
            " `swift list models --task causal_lm` shows them."
        )
    for text in row.requires:
        wanted = Requirement(text)
        installed = machine.versions.get(wanted.name)
        if installed is not None and not wanted.specifier.contains(installed, prereleases=True):
            problems.add(
                f"{row.model_type}: needs {text}, and {installed} is installed. Install that version in an environment of its own."
            )


def _rope_scaling(args: Any, limit: int | None, problems: Problems) -> Mapping[str, Any] | None:
    if args.rope_scaling is None:
        return None
    if not limit or args.max_length is None or args.max_length <= limit:
        problems.add(f"--rope_scaling {args.rope_scaling}: takes effect once --max_length exceeds the model's {limit or 'unknown'} positions;"
                     f" --max_length is {args.max_length}. Raise it, or leave --rope_scaling out.")  # fmt: skip
        return None
    return {"rope_type": args.rope_scaling, "factor": float(-(-args.max_length // limit))}


def resolve_template(
    args: Any,
    model: ModelFacts,
    row: ModelRow,
    templates: Mapping[str, Any],
    *,
    truncation: str,
    reasons: Reasons,
    problems: Problems,
) -> TemplatePlan:
    """Which chat format, and how long a sample may be."""
    if args.template_type != "AUTO":
        name: str | None = reasons.take("template.template_type", "template_type", args.template_type)
        if name not in templates:
            from swift.utils.registry import unknown

            problems.add(unknown("template", str(name), list(templates)) + " `swift list templates` shows all.")
    elif row.template:
        name = row.template
        reasons.note("template.template_type", f"row {row.model_type}")
    else:
        name = None
        reasons.note("template.template_type", "the tokenizer's own chat template: no row states this model's format")
    limit = model.max_position_embeddings
    max_length = args.max_length if args.max_length and args.max_length > 0 else None
    if args.max_length is not None:
        reasons.take("template.max_length", "max_length", max_length)
    if limit and max_length and max_length > limit and args.rope_scaling is None:
        if "max_length" in reasons.sources:
            problems.add(
                f"--max_length {max_length}: the model has {limit} positions. Use --max_length {limit} or less, or --rope_scaling."
            )
        else:
            max_length = limit
            reasons.note("template.max_length", f"the model has {limit} positions")
    return TemplatePlan(
        template_type=name,
        system=reasons.take("template.system", "system", args.system) if args.system is not None else None,
        max_length=max_length,
        truncation=truncation,  # type: ignore[arg-type]
        tools_prompt=args.tools_prompt,
        enable_thinking=args.enable_thinking,
        date=args.template_date,
        permissive_special_tokens=args.permissive_special_tokens,
    )
