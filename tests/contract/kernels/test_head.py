"""The loss at trained positions against transformers' own loss on the same batch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model

from swift.kernels.attention import register
from swift.kernels.head import SelectedLoss

LENGTHS = [7, 3, 12, 4]


@pytest.fixture(autouse=True)
def quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def batch() -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 97, (1, sum(LENGTHS)), generator=generator)
    labels = ids.clone()
    labels[torch.rand(ids.shape, generator=generator) < 0.4] = -100
    bounds = torch.tensor([0, *LENGTHS]).cumsum(0).to(torch.int32)
    labels[:, bounds[:-1].long()] = -100
    positions = torch.cat([torch.arange(n) for n in LENGTHS])[None]
    return {
        "input_ids": ids,
        "labels": labels,
        "position_ids": positions,
        "cu_seqlens": bounds,
        "max_seqlen": max(LENGTHS),
    }


def reference(model: Any, data: dict[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(**data, num_items_in_batch=1, use_cache=False).loss
    loss.backward()
    return loss.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def check_equal(model: Any, losses: SelectedLoss) -> None:
    data = batch()
    wanted, gradients = reference(model, data)
    model.zero_grad()
    out = losses(model, data)
    out.total.backward()
    assert torch.allclose(out.total, wanted, rtol=1e-5)
    assert out.num_tokens == int((data["labels"] != -100).sum())
    for name, parameter in model.named_parameters():
        if name in gradients:
            bound = 1e-5 * max(float(gradients[name].abs().max()), 1e-3)
            assert float((parameter.grad - gradients[name]).abs().max()) <= bound, name
    with torch.no_grad():
        predicted = model(**{k: v for k, v in data.items() if k != "labels"}, use_cache=False).logits.argmax(-1)[0]
    assert out.correct.tolist() == (predicted[out.positions - 1] == data["labels"][0, out.positions]).tolist()


# plain heads, capped logits (Gemma 2), scaled (Cohere), divided (Granite), with a bias (Phi), called otherwise (GPT-NeoX)
@pytest.mark.parametrize(
    "name", ["Llama", "Qwen2", "Gemma2", "Gemma3", "Cohere", "Granite", "Phi", "GPTNeoX", "DeepseekV2"]
)
def test_equals_the_models_own_loss(name: str, make_family: Callable[[str], Any]) -> None:
    model = make_family(f"{name}ForCausalLM")
    model.set_attn_implementation(register())
    if name == "Gemma2":
        model.config.final_logit_softcapping = 1.5
    if name == "Granite":
        model.config.logits_scaling = 3.0
    losses = SelectedLoss(model, tokens_per_chunk=5)
    check_equal(model, losses)
    assert losses.is_chunked


def test_tied_head(make_family: Callable[[str], Any]) -> None:
    model = make_family("Qwen2ForCausalLM")
    model.config.tie_word_embeddings = True
    model.tie_weights()
    model.set_attn_implementation(register())
    check_equal(model, SelectedLoss(model, tokens_per_chunk=4))


@pytest.mark.parametrize(
    ("settings", "chunked"),
    [
        ({"target_modules": ["q_proj", "v_proj"]}, True),
        ({"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]}, True),
        ({"target_modules": ["q_proj", "lm_head"]}, False),
    ],
)
def test_under_peft(settings: dict[str, Any], chunked: bool, make_family: Callable[[str], Any]) -> None:
    model = make_family("LlamaForCausalLM")
    model.set_attn_implementation(register())
    peft_model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **settings)).eval()
    losses = SelectedLoss(peft_model, tokens_per_chunk=5)
    check_equal(peft_model, losses)
    assert losses.is_chunked is chunked


def test_a_head_that_does_more_is_left_to_the_model(make_family: Callable[[str], Any]) -> None:
    model = make_family("LlamaForCausalLM")
    model.set_attn_implementation(register())
    model.lm_head.register_forward_hook(lambda module, args, output: output * 2)
    losses = SelectedLoss(model)
    check_equal(model, losses)
    assert not losses.is_chunked
