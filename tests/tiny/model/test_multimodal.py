"""A model that reads images, trained on text: the language model is reached, the vision tower is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoTokenizer

from swift.llm.arguments.commands import SftArguments
from swift.llm.sft import sft_main
from swift.utils.errors import SwiftError

TEXT = {
    "vocab_size": 304, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
ROWS = (("What is the sum?", "The sum is seven."), ("Who sat on the mat?", "The cat."))


def llava(folder: Path) -> None:
    """A LLaVA: its CLIP tower has layers of the same names as the language model's."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=14
    )
    config = LlavaConfig(text_config=LlamaConfig(**TEXT), vision_config=vision, image_token_index=301)
    LlavaForConditionalGeneration(config).save_pretrained(str(folder))


def qwen2_vl(folder: Path) -> None:
    """A Qwen2-VL: positions in three dimensions, which text alone must get right too."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = Qwen2VLConfig(
        text_config={**TEXT, "rope_parameters": rope}, image_token_id=300, video_token_id=301, vision_start_token_id=302,
        vision_end_token_id=303, vision_config={"depth": 1, "embed_dim": 32, "num_heads": 4, "hidden_size": 32, "mlp_ratio": 2},
    )  # fmt: skip
    Qwen2VLForConditionalGeneration(config).save_pretrained(str(folder))


@pytest.fixture(params=[llava, qwen2_vl], ids=["llava", "qwen2_vl"])
def folder(request: pytest.FixtureRequest, model_folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "model"
    torch.manual_seed(0)
    request.param(target)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(model_folder / name, target)
    return target


def loss_of(folder: Path) -> float:
    """The loss by transformers alone: mean over the tokens of all answers and their closing tokens."""
    model = AutoModelForImageTextToText.from_pretrained(str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    total, count = 0.0, 0
    for question, answer in ROWS:
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True
        )
        prompt, answered = tokenizer.encode(asked), tokenizer.encode(answer + "<|im_end|>")
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + answered])).logits[0, len(prompt) - 1 : -1]  # (T, V)
        total -= logits.log_softmax(-1).gather(1, torch.tensor(answered)[:, None]).sum().item()
        count += len(answered)
    return total / count


def test_text_alone_trains_the_language_model(folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"query": q, "response": a}) + "\n" for q, a in ROWS), encoding="utf-8")
    result = sft_main(
        SftArguments(
            model_id_or_path=str(folder), dataset=(str(rows),), dataset_test_ratio=0, max_steps=1, batch_size=2, max_length=256,
            gradient_accumulation_steps=1, output_dir=str(tmp_path / "output"),
        )
    )  # fmt: skip
    checkpoint = Path(result.last_checkpoint)
    plan = json.loads((checkpoint.parent / "plan.json").read_text())
    assert plan["tuner"]["target_modules"] == ["model.language_model.ALL"]
    assert "answers about images, and is trained on text alone" in plan["reasons"]["model.reads_images"]
    logged = [json.loads(line) for line in (checkpoint.parent / "logging.jsonl").read_text().splitlines()]
    assert logged[0]["loss"] == pytest.approx(loss_of(folder), rel=1e-5)  # the adapter begins at zero
    from safetensors import safe_open

    with safe_open(str(checkpoint / "adapter_model.safetensors"), framework="pt") as file:
        names = list(file.keys())
    assert len(names) == 2 * 2 * 7  # A and B of seven layers in two blocks
    assert all(".language_model.layers." in name for name in names)


def test_a_model_for_another_task_is_refused(model_folder: Path, tmp_path: Path) -> None:
    arguments = SftArguments(
        model_id_or_path=str(model_folder), model_type="gte-qwen2-1_5b-instruct", dataset=("self-cognition",),
        output_dir=str(tmp_path), model_name=("a", "a"), model_author=("b", "b"),
    )  # fmt: skip
    with pytest.raises(SwiftError, match=r"a model for embedding; this version works with causal language models"):
        sft_main(arguments)
