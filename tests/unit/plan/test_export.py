"""What export makes, and what it says it does not make."""

from __future__ import annotations

from typing import Any

import pytest

from swift.llm.arguments.commands import ExportArguments
from swift.llm.plan.export import refuse_what_is_missing, resolve_export
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.plans import ConvertPlan, ExportPlan
from swift.llm.plan.store import from_json, to_json
from swift.utils.errors import PlanError

OLDER = CheckpointFacts(
    path="/runs/checkpoint-9", kind="adapter", older=True, sft_args={"model_id_or_path": "/models/base"}
)


def refuse(**given: Any) -> None:
    refuse_what_is_missing(ExportArguments(**given), {name: f"flag --{name}" for name in given})


def test_an_older_adapter_goes_beside_the_checkpoint() -> None:
    args = ExportArguments(ckpt_dir="/runs/checkpoint-9", to_peft_format=True)
    plan = resolve_export(args, {}, OLDER, None)
    assert plan.convert == ConvertPlan(
        checkpoint="/runs/checkpoint-9", target="/runs/checkpoint-9-peft", base="/models/base"
    )
    assert from_json(to_json(plan), ExportPlan, "plan.json") == plan
    plain = resolve_export(args, {}, CheckpointFacts(path="/runs/checkpoint-9", kind="adapter"), None)
    assert plain.convert is not None
    assert plain.convert.target is None
    with pytest.raises(PlanError, match="holds whole weights, which have one layout only"):
        resolve_export(args, {}, CheckpointFacts(path="/runs/checkpoint-9", kind="full"), None)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ckpt_dir": "a"}, "nothing to make: add --merge_lora true"),
        ({"to_peft_format": True}, "--ckpt_dir: what to export was not given"),
        ({"ckpt_dir": "a", "quant_bits": 4}, "--quant_bits: quantising is not in this version"),
        ({"ckpt_dir": "a", "to_ollama": True}, "--to_ollama: writing a Modelfile is not in this version"),
        ({"ckpt_dir": "a", "push_to_hub": True, "merge_lora": True}, "--push_to_hub: uploading is not in this version"),
        ({"ckpt_dir": "a", "quant_n_samples": 9, "merge_lora": True}, "--quant_n_samples: has an effect only with --quant_bits"),
        ({"ckpt_dir": "a", "hub_model_id": "me/it", "merge_lora": True}, "--hub_model_id: has an effect only with --push_to_hub"),
        ({"ckpt_dir": "a", "to_megatron": True, "tp": 2}, "--to_megatron: Megatron is not in this version"),
        ({"ckpt_dir": "a", "to_peft_format": True, "temperature": 0.5}, "--temperature: has no effect on the layout of an adapter"),
    ],
)  # fmt: skip
def test_refusals(given: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told):
        refuse(**given)


def test_every_argument_of_export_alone_is_read_or_refused() -> None:
    from swift.llm.arguments.commands import InferArguments
    from swift.llm.arguments.fields import specs
    from swift.llm.plan.export import EFFECT_ONLY_WITH, NOT_YET

    own = set(specs(ExportArguments)) - set(specs(InferArguments))
    told = {*NOT_YET, "to_peft_format", *(name for names in EFFECT_ONLY_WITH.values() for name in names)}
    assert own <= told
