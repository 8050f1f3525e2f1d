"""Arguments and facts to a plan: the defaults that depend on something, the conflicts, and that nothing is ignored."""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import CPU, GPU, MODEL, OLD_GPU, ROW, TUNERS, resolve

from swift.llm.arguments.commands import SftArguments
from swift.llm.arguments.tuner import SFT_TYPES
from swift.llm.plan.explain import explain
from swift.llm.plan.plans import TrainPlan
from swift.llm.plan.store import from_json, read_plan, to_json, write_plan
from swift.llm.plan.train import EFFECT_ONLY_WITH
from swift.utils.errors import CheckpointError, PlanError


def test_the_same_arguments_and_facts_give_the_same_plan() -> None:
    assert resolve(lora_rank=4) == resolve(lora_rank=4)


@pytest.mark.parametrize(
    ("given", "rate", "eval_steps"), [({}, 1e-4, 50), ({"sft_type": "full"}, 1e-5, 200)], ids=["lora", "full"]
)
def test_defaults_follow_the_method(given: dict[str, Any], rate: float, eval_steps: int) -> None:
    plan = resolve(**given)
    assert plan.trainer.learning_rate == rate
    assert plan.trainer.eval_steps == plan.trainer.save_steps == eval_steps
    assert "default for sft_type" in plan.reasons["trainer.learning_rate"]


@pytest.mark.parametrize(("batch", "accumulation"), [(1, 16), (8, 2), (5, 4), (32, 1)])
def test_an_update_sees_sixteen_samples(batch: int, accumulation: int) -> None:
    assert resolve(batch_size=batch).trainer.gradient_accumulation_steps == accumulation


def test_a_given_value_is_kept_and_says_where_it_came_from() -> None:
    plan = resolve(learning_rate=3e-4)
    assert plan.trainer.learning_rate == 3e-4
    assert plan.reasons["trainer.learning_rate"] == "flag --learning_rate"


@pytest.mark.parametrize(
    ("machine", "given", "held", "autocast"),
    [
        (None, {}, "fp32", None),
        (None, {"dtype": "bf16"}, "bf16", "bf16"),
        (None, {"dtype": "bf16", "sft_type": "full"}, "fp32", "bf16"),
        (GPU, {}, "bf16", "bf16"),
        (OLD_GPU, {}, "fp16", "fp16"),
        (OLD_GPU, {"sft_type": "full"}, "fp32", "fp16"),
    ],
)
def test_dtype_follows_machine_and_method(machine: Any, given: dict[str, Any], held: str, autocast: str | None) -> None:
    plan = resolve(**given) if machine is None else resolve(machine=machine, **given)
    assert (plan.model.dtype, plan.trainer.autocast) == (held, autocast)


def test_flat_batches_where_the_architecture_is_proven() -> None:
    assert (resolve().data.padding_free, resolve().model.attention) == (True, "varlen")
    config = {**MODEL.model_config, "architectures": ["StrangeForCausalLM"]}
    strange = replace(MODEL, architecture="StrangeForCausalLM", model_config=config)
    plan = resolve(model=strange)
    assert (plan.data.padding_free, plan.model.attention) == (False, "sdpa")
    assert "StrangeForCausalLM" in plan.reasons["data.padding_free"]


def test_default_targets_come_from_the_row() -> None:
    plan = resolve()
    assert plan.tuner.target_modules == ("q_proj", "v_proj")
    assert "tiny-chat" in plan.reasons["tuner.target_modules"]
    assert resolve(target_modules=("DEFAULT", "EMBEDDING")).tuner.target_modules == ("q_proj", "v_proj", "EMBEDDING")


def test_pretraining_is_plain_text_cut_into_blocks() -> None:
    plan = resolve("pt", sft_type="full")
    assert plan.template.template_type == "default-generation"
    assert (plan.template.truncation, plan.data.split_long) == ("split", True)


def test_no_validation_data_means_no_evaluation() -> None:
    assert resolve(dataset_test_ratio=0.0).trainer.evaluation_strategy == "no"
    assert resolve(val_dataset=("other",)).data.test_ratio == 0.0


def test_the_model_limits_the_length() -> None:
    short = replace(MODEL, max_position_embeddings=512)
    assert resolve(model=short).template.max_length == 512
    with pytest.raises(PlanError, match="--max_length 1024: the model has 512 positions"):
        resolve(model=short, max_length=1024)
    assert resolve(max_length=-1).template.max_length is None


