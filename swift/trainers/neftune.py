"""NEFTune: uniform noise on the embeddings while training (Jain et al. 2023, arXiv:2310.05914, algorithm 1).

transformers' hook takes the row's width as the length; in a flat batch that is all samples together, and the noise would
shrink with the batch. Here the length is each sample's own, so flat and padded batches get the same noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


def noise_bound(alpha: float, inputs: dict[str, Any], shape: torch.Size, device: torch.device) -> torch.Tensor:
    """``alpha / sqrt(T · C)`` for each token, with T the tokens of its sample; 0 on padding.  # (B, T, 1)"""
    rows, width, channels = shape
    if inputs.get("cu_seqlens") is not None:
        lengths = inputs["cu_seqlens"].diff().to(device)
        per_token = torch.repeat_interleave(lengths, lengths, output_size=width).view(1, width, 1)
        return alpha / (per_token * channels).sqrt()
    mask = inputs.get("attention_mask")
    mask = torch.ones(rows, width, device=device) if mask is None else mask.to(device)
    lengths = mask.sum(1, keepdim=True).clamp(min=1)  # (B, 1)
    return (alpha / (lengths * channels).sqrt() * mask).unsqueeze(-1)


@contextmanager
def noisy_embeddings(model: Any, alpha: float | None) -> Iterator[None]:
    """While open, the input embeddings of `model` are noisy in training mode; without `alpha` nothing changes."""
    if not alpha:
        yield
        return
    current: dict[str, Any] = {}

    def remember(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        current.clear()
        current.update(kwargs)

    def add_noise(module: torch.nn.Module, args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        if not model.training:
            return output
        bound = noise_bound(alpha, current, output.shape, output.device).to(output.dtype)
        return output + torch.empty_like(output).uniform_(-1, 1) * bound

    handles = [
        model.register_forward_pre_hook(remember, with_kwargs=True),
        model.get_input_embeddings().register_forward_hook(add_noise),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
