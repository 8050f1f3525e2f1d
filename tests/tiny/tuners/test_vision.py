"""Models that read images: the vision part is found, left out of targets, and frozen in full tuning."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import swift.tuners
from swift.llm.arguments.commands import SftArguments
from swift.llm.plan.plans import TunerPlan
from swift.llm.sft import sft_main
from swift.tuners.targets import find_targets
from swift.tuners.vision import vision_names
from swift.utils.errors import PlanError

TEXT = {
    "vocab_size": 304, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def llava() -> Any:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=4, image_size=28, patch_size=14
    )
    config = LlavaConfig(text_config=LlamaConfig(**TEXT), vision_config=vision, image_token_index=301)
    return LlavaForConditionalGeneration(config)


def qwen2_vl() -> Any:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = Qwen2VLConfig(
        text_config={**TEXT, "rope_parameters": rope}, image_token_id=300, video_token_id=301, vision_start_token_id=302,
        vision_end_token_id=303, vision_config={"depth": 1, "embed_dim": 32, "num_heads": 4, "hidden_size": 32, "mlp_ratio": 2},
    )  # fmt: skip
    return Qwen2VLForConditionalGeneration(config)


class Own(nn.Module):
    """A model whose code says nothing of its vision part but the name."""

    def __init__(self) -> None:
        super().__init__()
        self.vit, self.decoder = nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2)


def full(**options: Any) -> TunerPlan:
    return TunerPlan(sft_type="full", code="swift.tuners.full.tuner:FullTuner", options=options)


PARTS = {
    llava: ("model.vision_tower", "model.multi_modal_projector"),
    qwen2_vl: ("model.visual", "model.language_model"),
}


@pytest.mark.parametrize("build", PARTS, ids=lambda build: build.__name__)
def test_full_tuning_freezes_it_and_nothing_else(build: Callable[[], Any]) -> None:
    tower, beside = PARTS[build]
    model = swift.tuners.attach(full(freeze_vit=True), build())
    assert vision_names(model) == [tower]
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (not name.startswith(tower + ".")), name
    assert any(name.startswith(beside) and p.requires_grad for name, p in model.named_parameters())
    again = swift.tuners.attach(full(freeze_vit=True, additional_trainable_parameters=(f"{tower}.",)), build())
    assert all(parameter.requires_grad for parameter in again.parameters())
    shared = swift.tuners.attach(full(freeze_vit=True, freeze_parameters=(beside,)), build())
    assert not any(p.requires_grad for name, p in shared.named_parameters() if name.startswith((tower, beside)))


@pytest.mark.parametrize("build", PARTS, ids=lambda build: build.__name__)
def test_adapters_stay_outside(build: Callable[[], Any]) -> None:
    model, (tower, _) = build(), PARTS[build]
    everywhere = find_targets(model, ["ALL"])
    assert any(name.startswith(tower) for name in everywhere)
    outside = [name for name in everywhere if not name.startswith(tower)]
    assert find_targets(model, ["ALL", "NO_VISION"]) == outside
    assert find_targets(model, ["NO_VISION"]) == outside
    assert find_targets(model, ["NO_VISION"], r".*\.0\..*") == [name for name in find_targets(model, [], r".*\.0\..*") if name in outside]  # fmt: skip
    with pytest.raises(PlanError, match=f"{'fc1' if build is llava else 'qkv'}: matches no module"):
        find_targets(model, ["fc1" if build is llava else "qkv", "NO_VISION"])
    plan = TunerPlan(
        sft_type="lora", code="swift.tuners.lora.tuner:LoraTuner", target_modules=("ALL", "NO_VISION"), options={"lora_rank": 2}
    )  # fmt: skip
    attached = swift.tuners.attach(plan, model)
    assert not any(tower in name for name, p in attached.named_parameters() if p.requires_grad)


def test_models_of_their_own_code_and_models_without(make_model: Callable[..., Any]) -> None:
    assert vision_names(Own()) == ["vit"]
    assert vision_names(make_model()) == []
    with pytest.raises(PlanError, match="--freeze_vit true: no part of this model is known as its vision part"):
        swift.tuners.attach(full(freeze_vit=True), make_model())


def test_a_run_leaves_it_as_it_was(model_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    folder, rows = tmp_path / "model", tmp_path / "rows.jsonl"
    qwen2_vl().save_pretrained(str(folder))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_folder / name, folder)
    rows.write_text(json.dumps({"query": "Sum?", "response": "Seven."}) + "\n")
    result: Any = sft_main(
        SftArguments(
            model_id_or_path=str(folder), dataset=(str(rows),), dataset_test_ratio=0, max_steps=2, batch_size=1, max_length=64,
            gradient_accumulation_steps=1, sft_type="full", freeze_vit=True, learning_rate=1e-2, save_only_model=True,
            output_dir=str(tmp_path / "output"), freeze_parameters=("model.language_model.layers",), weight_decay=0.1,
            additional_trainable_parameters=("model.language_model.layers.0.mlp",),
        )
    )  # fmt: skip
    before = AutoModelForImageTextToText.from_pretrained(str(folder)).state_dict()
    after = AutoModelForImageTextToText.from_pretrained(result.last_checkpoint).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        name for name in before
        if "visual" not in name and (".layers." not in name or ".mlp." in name)
    }  # fmt: skip
