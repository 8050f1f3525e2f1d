"""Every method that goes into a model's layers, with small settings, and what its paper says about its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any

import torch

import swift.tuners
from swift.llm.catalog.registries import TUNER_MAPPING
from swift.llm.plan.plans import TunerPlan
from swift.tuners.base import KnowsSteps

IDS = torch.arange(3, 23).reshape(2, 10)
SHAPES = {"q_proj": (32, 32), "k_proj": (32, 16), "v_proj": (32, 16), "o_proj": (32, 32), "gate_proj": (32, 48),
          "up_proj": (32, 48), "down_proj": (48, 32)}  # fmt: skip
"""(in, out) of the linear layers of one of the two layers of the tiny model."""


@dataclass(frozen=True)
class Case:
    """``size(in, out)`` is the number of trained parameters of one layer, ``shared`` of all together; ``loss``: the share of
    the first loss that is left after forty steps at ``rate``; ``apart``: how far a loaded adapter's logits may be from those
    of the run (0: bit for bit); ``start``: from those of the base when it begins.
    """

    sft_type: str
    size: Callable[[int, int], int]
    options: Mapping[str, Any] = field(default_factory=dict)
    shared: int = 0
    rate: float = 1e-2
    loss: float = 0.08
    apart: float = 0.0
    start: float = 1e-6

    def plan(self, *targets: str, saved: tuple[str, ...] = (), layers: tuple[int, ...] = ()) -> TunerPlan:
        """Its settings as a plan has them."""
        row = TUNER_MAPPING[self.sft_type]
        return TunerPlan(
            sft_type=row.name, code=row.tuner, target_modules=targets or ("ALL",), modules_to_save=saved, layers=layers,
            options=self.options,
        )  # fmt: skip


def lora_size(rank: int) -> Callable[[int, int], int]:
    """``R (in + out)``."""
    return lambda width, out: rank * (width + out)


def split(number: int) -> tuple[int, int]:
    """The two factors of a number that are nearest to its square root, the smaller one first."""
    small = next(one for one in range(isqrt(number), 0, -1) if number % one == 0)
    return small, number // small


def lokr_size(rank: int) -> Callable[[int, int], int]:
    """A small block of the smaller factors, and a low-rank one of the larger ones."""

    def size(width: int, out: int) -> int:
        (small_in, large_in), (small_out, large_out) = split(width), split(out)
        return small_out * small_in + rank * (large_out + large_in)

    return size


LORA = {"lora_rank": 4, "lora_dropout": 0.0}
CASES: dict[str, Case] = {
    "lora": Case("lora", lora_size(4), LORA),
    "rslora": Case("lora", lora_size(4), {**LORA, "lora_alpha": 8, "use_rslora": True, "init_lora_weights": "gaussian"}, loss=0.6),
    "dora": Case("lora", lambda i, o: 4 * (i + o) + o, {**LORA, "use_dora": True}),
    "pissa": Case("lora", lora_size(4), {**LORA, "init_lora_weights": "pissa"}, rate=3e-3, apart=2e-5),
    "pissa_niter": Case("lora", lora_size(4), {**LORA, "init_lora_weights": "pissa_niter_4"}, rate=3e-3, apart=2e-5),
    "olora": Case("lora", lora_size(4), {**LORA, "init_lora_weights": "olora"}, rate=3e-3, apart=2e-5),
    "orthogonal": Case("lora", lora_size(4), {**LORA, "init_lora_weights": "orthogonal"}),
    "adalora": Case("adalora", lambda i, o: 6 * (i + o + 1), {"adalora_init_r": 6, "adalora_target_r": 3, "lora_dropout": 0.0},
                    apart=1e-6),
    "ia3": Case("ia3", lambda i, o: i if (i, o) == SHAPES["down_proj"] else o, {"ia3_feedforward_modules": ("down_proj",)},
                rate=1e-1, loss=0.15),
    "vera": Case("vera", lambda i, o: 64 + o, {"vera_rank": 64}, rate=1e-1),
    # a block is stored whole, of which Cayley's transform uses the skew-symmetric half; and a scale for each output
    "boft": Case("boft", lambda i, o: i * 4 + o, {"boft_block_size": 4}, loss=0.15),
    "fourierft": Case("fourierft", lambda i, o: 100, {"fourier_n_frequency": 100}, rate=1e-1, loss=0.1),
    "oft": Case("oft", lambda i, o: i // 16 * (16 * 15 // 2), {"oft_block_size": 16}),
    "loha": Case("loha", lambda i, o: 2 * 4 * (i + o), {"loha_rank": 4, "loha_alpha": 16}, rate=2e-2),
    "lokr": Case("lokr", lokr_size(2), {"lokr_rank": 2, "lokr_alpha": 8}),
    "miss": Case("miss", lambda i, o: 8 * o, {"miss_rank": 8}),
    "bone": Case("miss", lambda i, o: 8 * o, {"miss_rank": 8, "miss_form": "bat"}),
    "miss_mini": Case("miss", lambda i, o: 8 * 8, {"miss_rank": 8, "miss_form": "mini", "miss_mini_rank": 8}),
    "hra": Case("hra", lambda i, o: 8 * i, {"hra_rank": 8}),
    "vblora": Case("vblora", lambda i, o: 4 * (i + o) // 16 * 20, {"vblora_vector_length": 16, "vblora_num_vectors": 20},
                   shared=20 * 16, rate=3e-2, loss=0.2, start=1e-2),
}  # fmt: skip


def logits(model: Any) -> torch.Tensor:
    """Logits of the rows, in fp32."""
    with torch.no_grad():
        found: torch.Tensor = model.eval()(IDS).logits.float()
    return found


def num_trained(model: Any) -> int:
    """How many parameters are trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def move(model: Any) -> Any:
    """As if it had been trained: every trained weight a little elsewhere."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    return model.eval()


def memorise(plan: TunerPlan, model: Any, num_steps: int, rate: float) -> list[float]:
    """Train on the same two rows, as the loop does; the losses without the penalty."""
    tuner = swift.tuners.open_tuner(plan)
    if isinstance(tuner, KnowsSteps):
        tuner.begin(model, num_steps)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0)
    losses = []
    model.train()
    for step in range(1, num_steps + 1):
        predicted = model(IDS).logits[:, :-1]
        loss = torch.nn.functional.cross_entropy(predicted.flatten(0, 1), IDS[:, 1:].flatten())
        losses.append(loss.item())
        penalty = tuner.penalty(model)
        (loss if penalty is None else loss + penalty).backward()
        optimizer.step()
        tuner.after_step(model, step, num_steps)
        optimizer.zero_grad()
    return losses
