"""What an inference run decides, in an invented world."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swift.llm.arguments.commands import InferArguments, MergeLoraArguments
from swift.llm.catalog.registries import ENGINE_MAPPING
from swift.llm.core import Sampling
from swift.llm.plan.checkpoint import InferFacts
from swift.llm.plan.facts import CheckpointFacts
from swift.llm.plan.infer import resolve_infer, sampling_of
from swift.llm.plan.merge import resolve_merge
from swift.llm.plan.plans import GeneratePlan, InferPlan, MergePlan
from swift.llm.plan.store import from_json, to_json
from swift.utils.errors import PlanError

spec = importlib.util.spec_from_file_location("world", Path(__file__).with_name("world.py"))
assert spec is not None
assert spec.loader is not None
world = importlib.util.module_from_spec(spec)
spec.loader.exec_module(world)

ADAPTER = CheckpointFacts(path="/runs/v0/checkpoint-9", kind="adapter", adapter_config={"peft_type": "LORA"})


def facts(checkpoint: CheckpointFacts | None = None, *, machine: Any = None, **model: Any) -> InferFacts:
    return InferFacts(
        machine=machine or world.CPU,
        model=replace(world.MODEL, **model),
        checkpoint=checkpoint,
        stamp="20250101-000000",
    )


def resolve(found: InferFacts | None = None, **given: Any) -> InferPlan:
    where = {name: f"flag --{name}" for name in given}
    return resolve_infer(
        InferArguments(**given),
        where,
        found or facts(),
        world.ROW,
        "named",
        templates=world.TEMPLATES,
        tuners=world.TUNERS,
        engines=ENGINE_MAPPING,
    )


def merge(found: InferFacts, **given: Any) -> MergePlan:
    where = {name: f"flag --{name}" for name in given}
    return resolve_merge(
        MergeLoraArguments(**given), where, found, world.ROW, "named", templates=world.TEMPLATES, tuners=world.TUNERS
    )


def test_without_data_it_is_a_chat_and_with_data_it_is_not() -> None:
    assert resolve().data is None
    assert resolve(val_dataset=("rows",)).data is not None
    assert resolve(val_dataset=("rows",), eval_human=True).data is None


def test_sampling_follows_flags_then_generation_config_then_transformers() -> None:
    config = {"do_sample": True, "temperature": 0.6, "top_p": 0.9}
    plan = resolve(facts(generation_config=config), top_p=0.5)
    assert sampling_of(plan.generate, {}) == Sampling(
        max_new_tokens=2048, do_sample=True, temperature=0.6, top_k=50, top_p=0.5, seed=42
    )
    assert plan.reasons["generate.top_p"] == "flag --top_p"
    assert plan.reasons["generate.temperature"] == "generation_config.json of the model"
    assert plan.reasons["generate.top_k"] == "transformers' default"


def test_a_checkpoints_own_generation_config_goes_first() -> None:
    found = replace(
        facts(ADAPTER, generation_config={"do_sample": True, "top_k": 9}),
        checkpoint_generation_config={"do_sample": False},
    )
    assert resolve(found).generate.do_sample is False


@pytest.mark.parametrize(
    ("given", "do_sample"),
    [({}, False), ({"temperature": 0.7}, True), ({"temperature": 0.0}, False), ({"do_sample": True}, True)],
)
def test_drawing_is_asked_for_by_its_settings(given: dict[str, Any], do_sample: bool) -> None:
    assert resolve(**given).generate.do_sample is do_sample


def test_sampling_of_training_takes_what_is_open_from_the_model() -> None:
    assert sampling_of(GeneratePlan(max_new_tokens=5), {}) == Sampling(max_new_tokens=5, seed=42)
    assert sampling_of(GeneratePlan(), {"do_sample": True, "top_k": 3}).top_k == 3


def test_the_adapter_its_tuner_and_the_result_path() -> None:
    plan = resolve(facts(ADAPTER))
    assert (plan.adapter, plan.tuner and plan.tuner.sft_type) == (ADAPTER.path, "lora")
    assert plan.result_path == "/runs/v0/checkpoint-9/infer_result/20250101-000000.jsonl"
    assert resolve(facts(ADAPTER), save_result=False).result_path is None
    assert resolve().result_path == str(Path("result/tiny-chat/infer_result/20250101-000000.jsonl").absolute())


def test_merging_first() -> None:
    plan = resolve(facts(ADAPTER, weight_dtype="bf16"), merge_lora=True)
    assert plan.merge is not None
    assert (plan.merge.target, plan.merge.replace, plan.merge.model.dtype) == (ADAPTER.path + "-merged", False, "bf16")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"merge_lora": True}, "no adapter to fold in"),
        ({"save_safetensors": False}, "only with --merge_lora true"),
        (
            {"max_num_seqs": 3},
            "--max_num_seqs: is a setting of vLLM, and that cannot be used: vLLM is not installed.*swift env add vllm",
        ),
        ({"quantization_bit": 4}, "bitsandbytes, which is not installed"),
        ({"bnb_4bit_quant_type": "fp4"}, "--bnb_4bit_quant_type: has an effect only with --quantization_bit 4"),
        ({"load_dataset_config": True}, "needs a --ckpt_dir that swift sft wrote"),
        ({"load_dataset_config": True, "val_dataset": ("a",)}, "two answers to which rows"),
        ({"overwrite_generation_config": True}, "writes into the checkpoint"),
        ({"result_dir": "/x", "save_result": False}, "nothing is written then"),
        ({"dataset": ("a",), "dataset_test_ratio": 0.0}, "To answer all rows use --val_dataset"),
        ({"stop_words": ("",)}, "would end every answer at once"),
        ({"sft_type": "boft"}, "there is no --ckpt_dir with such an adapter"),
        ({"max_lost_ratio": 0.1}, "has an effect in training only"),
    ],
)
def test_what_would_have_no_effect_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(PlanError, match=text):
        resolve(**given)


def test_an_adapter_of_another_kind_is_refused() -> None:
    with pytest.raises(PlanError, match="an adapter of kind xlora, which is not in this version"):
        resolve(facts(replace(ADAPTER, adapter_config={"peft_type": "XLORA"})))


def test_merge_keeps_the_stored_dtype_and_the_device_of_the_machine() -> None:
    plan = merge(facts(ADAPTER, weight_dtype="fp16"), ckpt_dir=ADAPTER.path)
    assert (plan.model.dtype, plan.model.device_map, plan.replace) == ("fp16", None, True)
    assert merge(facts(ADAPTER, machine=world.GPU), ckpt_dir=ADAPTER.path).model.device_map == "auto"
    assert merge(facts(ADAPTER), ckpt_dir=ADAPTER.path, dtype="fp16").model.dtype == "fp16"


@pytest.mark.parametrize("plan", [resolve(facts(ADAPTER), val_dataset=("a",), merge_lora=True), resolve()])
def test_plans_go_through_json(plan: InferPlan) -> None:
    import json

    assert from_json(json.loads(json.dumps(to_json(plan))), InferPlan, "here") == plan


def test_the_same_input_gives_the_same_plan() -> None:
    assert resolve(facts(ADAPTER), top_p=0.5) == resolve(facts(ADAPTER), top_p=0.5)
