"""Which method, with which settings, where it goes; what belongs to another method is refused."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import ROW, TUNERS, resolve

from swift.llm.arguments.commands import SftArguments
from swift.llm.arguments.fields import specs
from swift.llm.plan.plans import TunerPlan
from swift.llm.plan.problems import Problems
from swift.llm.plan.train import predict_checkpoint_bytes
from swift.llm.plan.tuner import refuse_merge
from swift.tuners.settings import Settings
from swift.utils.errors import PlanError
from swift.utils.lazy import load

READY = [row for row in TUNERS.values() if row.tuner is not None]


@pytest.mark.parametrize("row", READY, ids=lambda row: row.name)
def test_a_plan_holds_the_arguments_of_its_method(row: Any) -> None:
    plan = resolve(sft_type=row.name).tuner
    assert (plan.sft_type, plan.code) == (row.name, row.tuner)
    assert set(row.arguments) <= set(plan.options)
    if row.name in ("lora", "adalora", "vera", "oft"):
        assert plan.target_modules == ("q_proj", "v_proj")


@pytest.mark.parametrize("row", [row for row in READY if row.settings], ids=lambda row: row.name)
def test_rows_and_settings_name_the_same_arguments_and_defaults(row: Any) -> None:
    settings = load(row.settings)
    assert set(row.arguments) <= set(specs(SftArguments))
    if not issubclass(settings, Settings):
        return
    assert set(settings.names) == set(row.arguments)
    assert set(settings.names.values()) == {field.name for field in dataclasses.fields(settings)}
    stated = {name: specs(SftArguments)[name].default for name in row.arguments}
    assert settings.read(stated) == settings()


def test_every_argument_of_a_tuner_group_is_some_methods() -> None:
    of_methods = {flag for row in TUNERS.values() for flag in row.arguments}
    groups = {name: spec.group for name, spec in specs(SftArguments).items() if spec.group.startswith("tuner-")}
    elsewhere = ("tuner-galore", "tuner-lisa")
    assert {name for name, group in groups.items() if not group.startswith(elsewhere)} - of_methods == set()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"vera_rank": 4}, "--vera_rank: has an effect only with --sft_type vera; --sft_type is lora"),
        ({"sft_type": "vera", "lora_alpha": 4}, "--lora_alpha: has an effect only with --sft_type lora or"),
        ({"sft_type": "full", "target_modules": ("ALL",)}, "--target_modules: has an effect only with adapters"),
        ({"sft_type": "full", "modules_to_save": ("LN",)}, "--modules_to_save: has an effect only with adapters"),
        ({"freeze_parameters": ("model.embed",)}, "--freeze_parameters: has an effect only with --sft_type full"),
        ({"sft_type": "full", "freeze_parameters_ratio": 1.5}, "a share from 0 to 1"),
        ({"tuner_backend": "unsloth"}, "--tuner_backend unsloth: its kernels need a CUDA GPU"),
        ({"tuner_backend": "swift"}, "--tuner_backend swift"),
        ({"sft_type": "adalora", "adalora_target_r": 12}, "must be below --adalora_init_r 12"),
        ({"sft_type": "adalora", "max_steps": 3, "adalora_tinit": 2}, "no step is left for the ranks to fall"),
        ({"sft_type": "adalora", "adalora_beta1": 1.0}, "--adalora_beta1 1.0"),
        ({"sft_type": "boft", "boft_block_num": 4, "boft_block_size": 8}, "one follows from the other"),
        ({"sft_type": "boft", "boft_block_size": 0}, "one of them is a count from 1 up"),
        ({"sft_type": "hra", "hra_rank": 3}, "an even count"),
        ({"sft_type": "miss", "miss_mini_rank": 2}, "only with --miss_form mini"),
        ({"sft_type": "lokr", "lokr_factor": 1}, "--lokr_factor 1"),
        ({"sft_type": "vblora", "vblora_topk": 300}, "--vblora_topk 300"),
        ({"sft_type": "fourierft", "fourier_n_frequency": 0}, "--fourier_n_frequency 0: is a count"),
        ({"sft_type": "vera", "vera_dropout": 1.0}, "--vera_dropout 1.0"),
        ({"init_lora_weights": "eva", "streaming": True, "max_steps": 4}, "--init_lora_weights eva: looks at the training set"),
        ({"init_lora_weights": "lora_ga", "streaming": True, "max_steps": 4}, "--init_lora_weights lora_ga: looks at"),
        ({"init_lora_weights": "corda", "use_dora": True}, "--use_dora true with --init_lora_weights corda"),
        ({"init_lora_weights": "corda", "quantization_bit": 4}, "--init_lora_weights corda with --quantization_bit 4"),
        ({"sft_type": "xlora"}, "peft 0.21 runs it only without the key/value cache"),
        ({"sft_type": "prompt_tuning", "num_virtual_tokens": 0}, "--num_virtual_tokens 0: is a count"),
        ({"sft_type": "prompt_tuning", "prompt_init_text": " "}, "--prompt_init_text: is empty"),
        ({"sft_type": "prompt_tuning", "target_modules": ("ALL",)}, "--target_modules: has an effect only with adapters"),
        ({"sft_type": "prefix_tuning", "prompt_encoder_size": 8}, "only with --prefix_projection true"),
        ({"num_virtual_tokens": 8}, "--num_virtual_tokens: has an effect only with --sft_type"),
        ({"relora_steps": 0}, "--relora_steps 0: is a count"),
        ({"relora_steps": 10}, "leave no step at the full rate"),
        ({"relora_steps": 50, "relora_prune_ratio": 2.0}, "--relora_prune_ratio 2.0: a share"),
        ({"relora_steps": 50, "use_dora": True}, "--relora_steps with --use_dora true"),
        ({"relora_steps": 50, "init_lora_weights": "pissa"}, "--relora_steps with --init_lora_weights pissa"),
        ({"relora_steps": 50, "quantization_bit": 4}, "--relora_steps 50: the factors go into the weights, and these are packed"),
        ({"relora_steps": 50, "optim": "adafactor"}, "does not know what --optim adafactor keeps"),
        ({"relora_steps": 50, "max_steps": 50}, "a run of 50 steps ends before the first restart"),
        ({"relora_steps": 50, "sft_type": "vera"}, "--relora_steps: has an effect only with --sft_type lora or longlora"),
        ({"relora_prune_ratio": 0.5}, "--relora_prune_ratio: has an effect only with --relora_steps"),
        ({"init_lora_weights": "pissa", "use_dora": True}, "--use_dora true with --init_lora_weights pissa"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)  # fmt: skip
def test_what_cannot_be(given: dict[str, Any], told: str) -> None:
    with pytest.raises(PlanError) as caught:
        resolve(**given)
    assert told in str(caught.value)


def test_what_a_checkpoint_says_is_not_given() -> None:
    args = SftArguments(dataset=("mine",), sft_type="full", lora_rank=4)
    plan = resolve(
        args=args, sources={"lora_rank": "checkpoint-5", "sft_type": "flag --sft_type", "dataset": "flag --dataset"}
    )
    assert plan.tuner.sft_type == "full"


def test_layers_and_boft_blocks() -> None:
    assert resolve(layers_to_transform=(0, 1)).tuner.layers == (0, 1)
    assert resolve(sft_type="boft", boft_block_num=8).tuner.options["boft_block_num"] == 8


def test_restarts_keep_the_weights_in_full_and_are_told() -> None:
    plan = resolve(relora_steps=50, dtype="bf16", max_steps=120, relora_anneal_steps=5)
    assert (plan.model.dtype, plan.trainer.autocast) == ("fp32", "bf16")
    trainer = plan.trainer
    assert (trainer.restart_steps, trainer.restart_warmup, trainer.restart_anneal) == (50, 10, 5)
    assert "each restart adds" in plan.reasons["tuner.relora_steps"]
    assert resolve(dtype="bf16").trainer.restart_steps is None
    one, last = (predict_checkpoint_bytes(plan, 10**9, 10**6, steps) for steps in (50, 120))
    assert last - one == 2 * 10**6 * 4  # two restarts, fp32


def test_factors_are_saved_in_fp32_unless_told_otherwise() -> None:
    plain, narrow = (predict_checkpoint_bytes(resolve(dtype="bf16", **given), 10**9, 10**6)
                     for given in ({}, {"lora_dtype": "bf16"}))  # fmt: skip
    assert plain - narrow == 2 * 10**6
    assert predict_checkpoint_bytes(resolve(), 10**9, 10**6, num_saved=2 * 10**6) - plain == 4 * 10**6


def test_no_merge_is_told_before_anything_is_loaded() -> None:
    for row in READY:
        problems = Problems()
        refuse_merge(TunerPlan(sft_type=row.name), TUNERS, problems)
        if row.merges:
            problems.stop_if_any()
        else:
            with pytest.raises(PlanError, match="cannot be folded into plain weights"):
                problems.stop_if_any()


def test_the_vision_part_is_left_alone_where_there_is_one() -> None:
    sees = dataclasses.replace(ROW, modality=("text", "image"))
    assert resolve(row=sees, sft_type="full", freeze_vit=True).tuner.options["freeze_vit"] is True
    adapter = resolve(row=sees, freeze_vit=True, target_modules=("ALL",))
    assert adapter.tuner.target_modules == ("ALL", "NO_VISION")
    assert adapter.reasons["tuner.target_modules"].endswith("nothing inside the vision part (freeze_vit)")
    by_regex = resolve(row=sees, freeze_vit=True, target_regex=".*q_proj").tuner
    assert (by_regex.target_regex, "NO_VISION" in by_regex.target_modules) == (".*q_proj", True)
    whole, lora = resolve(sft_type="full", freeze_vit=True), resolve(freeze_vit=True)
    assert whole.tuner.options["freeze_vit"] is False
    assert whole.reasons["tuner.freeze_vit"] == "tiny-chat reads no images: it has no vision part to freeze"
    assert "NO_VISION" not in lora.tuner.target_modules
    assert "freeze_vit: tiny-chat reads no images, nothing to leave out" in lora.reasons["tuner.target_modules"]
    with pytest.raises(PlanError, match="--freeze_vit: has an effect only with adapters; --sft_type is reft"):
        resolve(row=sees, sft_type="reft", freeze_vit=True)
