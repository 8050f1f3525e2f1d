"""Fold an adapter into its base, read the written weights back, and prove that they answer like base and adapter together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from swift.llm.core import Conversation, Message
from swift.llm.merge.differences import combined_model
from swift.llm.merge.origin import MERGE_FILE, describe_combination, describe_origin
from swift.llm.model.load import load_model
from swift.llm.model.saving import processor_files, save_model
from swift.llm.plan.plans import MergePlan
from swift.llm.template import open_template
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.tuners import open_tuner
from swift.tuners.base import Combines, Tuner
from swift.utils.errors import CheckpointError, DataError, PlanError
from swift.utils.files import read_json
from swift.utils.hub import resolve
from swift.utils.log import logger
from swift.utils.manifest import check_manifest

__all__ = ["MergeResult", "fetch_and_merge", "merge_checkpoint"]

# Share of the largest logit by which merged and unmerged may differ: rounding of the sum, carried through all layers.
TOLERANCE = {"fp32": 1e-4, "fp16": 2e-2, "bf16": 1e-1}
KEPT = ("sft_args.json", "plan.json", "generation_config.json")
"""Files of the checkpoint that the merged folder carries on: they name the template it was trained with."""

PROMPTS = (
    ("Who are you?",),
    ("Write a short story about a fox and a river.",),
    ("你好，请介绍一下你自己。",),
    ("What is 17 * 23?", "17 * 23 = 391.", "Now subtract 91 and explain each step."),
    ("def fibonacci(n):\n    # finish this function",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """What a merge did. ``difference``: largest absolute difference of logits between merged and unmerged model over
    ``num_tokens`` prompt tokens; ``effect``: how far the adapter moved them from the base's. ``made`` False: the target
    was there already, made from the same base and adapter, and whole. ``note`` is what else is to be said.
    """

    target: Path
    made: bool
    difference: float
    effect: float
    num_tokens: int
    note: str = ""
    num_adapters: int = 1

    def line(self) -> str:
        """For the terminal."""
        compared, movers = "merged and unmerged logits", "the adapter moves"
        if self.num_adapters > 1:
            compared, movers = "logits of the files and of the combination", f"{self.num_adapters} adapters move"
        proof = (
            f"{compared} differ by at most {self.difference:.2g} over {self.num_tokens:,} prompt tokens"
            f" ({movers} them by up to {self.effect:.2g})"
        )
        over = f"\n{self.note}" if self.note else ""
        return f"{'merged into' if self.made else 'merged before:'} {self.target}\n{proof}{over}"


def merge_checkpoint(plan: MergePlan) -> MergeResult:
    """Write ``plan.target``, whole or not at all. The base and the merged weights are in memory together for the proof.

    Raises CheckpointError where the result does not answer like base and adapter together, where it equals the base, and
    where the target is there and was made from something else (unless the plan replaces it); DiskError.
    """
    target = Path(plan.target)
    origin = describe_origin(Path(plan.checkpoint), Path(plan.model.path), plan.model.dtype)
    if plan.combine is not None:
        origin |= describe_combination(plan.combine)
    found = _existing(plan, target, origin)
    if found is not None:
        return found
    tokenizer, prompts = _prompts(plan)
    model: Any = load_model(plan.model)
    of_base = _logits(model, prompts)
    if plan.combine is not None and plan.combine.tuners:
        del model  # room for the models that it takes
        model = combined_model(plan)
        unmerged = _logits(model, prompts)
    else:
        tuner = open_tuner(plan.tuner)
        model = _tuned(plan, tuner, model).eval()
        unmerged = _logits(model, prompts)
        model = tuner.merge(model)
    effect = _difference(unmerged, of_base)
    proof: dict[str, Any] = {}

    def check(folder: Path) -> None:
        """The files themselves answer: what was saved is what is compared."""
        merged = _logits(load_model(replace(plan.model, path=str(folder))), prompts)
        _refuse_unchanged(plan, merged, of_base)
        proof["difference"] = _refuse_different(plan, merged, unmerged)
        record = {**origin, "difference": proof["difference"], "effect": effect, "num_tokens": sum(map(len, prompts))}
        (folder / MERGE_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")

    save_model(
        model,
        target,
        tokenizer_files=tokenizer.contents(),
        safetensors=plan.safetensors,
        extra_files={
            name: (Path(plan.checkpoint) / name).read_bytes()
            for name in KEPT
            if (Path(plan.checkpoint) / name).is_file()
        }
        | {path.name: path.read_bytes() for path in processor_files(Path(plan.model.path))},
        check=check,
    )
    if effect > 0 and proof["difference"] > effect / 2:
        logger.warning(
            "rounding to %s takes back much of what the adapter does; --dtype fp32 keeps it all", plan.model.dtype
        )
    return MergeResult(
        target=target, made=True, difference=proof["difference"], effect=effect, num_tokens=sum(map(len, prompts)),
        note=_note(plan), num_adapters=_num_adapters(plan),
    )  # fmt: skip


def fetch_and_merge(plan: MergePlan) -> MergeResult:
    """`merge_checkpoint`, with the base's weights fetched first where they are a hub's."""
    if plan.model.hub_id is not None:
        folder = resolve(plan.model.hub_id, use_hf=plan.use_hf, revision=plan.model.revision)
        plan = replace(plan, model=replace(plan.model, path=str(folder)))
    return merge_checkpoint(plan)


def _tuned(plan: MergePlan, tuner: Tuner, model: Any) -> Any:
    """The base with its adapter over it, or with the one that the factors of several make."""
    if plan.combine is None:
        return tuner.load(model, Path(plan.checkpoint), trainable=False)
    if not isinstance(tuner, Combines):
        raise PlanError(
            [
                f"--combination {plan.combine.combination}: adapters of {plan.tuner.sft_type} have no factors to combine. Use linear."
            ]
        )
    folders = [Path(checkpoint) for checkpoint in plan.combine.checkpoints]
    return tuner.load_combined(
        model,
        folders,
        plan.combine.weights,
        plan.combine.combination,
        density=plan.combine.density,
        seed=plan.combine.seed,
    )


def _existing(plan: MergePlan, target: Path, origin: dict[str, Any]) -> MergeResult | None:
    """The merge that is there and may be used; None where one is to be made."""
    if not target.exists():
        return None
    if not (target / MERGE_FILE).is_file():
        raise CheckpointError(
            f"{target}: is there already and was not written by a merge ({MERGE_FILE} is missing). Move it away first."
        )
    if plan.replace:
        return None
    record = read_json(target / MERGE_FILE)
    again = f" Make it again: swift merge-lora --ckpt_dir {plan.checkpoint}"
    changed = [name for name, value in origin.items() if record.get(name) != value]
    if changed:
        raise CheckpointError(f"{target}: was made from another {' and '.join(changed)} than these.{again}")
    problems = check_manifest(target)
    if problems:
        raise CheckpointError(f"{target}: is damaged: {'; '.join(problems[:3])}.{again}")
    return MergeResult(
        target=target,
        made=False,
        difference=record["difference"],
        effect=record["effect"],
        num_tokens=record["num_tokens"],
        note=_note(plan),
        num_adapters=_num_adapters(plan),
    )


def _num_adapters(plan: MergePlan) -> int:
    return len(plan.combine.checkpoints) if plan.combine is not None else 1


def _note(plan: MergePlan) -> str:
    """What is to be said of an adapter that was trained over other weights than it is folded into."""
    if plan.trained_over is None:
        return ""
    return (
        f"the adapter was trained over {plan.trained_over} weights and is folded into the plain ones they were made from: compared"
        " with those here, and close to what it did over the others"
    )


def _prompts(plan: MergePlan) -> tuple[TextTokenizer, list[list[int]]]:
    """Prompts as the model is asked: encoded by its template, cut to what its context holds."""
    checkpoint = Path(plan.checkpoint)
    own = (checkpoint / "tokenizer_config.json").is_file()
    tokenizer = load_tokenizer(checkpoint if own else Path(plan.model.path))
    template = open_template(plan.template.template_type, tokenizer, plan.template)
    roles = ("user", "assistant")
    conversations = [
        Conversation(tuple(Message(roles[i % 2], text) for i, text in enumerate(turns)))  # type: ignore[arg-type]
        for turns in PROMPTS
    ]
    prompts = []
    for conversation in conversations:
        try:
            prompts.append(template.encode_prompt(conversation)[: plan.model.max_model_len])
        except DataError:  # a format of single turns
            continue
    return tokenizer, prompts


def _logits(model: Any, prompts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
    """Logits (T, V) of each prompt, fp32 on the CPU."""
    device = model.get_input_embeddings().weight.device
    with torch.no_grad():
        return [
            model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits[0].float().cpu()
            for ids in prompts
        ]


def _difference(ours: Sequence[torch.Tensor], theirs: Sequence[torch.Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


def _refuse_unchanged(plan: MergePlan, merged: Sequence[torch.Tensor], of_base: Sequence[torch.Tensor]) -> None:
    if all(torch.equal(a, b) for a, b in zip(merged, of_base, strict=True)):
        raise CheckpointError(
            f"{plan.checkpoint}: the merged model answers exactly like its base, so nothing was written: the adapter is"
            f" untrained (all zeros), or its changes are lost in {plan.model.dtype}. Train it further, or add --dtype fp32."
        )


def _refuse_different(plan: MergePlan, merged: Sequence[torch.Tensor], unmerged: Sequence[torch.Tensor]) -> float:
    difference = _difference(merged, unmerged)
    allowed = TOLERANCE[plan.model.dtype] * max(1.0, *(float(part.abs().max()) for part in unmerged))
    if not difference <= allowed:  # NaN is no agreement either
        raise CheckpointError(
            f"{plan.checkpoint}: merged and unmerged logits differ by {difference:.3g} (allowed in {plan.model.dtype}:"
            f" {allowed:.3g}), so nothing was written. Does the adapter belong to {plan.model.path}? If so, try --dtype fp32."
        )
    return difference