def test_all_conflicts_are_reported_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        resolve(packing=True, attn_impl="eager", dtype="fp16", use_galore=True, lora_rank=0, dataset=())
    told = "\n".join(caught.value.problems)
    for part in ("--packing true", "--dtype fp16", "--use_galore true", "--lora_rank 0", "--dataset"):
        assert part in told
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sft_type": "later"}, "A method to come is not in this version; it has"),
        ({"streaming": True}, "--streaming true"),
        ({"quantization_bit": 4}, "bitsandbytes, which is not installed"),
        ({"deepspeed": "default-zero2"}, "--deepspeed default-zero2"),
        ({"push_to_hub": True}, "--push_to_hub true"),
        ({"hub_model_id": "me/mine"}, "only with --push_to_hub true"),
        ({"sft_type": "full", "lora_rank": 4}, "--lora_rank: has an effect only with"),
        ({"freeze_parameters": ("model.embed",)}, "only with --sft_type full"),
        ({"temperature": 0.5}, "only with --predict_with_generate"),
        ({"galore_rank": 4}, "only with --use_galore"),
        ({"warmup_steps": 3, "warmup_ratio": 0.1}, "both say how long"),
        ({"packing": True, "max_length": -1}, "needs a block size"),
        ({"packing": True, "padding_free": False}, "a pack is a flat batch"),
        ({"batch_size": 0}, "--batch_size 0"),
        ({"learning_rate": -1.0}, "--learning_rate -1.0"),
        ({"dataset_test_ratio": 1.5}, "--dataset_test_ratio 1.5"),
        ({"dataset_weights": (0.7,), "dataset": ("a", "b")}, "1 numbers for 2 data sets"),
        ({"dataset_weights": (0.7, 0.0), "dataset": ("a", "b")}, "a weight is a number above 0"),
        ({"dataset_weights": (1.0,), "mix_strategy": "concat"}, "--dataset_weights with --mix_strategy concat"),
        (
            {"mix_strategy": "interleave_under", "streaming": True, "max_steps": 9},
            "--mix_strategy interleave_under with --streaming",
        ),
        ({"dataset_shard": "0/4"}, "--dataset_shard 0/4"),
        ({"dataset_shard": "2/4", "streaming": True, "max_steps": 9}, "--dataset_shard with --streaming true"),
        ({"rope_scaling": "linear"}, "--rope_scaling linear"),
        ({"attn_impl": "flash_attention_2"}, "needs a CUDA GPU"),
        ({"attn_impl": "flex_attention"}, "no backward pass for it on a CPU"),
        ({"use_flash_attn": True}, "needs a CUDA GPU"),
        ({"template_type": "chatm"}, "did you mean 'chatml'"),
        ({"train_dataset_sample": 5, "dataset": ("a", "b")}, "--train_dataset_sample 5"),
        ({"early_stopping_patience": 2, "dataset_test_ratio": 0.0}, "--early_stopping_patience"),
        ({"lazy_tokenize": True, "packing": True}, "--lazy_tokenize true with --packing true"),
        ({"lazy_tokenize": True, "group_by_length": True}, "--lazy_tokenize true with --group_by_length true"),
        (
            {"lazy_tokenize": True, "truncation_strategy": "split"},
            "--lazy_tokenize true with --truncation_strategy split",
        ),
    ],
)
def test_a_conflict_names_the_flag_and_the_way_out(given: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError, match=told.replace("(", r"\(").replace(")", r"\)")) as caught:
        resolve(**given)
    assert len(caught.value.problems) == 1


def test_older_arguments_fold_into_the_item_syntax() -> None:
    assert resolve(train_dataset_sample=7).data.dataset == ("mine#7",)
    assert resolve(self_cognition_sample=3).data.dataset == ("mine", "self-cognition#3")
    assert resolve(custom_train_dataset_path=("b",)).data.dataset == ("mine", "b")


def test_gradient_checkpointing_is_on_only_where_memory_is_short() -> None:
    assert resolve().trainer.gradient_checkpointing is False
    config = {
        **MODEL.model_config,
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "intermediate_size": 11008,
        "vocab_size": 152_000,
    }
    large = replace(MODEL, model_config=config, num_parameters=7_000_000_000)
    plan = resolve(model=large)
    assert plan.trainer.gradient_checkpointing is True
    assert "GiB" in plan.reasons["trainer.gradient_checkpointing"]
    assert resolve(gradient_checkpointing=True).trainer.gradient_checkpointing is True


class Watched:
    """Arguments that remember which of their fields were read."""

    def __init__(self, args: SftArguments) -> None:
        object.__setattr__(self, "args", args)
        object.__setattr__(self, "read", set())

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.args, name)


READ_ELSEWHERE = {
    "model_type", "model_id_or_path", "use_hf", "hub_token", "check_model_is_latest", "custom_register_path", "custom_dataset_info",
    "resume_from_checkpoint", "auto_resume", "output_dir", "add_output_dir_suffix", "dry_run", "debug", "ignore_args_error",
}  # fmt: skip
"""Read by the verb before the plan is resolved (model, run folder) or after (dry run)."""

REFUSED_BY_PREFIX = ("galore_", "lisa_", "bnb_4bit_", "hqq_")
REFUSED_WHEN_GIVEN = set(EFFECT_ONLY_WITH)


def test_no_argument_is_accepted_and_ignored() -> None:
    read: set[str] = set()
    for method in SFT_TYPES:
        if TUNERS[method].tuner is None:
            continue
        args = Watched(SftArguments(dataset=("mine",), sft_type=method))
        resolve(args=args, sources={})
        read |= args.read
    ignored = {
        field.name
        for field in fields(SftArguments)
        if field.name not in read | READ_ELSEWHERE | REFUSED_WHEN_GIVEN and not field.name.startswith(REFUSED_BY_PREFIX)
    }
    assert ignored == set()


