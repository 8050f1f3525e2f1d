"""Low-rank projections of gradients: how they are computed, quantised, compared and kept. Knows no optimizer.

GaLore (Zhao et al. 2024, arXiv:2403.03507) projects a gradient G (m, n) to R = PᵀG with the leading singular vectors of an
earlier gradient; Q-GaLore (Zhang et al. 2024, arXiv:2407.08296) quantises P and computes it anew less often where it hardly
changes. Alphabet: ``m``, ``n`` sides of the matrix, ``r`` rank.
"""

from __future__ import annotations

from typing import Any

import torch

from swift.trainers.config import PROJECTIONS, GaloreConfig

__all__ = ["Projection", "dequantize", "quantize"]


class Projection:
    """The projection of one matrix: to the low-rank space and back, renewed every so many steps.

    ``scale`` is part of the way back. The state is plain values and tensors; with it, the next step is the same.
    """

    def __init__(self, config: GaloreConfig, shape: torch.Size) -> None:
        assert config.proj_type in PROJECTIONS
        self.config = config
        rows, columns = shape
        self.left, self.right = config.sides(rows, columns)
        self.rank = min(config.rank, rows, columns)
        self.gap = config.gap
        self.steps = 0
        self.renewals = 0
        self.renewed_at = 0
        self.similarities: list[float] = []
        self._sides: dict[str, Any] = {}

    def low_shape(self, shape: torch.Size) -> tuple[int, int]:
        """The shape of a projected gradient."""
        return (self.rank if self.left else shape[0], self.rank if self.right else shape[1])

    def down(self, gradient: torch.Tensor) -> torch.Tensor:
        """A gradient in the low-rank space, fp32; the projection is renewed from it where that is due."""
        gradient = gradient.float()
        if not self._sides or self.steps - self.renewed_at >= self.gap:
            self._renew(gradient)
        self.steps += 1
        if self.left:
            gradient = self._side("left").T @ gradient  # (r, n)
        if self.right:
            gradient = gradient @ self._side("right")  # (m, r), or (r, r)
        return gradient

    def up(self, update: torch.Tensor) -> torch.Tensor:
        """An update of the low-rank space as one of the matrix, times the scale.  # (m, n)"""
        if self.left:
            update = self._side("left") @ update
        if self.right:
            update = update @ self._side("right").T
        return update * self.config.scale

    def _renew(self, gradient: torch.Tensor) -> None:
        # fp32 also on a GPU; bf16 has no singular value decomposition
        left, _, right = torch.linalg.svd(gradient, full_matrices=False)
        sides = {"left": left[:, : self.rank]} if self.left else {}
        if self.right:
            sides["right"] = right[: self.rank].T
        if self._sides and self.config.cos_threshold is not None:
            self._compare({name: self._side(name)[:, 0] for name in sides}, sides)
        self._sides = {name: self._packed(side.contiguous()) for name, side in sides.items()}
        self.renewals += 1
        self.renewed_at = self.steps

    def _compare(self, before: dict[str, torch.Tensor], now: dict[str, torch.Tensor]) -> None:
        """Lengthen the gap where the leading directions stayed alike (Q-GaLore, section 3.2). A direction has no sign."""
        assert self.config.cos_threshold is not None
        cosines = [
            torch.nn.functional.cosine_similarity(old, now[name][:, 0], dim=0).abs() for name, old in before.items()
        ]
        self.similarities = [*self.similarities, float(torch.stack(cosines).mean())][-self.config.queue_size :]
        alike = sum(self.similarities) / len(self.similarities) >= self.config.cos_threshold
        if alike and len(self.similarities) == self.config.queue_size:
            self.gap *= self.config.gamma

    def _packed(self, side: torch.Tensor) -> Any:
        return side if self.config.bits is None else quantize(side, self.config.bits, self.config.group_size)

    def _side(self, name: str) -> torch.Tensor:
        held = self._sides[name]
        return held if isinstance(held, torch.Tensor) else dequantize(held)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {"gap": self.gap, "steps": self.steps, "renewals": self.renewals, "renewed_at": self.renewed_at,
                "similarities": list(self.similarities), "sides": dict(self._sides)}  # fmt: skip

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Go on from :meth:`state_dict`, with its tensors on ``device``."""
        self.gap, self.steps, self.renewals = state["gap"], state["steps"], state["renewals"]
        self.renewed_at, self.similarities = state["renewed_at"], list(state["similarities"])
        self._sides = {
            name: side.to(device) if isinstance(side, torch.Tensor)
            else {key: value.to(device) if isinstance(value, torch.Tensor) else value for key, value in side.items()}
            for name, side in state["sides"].items()
        }  # fmt: skip


def quantize(values: torch.Tensor, bits: int, group_size: int, *, seed: int | None = None) -> dict[str, Any]:
    """A matrix as unsigned integers of 4 or 8 bits, each group of ``group_size`` values with its least value and its step.

    Two values of 4 bits share a byte. The last group may be shorter. Rounded to nearest, or stochastically with random numbers
    of ``seed``: up with the probability of what rounding down would take away.
    """
    flat = values.float().flatten()
    padding = -len(flat) % group_size
    # repeats of the last value leave the range of the last group as it is
    groups = torch.cat([flat, flat[-1:].expand(padding)]).view(-1, group_size)  # (groups, group_size)
    low, high = groups.amin(1, keepdim=True), groups.amax(1, keepdim=True)
    step = ((high - low) / (2**bits - 1)).clamp(min=torch.finfo(torch.float32).tiny)
    codes = (groups - low) / step
    if seed is None:
        codes = codes.round()
    else:
        # of a generator of its own: the same on every rank, and the random numbers of the run stay as they are
        generator = torch.Generator(codes.device).manual_seed(seed)
        codes = (codes + torch.rand(codes.shape, generator=generator, device=codes.device)).floor()
    codes = codes.clamp(0, 2**bits - 1).to(torch.uint8).flatten()
    if bits == 4:
        codes = torch.cat([codes, codes.new_zeros(len(codes) % 2)]).view(-1, 2)
        codes = codes[:, 0] | codes[:, 1] << 4
    return {"codes": codes, "low": low, "step": step, "shape": list(values.shape), "bits": bits,
            "group_size": group_size}  # fmt: skip


def dequantize(packed: dict[str, Any]) -> torch.Tensor:
    """The matrix that :func:`quantize` packed, fp32, each value within half a step of what it was."""
    codes = packed["codes"]
    if packed["bits"] == 4:
        codes = torch.stack([codes & 15, codes >> 4], 1).flatten()
    low, step = packed["low"], packed["step"]
    groups, size = len(low), packed["group_size"]
    rows, columns = packed["shape"]
    values: torch.Tensor = codes[: groups * size].view(groups, size) * step + low
    return values.flatten()[: rows * columns].view(rows, columns)
