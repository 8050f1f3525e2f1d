"""LLaMA Pro: where new layers go, that they change nothing at first, and that the larger model is a plain one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, Gemma2Config, GPTNeoXConfig, LlamaConfig, Olmo2Config, Qwen2MoeConfig

sys.path.insert(0, str(Path(__file__).parent))
from proof import IDS, check_the_same, logits, loud, memorise, move, num_trained, run_twice, saved

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.tuners.llamapro.config import LlamaProSettings
from swift.utils.errors import PlanError


def pro(blocks: int = 2, groups: int | None = None) -> TunerPlan:
    return TunerPlan(
        sft_type="llamapro", code="swift.tuners.llamapro.tuner:LlamaProTuner",
        options={"llamapro_num_new_blocks": blocks, "llamapro_num_groups": groups},
    )  # fmt: skip


def layout(blocks: int, groups: int | None, layers: int) -> str:
    """Old layers as numbers, copies with a mark."""
    order = LlamaProSettings(blocks=blocks, groups=groups).order(layers)
    return " ".join(f"{number}{'+' if new else ''}" for number, new in order)


def test_copies_of_the_top_layers_stand_on_each_group() -> None:
    assert layout(2, None, 4) == "0 1 1+ 2 3 3+"
    assert layout(4, 2, 6) == "0 1 2 1+ 2+ 3 4 5 4+ 5+"
    assert layout(3, 1, 3) == "0 1 2 0+ 1+ 2+"
    assert layout(2, None, 5) == "0 1 1+ 2 3 4 4+"
    with pytest.raises(PlanError, match="the model has 2 layers, of which 4 would be copied"):
        layout(4, None, 2)
    with pytest.raises(PlanError, match="cannot be shared evenly"):
        LlamaProSettings.read({"llamapro_num_new_blocks": 3, "llamapro_num_groups": 2})


SIZES: dict[str, Any] = {
    "vocab_size": 61, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
FAMILIES: dict[str, Callable[[], Any]] = {
    "llama, with biases": lambda: LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "gpt neox, both parts at once": lambda: GPTNeoXConfig(**SIZES),
    "gemma 2, norms behind the parts, two kinds of layers": lambda: Gemma2Config(
        **SIZES, num_key_value_heads=2, head_dim=8
    ),
    "olmo 2, norms behind the parts only": lambda: Olmo2Config(**SIZES, num_key_value_heads=2),
    "qwen 2 moe": lambda: Qwen2MoeConfig(
        **SIZES, num_key_value_heads=2, num_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=16
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_larger_model_answers_as_before_and_is_plain(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(FAMILIES[family]()).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    wanted = logits(model)
    model = swift.tuners.attach(pro(2), model)
    assert torch.equal(logits(model), wanted)
    move(model)
    assert not torch.equal(logits(model), wanted)
    folder = saved(pro(2), model, tmp_path / "larger")
    loaded = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert loaded.config.num_hidden_layers == 6
    assert torch.equal(logits(loaded), logits(model))
    with torch.no_grad():
        answers = [one.generate(IDS, max_new_tokens=4, do_sample=False) for one in (model, loaded)]
    assert torch.equal(*answers)


def test_only_new_layers_learn_and_the_loss_falls(make_model: Callable[..., Any]) -> None:
    base = loud(make_model())
    a_layer = sum(p.numel() for p in base.model.layers[0].parameters())
    model = swift.tuners.attach(pro(2), base)
    assert num_trained(model) == 2 * a_layer
    first, last, changed = memorise(model, rate=1e-2)
    assert last < 0.25 < 4 < first
    assert changed == {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[2] for name in changed} == {"1", "3"}


def test_trained_weights_are_fp32_beside_half_precision(make_model: Callable[..., Any], tmp_path: Path) -> None:
    wanted = logits(make_model(dtype=torch.bfloat16))
    model = swift.tuners.attach(pro(2), make_model(dtype=torch.bfloat16))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in model.parameters() if not p.requires_grad} == {torch.bfloat16}
    assert torch.equal(logits(model), wanted)
    assert logits(move(model)).dtype == torch.bfloat16
    loaded = AutoModelForCausalLM.from_pretrained(saved(pro(2), model, tmp_path / "a"), dtype=torch.bfloat16).eval()
    assert torch.allclose(logits(loaded).float(), logits(model).float(), atol=0.1)


def test_a_model_whose_configuration_counts_layers_is_refused(make_model: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    config = Qwen2MoeConfig(
        **SIZES, num_key_value_heads=2, num_experts=4, moe_intermediate_size=16, shared_expert_intermediate_size=16,
        mlp_only_layers=[3],
    )  # fmt: skip
    with pytest.raises(PlanError, match="tells layers apart by their number"):
        swift.tuners.attach(pro(2), AutoModelForCausalLM.from_config(config))


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(model_folder: Path, tmp_path: Path) -> None:
    straight, again = run_twice(model_folder, tmp_path, sft_type="llamapro", llamapro_num_new_blocks=2)
    check_the_same(straight, again)
    assert AutoModelForCausalLM.from_pretrained(straight).config.num_hidden_layers == 4
