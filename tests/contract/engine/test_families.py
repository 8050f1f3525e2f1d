"""The engine's greedy answers are transformers' own, family by family, batched or not, with caches that are too small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    DeepseekV2Config,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GenerationConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MistralConfig,
    MixtralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.pt import PtEngine

SMALL: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
FLAT: dict[str, Any] = {
    "llama": LlamaConfig(**SMALL),
    "llama 3 rope": LlamaConfig(**SMALL, rope_parameters=LLAMA3),
    "qwen2": Qwen2Config(**SMALL),
    "qwen2 window": Qwen2Config(**SMALL, use_sliding_window=True, sliding_window=5, max_window_layers=1),
    "qwen3": Qwen3Config(**SMALL, head_dim=8),
    "mistral": MistralConfig(**SMALL, sliding_window=6),
    "mixtral": MixtralConfig(**SMALL, num_local_experts=4),
    "gemma": GemmaConfig(**SMALL, head_dim=8),
    "gemma2": Gemma2Config(
        **SMALL, head_dim=8, sliding_window=6, attn_logit_softcapping=2.0, query_pre_attn_scalar=8
    ),
    "gemma3": Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=6, query_pre_attn_scalar=8),
    "phi3": Phi3Config(**SMALL, sliding_window=7),
    "deepseek_v2": DeepseekV2Config(
        **{**SMALL, "num_key_value_heads": 4}, moe_intermediate_size=16, n_routed_experts=4, num_experts_per_tok=2,
        n_shared_experts=1, first_k_dense_replace=1, kv_lora_rank=16, q_lora_rank=None, qk_rope_head_dim=8,
        qk_nope_head_dim=8, v_head_dim=12,
    ),
    "gpt2": GPT2Config(
        vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=256, bos_token_id=1, eos_token_id=2
    ),
}  # fmt: skip
ALONE: dict[str, Any] = {
    "bloom": BloomConfig(vocab_size=97, hidden_size=32, n_layer=2, n_head=4),
    "mamba": MambaConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2, state_size=4),
    "dynamic rope": LlamaConfig(
        **SMALL, rope_parameters={"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    ),
}
LONGROPE = Phi3Config(
    **SMALL, original_max_position_embeddings=20,
    rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 20,
        "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0],
    },
)  # fmt: skip
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"max_step_tokens": 5},
    {"max_batch": 2, "max_cached_tokens": 60},
    {"max_batch": 1},
)
NEW = 20


def build(config: Any, attention: str = "eager") -> Any:
    torch.manual_seed(0)
    # eager is transformers' reference; its sdpa leaves Gemma 2's cap out
    kwargs = {"attn_implementation": attention} if config.model_type not in ("bloom", "mamba") else {}
    model = AutoModelForCausalLM.from_config(config, **kwargs)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(0, 0.3)
    return model.eval()


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    torch.manual_seed(1)
    return [torch.randint(3, 97, (length,)).tolist() for length in (3, 17, 9, 30, 1, 24)]


def expected(model: Any, prompts: list[list[int]]) -> list[list[int]]:
    config = GenerationConfig(max_new_tokens=NEW, do_sample=False, eos_token_id=2, pad_token_id=0)
    answers = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        output = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        answers.append(output[0, len(prompt) :].tolist())
    return answers


def requests(prompts: list[list[int]]) -> list[GenerateRequest]:
    sampling = Sampling(max_new_tokens=NEW)
    return [GenerateRequest(str(i), tuple(prompt), sampling, (2,)) for i, prompt in enumerate(prompts)]


@pytest.fixture(autouse=True)
def known_warnings() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


@pytest.mark.parametrize("name", FLAT)
def test_flat_batches_answer_as_generate_does(name: str, prompts: list[list[int]]) -> None:
    model = build(FLAT[name])
    wanted = expected(model, prompts)
    for settings in SETTINGS:
        with PtEngine(model, **settings) as engine:
            assert engine.is_batching
            assert engine.generate_batch(requests(prompts)) == wanted, settings


@pytest.mark.parametrize("name", ALONE)
def test_other_models_go_through_generate(name: str, prompts: list[list[int]]) -> None:
    model = build(ALONE[name])
    wanted = expected(model, prompts)
    with PtEngine(model) as engine:
        assert not engine.is_batching
        assert engine.generate_batch(requests(prompts)) == wanted


def test_longrope_answers_as_without_any_cache(prompts: list[list[int]]) -> None:
    """transformers' own generate goes wrong in 5.17 where an answer crosses the border, so the reference has no cache."""
    model = build(LONGROPE)
    wanted = []
    for prompt in prompts:
        ids = list(prompt)
        with torch.no_grad():
            while len(ids) < len(prompt) + NEW and (ids[-1] != 2 or len(ids) == len(prompt)):
                ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        wanted.append(ids[len(prompt) :])
    for settings in SETTINGS:
        with PtEngine(model, **settings) as engine:
            assert engine.is_batching
            assert engine.generate_batch(requests(prompts)) == wanted, settings


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_the_model_is_given_back_as_it_was(attention: str) -> None:
    model = build(FLAT["qwen2"], attention).train()
    with PtEngine(model) as engine:
        assert not model.training
        engine.generate_batch(requests([[5, 6, 7]]))
    assert model.training
    assert model.config._attn_implementation == attention
    ids = torch.tensor([[5, 6, 7, 8]])
    model(input_ids=ids, labels=ids).loss.backward()  # nothing of inference mode is left in it
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_gemma2_keeps_its_cap_under_sdpa(prompts: list[list[int]]) -> None:
    wanted = expected(build(FLAT["gemma2"]), prompts)
    with PtEngine(build(FLAT["gemma2"], "sdpa")) as engine:
        assert engine.is_batching
        assert engine.generate_batch(requests(prompts)) == wanted