@pytest.mark.parametrize("name", sorted(REFUSED_WHEN_GIVEN))
def test_what_has_no_effect_is_refused_when_given(name: str) -> None:
    default = getattr(SftArguments(), name)
    value = {bool: not default, int: 1, tuple: ("x",), str: "x"}.get(type(default), True)
    with pytest.raises(PlanError, match=f"--{name}"):
        resolve(**{name: value})


def test_a_plan_survives_its_file(tmp_path: Path) -> None:
    plan = resolve(rope_scaling="linear", max_length=8192, lora_alpha=16)
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json", TrainPlan) == plan


def test_a_plan_of_another_version_is_refused() -> None:
    values = {**to_json(resolve()), "plan_version": 99}
    with pytest.raises(CheckpointError, match="version 99"):
        from_json(values, TrainPlan, "plan.json")
    unknown = {**to_json(resolve()), "colour": "red"}
    with pytest.raises(CheckpointError, match="colour"):
        from_json(unknown, TrainPlan, "plan.json")


def test_a_plan_of_the_first_version_is_read_without_what_plans_no_longer_have(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plan = resolve()
    values = {**to_json(plan), "plan_version": 1}
    values["data"] = {**values["data"], "longest_first": True}
    values["trainer"] = {**values["trainer"], "longest_first": True}
    with caplog.at_level("INFO", logger="swift"):
        assert [from_json(values, TrainPlan, "old/plan.json") for _ in range(2)] == [plan, plan]
    assert (
        caplog.text.count("old/plan.json: is of version 1; left out is what plans no longer have: longest_first") == 1
    )
    with pytest.raises(
        CheckpointError, match=r"unknown keys \['longest_first'\].*Use the version of swift that wrote it"
    ):
        from_json({**values, "plan_version": 2}, TrainPlan, "plan.json")


def test_explain_shows_values_with_reasons() -> None:
    text = explain(resolve(learning_rate=3e-4))
    assert "learning_rate" in text
    assert "# flag --learning_rate" in text
    assert "varlen" in text


def test_remote_code_runs_only_when_asked_for() -> None:
    row = replace(ROW, trust_remote_code=True)
    with pytest.raises(PlanError, match="--trust_remote_code true"):
        resolve(row=row)
    assert resolve(row=row, trust_remote_code=True).model.trust_remote_code is True


def test_weights_interleave_and_lose_no_row() -> None:
    data = resolve(dataset=("a", "b"), dataset_weights=(0.7, 0.3), dataset_shard="2/4").data
    assert (data.mix_strategy, data.weights, data.shard) == ("interleave_over", (0.7, 0.3), (1, 4))
    plain = resolve().data
    assert (plain.mix_strategy, plain.weights, plain.shard) == (None, (), None)


def test_local_items_mean_the_same_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "self-cognition").mkdir()
    (tmp_path / "rows").mkdir()
    for name in ("x.jsonl", "x#3"):
        (tmp_path / name).touch()
    items = {
        "x.jsonl#5": f"{tmp_path}/x.jsonl#5", "x#3": f"{tmp_path}/x#3", "rows": f"{tmp_path}/rows", "data/*.jsonl#7":
        f"{tmp_path}/data/*.jsonl#7", "self-cognition#5": "self-cognition#5", "s3://b/*.csv": "s3://b/*.csv",
        "HF::a/b:c#4": "HF::a/b:c#4", "a/b": "a/b",
    }  # fmt: skip
    assert resolve(dataset=tuple(items)).data.dataset == tuple(items.values())


def test_each_attention_has_its_package_and_its_kind_of_batch() -> None:
    for asked, package in (("flash_attention_2", "flash-attn"), ("flash_attention_3", "flash-attn-3")):
        with pytest.raises(PlanError, match=f"the package {package} is not installed"):
            resolve(machine=GPU, attn_impl=asked)
        plan = resolve(machine=replace(GPU, versions={**GPU.versions, package: "1"}), attn_impl=asked)
        assert (plan.model.attention, plan.data.padding_free) == (asked, True)
    flex = resolve(machine=GPU, attn_impl="flex_attention")
    assert (flex.model.attention, flex.data.padding_free) == ("flex_attention", False)


def test_activations_are_recomputed_only_where_they_would_not_fit() -> None:
    plan = resolve()
    assert plan.trainer.gradient_checkpointing is False
    assert "without it, 16 GiB are there" in plan.reasons["trainer.gradient_checkpointing"]
    small = resolve(machine=replace(CPU, memory_gib=0.7))
    assert small.trainer.gradient_checkpointing is True
    assert "activations are recomputed" in small.reasons["trainer.gradient_checkpointing"]
    assert (
        resolve(machine=replace(CPU, memory_gib=0.7), gradient_checkpointing=False).trainer.gradient_checkpointing
        is False
    )
