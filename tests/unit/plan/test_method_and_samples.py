"""What the methods of our own ask of the samples, and refuse."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import world
from world import resolve

from swift.llm.catalog import tuners as rows
from swift.llm.catalog.rows import TunerRow
from swift.utils.errors import PlanError

EVERY_TOKEN = {"positions": "all"}


@pytest.fixture(autouse=True)
def real_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {row.name: row for row in vars(rows).values() if isinstance(row, TunerRow)}
    monkeypatch.setattr(world, "TUNERS", found)


def test_groups_of_longlora_are_a_quarter_of_the_longest_sample() -> None:
    plan = resolve(sft_type="longlora", max_length=1024, lora_rank=4)
    assert (plan.tuner.options["group_size"], plan.tuner.options["lora_rank"]) == (256, 4)
    assert "1,024" in plan.reasons["tuner.group_size"]
    assert resolve(sft_type="longlora", max_length=-1).tuner.options["group_size"] is None
    with pytest.raises(PlanError, match=r"--sft_type longlora: its attention needs flat batches.*flag --padding_free"):
        resolve(sft_type="longlora", padding_free=False)
    with pytest.raises(PlanError, match="--sft_type longlora: its attention needs flat batches"):
        resolve(sft_type="longlora", attn_impl="eager")


def test_reft_has_one_prompt_a_sample() -> None:
    plan = resolve(sft_type="reft")
    assert plan.template.last_round is True
    assert "one prompt" in plan.reasons["template.last_round"]
    assert resolve(sft_type="reft", loss_scale_base="default").template.last_round is False
    assert resolve(sft_type="reft", reft_args=EVERY_TOKEN).template.last_round is False
    for given in ({"train_on_inputs": True}, {"command": "pt"}):
        with pytest.raises(PlanError, match="everything is trained, so none has one"):
            resolve(sft_type="reft", **given)
        assert resolve(sft_type="reft", reft_args=EVERY_TOKEN, **given).tuner.options["reft_args"] == EVERY_TOKEN


@pytest.mark.parametrize("method", ["prompt_tuning", "prefix_tuning", "p_tuning"])
def test_virtual_tokens_stand_before_each_row(method: str) -> None:
    plan = resolve(sft_type=method)
    assert (plan.data.padding_free, plan.model.attention) == (False, "sdpa")
    assert "learned tokens before each sample" in plan.reasons["data.padding_free"]
    assert plan.tuner.target_modules == ()
    for flag in ("packing", "padding_free"):
        with pytest.raises(PlanError, match=f"--{flag} true: --sft_type {method} puts learned tokens"):
            resolve(sft_type=method, max_length=64, **{flag: True})
    with pytest.raises(PlanError, match="--attn_impl varlen: is for flat batches"):
        resolve(sft_type=method, attn_impl="varlen")


def test_a_prefix_is_lost_where_activations_are_computed_twice() -> None:
    small = replace(world.CPU, memory_gib=0.1)
    assert resolve(machine=small, sft_type="prompt_tuning").trainer.gradient_checkpointing is True
    plan = resolve(machine=small, sft_type="prefix_tuning")
    assert plan.trainer.gradient_checkpointing is False
    assert "keys and values" in plan.reasons["trainer.gradient_checkpointing"]
    with pytest.raises(PlanError, match="--gradient_checkpointing true: it would lose the keys and values"):
        resolve(sft_type="prefix_tuning", gradient_checkpointing=True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sft_type": "reft", "target_modules": ("q_proj",)}, "--target_modules: has an effect only with"),
        ({"sft_type": "adapter", "modules_to_save": ("LN",)}, "--modules_to_save: has an effect only with"),
        ({"sft_type": "llamapro", "target_regex": "x"}, "--target_regex: has an effect only with"),
        ({"sft_type": "lora", "reft_rank": 2}, "--reft_rank: has an effect only with --sft_type reft"),
        ({"sft_type": "llamapro", "llamapro_num_new_blocks": 0}, "--llamapro_num_new_blocks 0: is a count"),
        ({"sft_type": "reft", "reft_args": {"positions": "x"}}, "--reft_args positions 'x'"),
    ],
)
def test_what_would_have_no_effect_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        resolve(**given)