def test_beams_and_penalty_equal_generate(prompts: list[list[int]]) -> None:
    model = build(FLAT["qwen2"])
    ids = torch.tensor([prompts[1]])
    config = GenerationConfig(
        max_new_tokens=NEW, num_beams=3, do_sample=False, eos_token_id=2, pad_token_id=0, repetition_penalty=1.3
    )
    beams = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)[
        0, ids.shape[1] :
    ].tolist()
    config = GenerationConfig(
        max_new_tokens=NEW, do_sample=False, eos_token_id=2, pad_token_id=0, repetition_penalty=1.3
    )
    single = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)[
        0, ids.shape[1] :
    ].tolist()
    with PtEngine(model) as engine:
        sampling = Sampling(max_new_tokens=NEW, num_beams=3, repetition_penalty=1.3)
        penalised = Sampling(max_new_tokens=NEW, repetition_penalty=1.3)
        answers = engine.generate_batch(
            [
                GenerateRequest("plain", tuple(prompts[0]), Sampling(max_new_tokens=NEW), (2,)),
                GenerateRequest("beams", tuple(prompts[1]), sampling, (2,)),
                GenerateRequest("penalty", tuple(prompts[1]), penalised, (2,)),
            ]
        )
    stop = beams.index(2) + 1 if 2 in beams else len(beams)
    assert answers[1] == beams[:stop]
    assert answers[2] == single


def test_an_adapter_of_peft_answers_too(prompts: list[list[int]]) -> None:
    peft = pytest.importorskip("peft")
    model = peft.get_peft_model(build(FLAT["qwen2"]), peft.LoraConfig(target_modules=["q_proj", "v_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(0, 0.5)
    model.eval()
    wanted = expected(model, prompts)
    with PtEngine(model) as engine:
        assert engine.is_batching
        assert engine.generate_batch(requests(prompts)) == wanted
    with model.disable_adapter():
        assert expected(model, prompts) != wanted
