"""What the predicted memory makes of optimizers that save some, and what the plan decides from it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from world import CPU, MODEL, resolve

from swift.llm.plan.memory import MemoryEstimate, checkpoint_bytes, estimate, state_bytes
from swift.trainers.config import GaloreConfig

CONFIG = {
    "hidden_size": 4096, "num_hidden_layers": 32, "intermediate_size": 11008, "vocab_size": 32000,
    "num_attention_heads": 32, "tie_word_embeddings": False,
}  # fmt: skip
TABLES = 2 * 32000 * 4096
A_LAYER = 4 * 4096**2 + 3 * 4096 * 11008
NUM = TABLES + 32 * A_LAYER


def needs(**changes: Any) -> MemoryEstimate:
    given: dict[str, Any] = {
        "num_parameters": NUM, "num_trainable": NUM, "weight_dtype": "fp32", "compute_dtype": "bf16", "tokens": 2048,
        "trained_tokens": 2048, "tokens_per_chunk": 4096, "optim": "adamw_torch", **changes,
    }  # fmt: skip
    return estimate(CONFIG, **given)


def test_galore_keeps_states_of_low_rank() -> None:
    rank, plain, low = 128, needs(), needs(galore=GaloreConfig(rank=128))
    assert plain.optimizer == 8 * NUM
    # each matrix (m, n), m <= n: two states and a stand-in of (r, n), a projection of (m, r), fp32
    shapes = [(4096, 4096)] * 4 + [(4096, 11008)] * 3
    expected = 8 * TABLES + 32 * sum(4 * rank * (3 * n + m) for m, n in shapes) + 2 * 4 * 4096 * 11008
    assert low.optimizer == pytest.approx(expected, rel=1e-6)
    assert (low.weights, low.gradients) == (plain.weights, plain.gradients)
    packed = needs(galore=GaloreConfig(rank=rank, bits=4))
    assert low.optimizer - packed.optimizer == pytest.approx(
        32 * sum(rank * m * (4 - 0.5 - 8 / 256) for m, _ in shapes), rel=1e-3
    )


def test_galore_over_some_matrices_or_none_or_the_embeddings_too() -> None:
    every = needs(galore=GaloreConfig())
    assert needs(galore=GaloreConfig(rank=4096)).optimizer == needs().optimizer
    assert every.optimizer < needs(galore=GaloreConfig(targets=("mlp",))).optimizer < needs().optimizer
    assert needs(galore=GaloreConfig(targets=("ALL",))) == every
    assert needs(galore=GaloreConfig(with_embedding=True)).optimizer < every.optimizer


def test_gradients_that_are_used_at_once_do_not_add_up() -> None:
    assert needs(galore=GaloreConfig(per_parameter=True)).gradients == 32000 * 4096 * 4
    assert needs(optim="lomo").gradients == 32000 * 4096 * 4
    assert needs(optim="lomo").optimizer == 0


def test_weights_in_8_bits() -> None:
    plain, packed = needs(galore=GaloreConfig()), needs(galore=GaloreConfig(weight_bits=8))
    assert packed.weights == pytest.approx(TABLES * 6 + 32 * A_LAYER * (1 + 8 / 256), rel=1e-6)
    assert packed.optimizer == plain.optimizer


def test_what_a_method_adds_is_held_too() -> None:
    assert needs(num_trainable=1000, num_added=1000).weights - needs(num_trainable=1000).weights == 4000


def test_lisa_trains_the_tables_and_some_layers() -> None:
    some = needs(lisa_layers=2)
    assert some.gradients == 4 * (TABLES + 2 * A_LAYER)
    assert some.optimizer == 2 * some.gradients
    assert needs(lisa_layers=32) == needs()


@pytest.mark.parametrize(
    ("optim", "of_a_value"), [("adamw_torch", 8), ("adamw_8bit", 2), ("lion_32bit", 4), ("lomo", 0)]
)
def test_a_checkpoint_holds_what_the_optimizer_keeps(optim: str, of_a_value: int) -> None:
    kept = state_bytes(CONFIG, num_trainable=1000, optim=optim)
    assert kept == 1000 * of_a_value
    q_galore = state_bytes(CONFIG, num_trainable=NUM, optim=optim, galore=GaloreConfig(weight_bits=8), with_codes=True)
    without = state_bytes(CONFIG, num_trainable=NUM, optim=optim, galore=GaloreConfig(weight_bits=8))
    assert q_galore - without == pytest.approx(32 * A_LAYER * (1 + 8 / 256), rel=1e-6)
    whole, only = (
        checkpoint_bytes(num_saved=10, state_bytes=kept, weight_dtype="bf16", only_model=one) for one in (False, True)
    )
    assert whole - only == kept


@pytest.mark.parametrize("given", [
    {"use_galore": True, "galore_rank": 16, "galore_optim_per_parameter": True}, {"optim": "galore_adamw_layerwise"},
    {"optim": "lomo"}, {"lisa_activated_layers": 1},
])  # fmt: skip
def test_an_optimizer_that_saves_memory_spares_the_recomputing(given: dict[str, Any]) -> None:
    config = {**CONFIG, "hidden_size": 2048, "intermediate_size": 5504, "num_hidden_layers": 24}
    large = replace(MODEL, model_config=config, num_parameters=24 * A_LAYER // 4 + TABLES // 2)
    here = replace(CPU, memory_gib=28.0)
    settings = {"sft_type": "full", "max_length": 512}
    assert resolve(model=large, machine=here, **settings).trainer.gradient_checkpointing is True
    spared = resolve(model=large, machine=here, **settings, **given)
    assert spared.trainer.gradient_checkpointing is False
    assert "without it" in spared.reasons["trainer.gradient_checkpointing"]


def test_frozen_parts_and_new_blocks_count_as_what_they_are() -> None:
    large = replace(MODEL, model_config=CONFIG, num_parameters=NUM)

    def told(**given: Any) -> float:
        why = resolve(model=large, **given).reasons["trainer.gradient_checkpointing"]
        return float(why.split()[2])

    whole = told(sft_type="full")
    assert told(sft_type="full", freeze_parameters_ratio=0.9) < 0.6 * whole
    assert told(sft_type="lora") < told(sft_type="llamapro") < whole
