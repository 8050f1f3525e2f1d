"""``tuner_backend unsloth`` against a package that speaks its interface: what it is asked for, and that files are peft's.

unsloth itself needs an NVIDIA GPU: the package here stands for it, with transformers and peft behind its two functions.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

import swift.tuners
from swift.llm.model.load import load_model
from swift.llm.plan.plans import ModelPlan, TunerPlan
from swift.tuners.preview import preview
from swift.utils.errors import MissingPackageError, PlanError

IDS = torch.arange(3, 23).reshape(2, 10)
PLAN = TunerPlan(
    sft_type="lora", code="swift.tuners.unsloth:UnslothLora", target_modules=("q_proj", "v_proj"),
    options={"lora_rank": 4, "lora_alpha": 8, "lora_dropout": 0.0, "use_rslora": True},
)  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the package was asked for, call after call."""
    calls: list[dict[str, Any]] = []

    class FastLanguageModel:
        @staticmethod
        def from_pretrained(
            model_name: str, max_seq_length: int, dtype: Any, load_in_4bit: bool, full_finetuning: bool, device_map: Any,
            trust_remote_code: bool, fix_tokenizer: bool, use_exact_model_name: bool, use_gradient_checkpointing: Any,
        ) -> tuple[Any, None]:  # fmt: skip
            calls.append(
                {"folder": model_name, "length": max_seq_length, "four_bits": load_in_4bit, "full": full_finetuning}
            )
            return AutoModelForCausalLM.from_pretrained(model_name, dtype=dtype), None

        @staticmethod
        def get_peft_model(
            model: Any, r: int, target_modules: list[str], lora_alpha: int, lora_dropout: float, bias: str, use_rslora: bool,
            modules_to_save: Any, use_gradient_checkpointing: Any, random_state: int,
        ) -> Any:  # fmt: skip
            calls.append({"r": r, "targets": target_modules, "rslora": use_rslora, "seed": random_state})
            return get_peft_model(
                model,
                LoraConfig(
                    r=r, target_modules=target_modules, lora_alpha=lora_alpha, lora_dropout=lora_dropout, bias=bias,
                    use_rslora=use_rslora, modules_to_save=modules_to_save, task_type="CAUSAL_LM",
                ),
            )  # fmt: skip

    package = ModuleType("unsloth")
    package.FastLanguageModel = FastLanguageModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "unsloth", package)
    return calls


def model_plan(folder: Path, loader: str = "unsloth") -> ModelPlan:
    return ModelPlan(
        model_type=None, path=str(folder), architecture="Qwen2ForCausalLM", loader=f"swift.llm.model.loaders:{loader}",
        dtype="fp32", attention="sdpa", device="cpu", max_model_len=128,
    )  # fmt: skip


def test_a_model_is_loaded_trained_saved_and_gone_on_with(
    asked: list[dict[str, Any]], model_folder: Path, tmp_path: Path
) -> None:
    torch.manual_seed(7)
    model = swift.tuners.attach(PLAN, load_model(model_plan(model_folder)))
    assert asked == [
        {"folder": str(model_folder), "length": 128, "four_bits": False, "full": False},
        {"r": 4, "targets": ["q_proj", "v_proj"], "rslora": True, "seed": 7},
    ]
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    wanted = model.eval()(IDS).logits
    swift.tuners.save_model(PLAN, model)(tmp_path)
    again = swift.tuners.load(PLAN, load_model(model_plan(model_folder)), tmp_path, trainable=True)
    assert asked[-1]["r"] == 4
    assert torch.equal(again.eval()(IDS).logits, wanted)
    assert any(parameter.requires_grad for parameter in again.parameters())
    num_calls = len(asked)
    plain = AutoModelForCausalLM.from_pretrained(str(model_folder))
    assert torch.allclose(PeftModel.from_pretrained(plain, str(tmp_path)).eval()(IDS).logits, wanted, atol=1e-6)
    ours = swift.tuners.load(PLAN, AutoModelForCausalLM.from_pretrained(str(model_folder)), tmp_path)
    assert torch.allclose(ours.eval()(IDS).logits, wanted, atol=1e-6)
    assert len(asked) == num_calls  # answering needs nothing of it


def test_full_tuning_is_told(asked: list[dict[str, Any]], model_folder: Path) -> None:
    load_model(model_plan(model_folder, "unsloth_full"))
    assert asked[0]["full"]


def test_targets_of_some_layers_only_are_refused(asked: list[dict[str, Any]], model_folder: Path) -> None:
    plan = replace(PLAN, target_modules=("layers.1.self_attn.q_proj",))
    with pytest.raises(PlanError, match=r"unsloth takes the last parts of names for all layers"):
        swift.tuners.attach(plan, load_model(model_plan(model_folder)))


def test_a_preview_and_a_missing_package(model_folder: Path) -> None:
    counted = preview(PLAN, lambda: _empty(model_folder))
    assert counted.num_trainable == 2 * 4 * ((32 + 32) + (32 + 16))
    with pytest.raises(MissingPackageError, match=r"cannot be imported .*pip install unsloth"):
        load_model(model_plan(model_folder))


def _empty(folder: Path) -> Any:
    from swift.tuners.preview import empty_model

    return empty_model(folder)
