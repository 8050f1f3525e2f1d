"""The rows of the catalog and the methods they name; our LoRA against peft's own on the same factors."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from transformers import LlamaConfig, LlamaForCausalLM

import swift.tuners
from swift.llm.arguments.tuner import SFT_TYPES
from swift.llm.catalog import tuners as rows
from swift.llm.catalog.rows import TunerRow
from swift.llm.plan.plans import TunerPlan
from swift.tuners import open_tuner
from swift.tuners.base import Tuner

ROWS = [row for row in vars(rows).values() if isinstance(row, TunerRow)]


def test_every_method_of_the_command_line_has_a_row() -> None:
    assert sorted(row.name for row in ROWS) == sorted(SFT_TYPES)


def test_ready_rows_open_and_planned_ones_have_no_code() -> None:
    methods = [name for name in vars(Tuner) if not name.startswith("_")]
    for row in ROWS:
        assert (row.tuner is not None) == (row.status == "ready"), row.name
        if row.tuner is not None:
            tuner = open_tuner(TunerPlan(sft_type=row.name, code=row.tuner))
            assert all(callable(getattr(tuner, name)) for name in methods), row.name


def test_one_training_step_is_pefts() -> None:
    def base() -> Any:
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4
        )
        return LlamaForCausalLM(config)

    plan = TunerPlan(
        sft_type="lora",
        code=rows.LORA.tuner,
        target_modules=("q_proj", "v_proj"),
        options={"lora_rank": 4, "lora_dropout": 0.0},
    )
    ours = swift.tuners.attach(plan, base())
    theirs = get_peft_model(
        base(), LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=32, target_modules=["q_proj", "v_proj"])
    )
    from peft import get_peft_model_state_dict

    set_peft_model_state_dict(theirs, get_peft_model_state_dict(ours))
    ids = torch.arange(3, 23).reshape(2, 10)
    for model in (ours, theirs):
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
        for _ in range(3):
            optimizer.zero_grad()
            model(ids, labels=ids).loss.backward()
            optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True))
