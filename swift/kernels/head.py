"""Cross entropy at trained positions only: no other row meets the head, and the batch's logits never exist at once.

A hook before the head (torch's own ``register_forward_pre_hook``) takes the hidden states out of the model's forward and
leaves it zero rows to multiply. Loss and gradients of the rows that count are then made in chunks, in one pass, so that
nothing is computed twice. The first batch checks that this gives what the model's own head gives; where it does not, or
where the head is no plain linear layer, the chosen rows go through the model's own head. Knows no trainer.

Alphabet: ``B`` batch, ``T`` tokens of a row, ``n`` trained positions of the batch, ``C`` model width, ``V`` vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from swift.utils.errors import ModelError
from swift.utils.log import logger

__all__ = ["SelectedLoss", "TokenLosses", "chunked_cross_entropy"]

_NOT_FOR_THE_MODEL = frozenset({"labels", "loss_scale"})
_CPU_CHUNK_BYTES = 64 << 20  # fp32 logits of one chunk; larger ones leave the cache, smaller ones starve the matmul


@dataclass(frozen=True, slots=True)
class TokenLosses:
    """The loss of one batch. ``total`` is the (weighted) sum over trained tokens, fp32, with gradient; not divided.

    ``positions`` (n,) are indices into the flattened (B·T) batch of the predicted tokens; ``nll`` (n,) fp32 their losses
    (unweighted) and ``correct`` (n,) bool whether the most likely token was the label, both without gradient.
    """

    total: torch.Tensor
    positions: torch.Tensor
    nll: torch.Tensor
    correct: torch.Tensor

    @property
    def num_tokens(self) -> int:
        """How many tokens carry loss."""
        return self.positions.shape[0]


@dataclass(frozen=True, slots=True)
class _Head:
    """What turns hidden states into logits: ``softcap(scale · (weight @ h + bias))``."""

    linear: nn.Linear
    scale: float
    softcap: float | None


class SelectedLoss:
    """The causal language model loss of a model, made once for a run and called with each batch.

    ``tokens_per_chunk`` bounds how many rows of logits exist at once.
    """

    def __init__(self, model: nn.Module, *, tokens_per_chunk: int = 4096) -> None:
        self._tokens_per_chunk = tokens_per_chunk
        self._output = _output_embeddings(model)
        self._head = _plain_head(model, self._output)
        self._checked = False
        # A module inside the model may want to know of a batch what the model's own forward is not given.
        self._readers: list[Any] = [module for module in model.modules() if hasattr(module, "batch_inputs")]
        if self._head is None:
            logger.info(
                "the head of %s is no plain linear layer: its own code makes the logits, all trained rows at once",
                _name(model),
            )

    @property
    def is_chunked(self) -> bool:
        """Whether logits are made here, in chunks; False: by the model's own head, for all chosen rows at once."""
        return self._head is not None

    def __call__(self, model: nn.Module, batch: Mapping[str, Any]) -> TokenLosses:
        """Run ``model`` (wrapped or not) on the batch and return the losses of its trained tokens.

        ``batch["labels"]`` (B, T) holds the token at each place, -100 where it is not trained; ``loss_scale`` (B, T) or
        absent. The other keys are the model's. A module inside it with a method ``batch_inputs(batch)`` adds arguments.
        """
        labels = batch["labels"]
        rows, targets, positions = select(labels)
        length = labels.shape[1]
        scale = batch.get("loss_scale")
        weights = None if scale is None else scale.reshape(-1).index_select(0, positions).float()
        inputs = {name: value for name, value in batch.items() if name not in _NOT_FOR_THE_MODEL}
        for reader in self._readers:
            inputs |= reader.batch_inputs(batch)

        if self._head is None:
            return self._through_model(model, inputs, rows, targets, positions, weights, length)
        if not self._checked:
            self._check(model, inputs, rows, length)
            if self._head is None:
                return self._through_model(model, inputs, rows, targets, positions, weights, length)
        tap = _Tap(self._output, length)
        with tap:
            model(**inputs, use_cache=False)
        hidden = tap.hidden.reshape(-1, tap.hidden.shape[-1]).index_select(0, rows)  # (n, C)
        total, nll, correct = chunked_cross_entropy(
            hidden, self._head.linear.weight, targets, bias=self._head.linear.bias, weights=weights,
            scale=self._head.scale, softcap=self._head.softcap, compute_dtype=tap.dtype,
            tokens_per_chunk=self._tokens_per_chunk,
        )  # fmt: skip
        return TokenLosses(total, positions, nll, correct)

    @torch.no_grad()
    def _check(self, model: nn.Module, inputs: Mapping[str, Any], rows: torch.Tensor, length: int) -> None:
        """Compare four rows of logits with the model's own, once; a difference switches to the model's head."""
        self._checked = True
        assert self._head is not None
        sample = rows[:4] if len(rows) else torch.zeros(1, dtype=torch.long, device=rows.device)
        tap = _Tap(self._output, length, sample)
        was_training = model.training
        model.eval()  # no dropout, and no random numbers used up
        try:
            with tap:
                wanted = model(**inputs, use_cache=False).logits
        finally:
            model.train(was_training)
        if not tap.fired:
            logger.info("%s does not call its head: all its logits are made, trained or not", _name(model))
            self._head = None
            return
        hidden = tap.hidden.reshape(-1, tap.hidden.shape[-1]).index_select(0, sample).to(tap.dtype)
        bias = self._head.linear.bias
        logits = F.linear(
            hidden, self._head.linear.weight.to(tap.dtype), None if bias is None else bias.to(tap.dtype)
        ).float()
        logits = _post(logits, self._head.scale, self._head.softcap)
        wanted = wanted.reshape(-1, wanted.shape[-1]).float()
        tolerance = 1e-4 if tap.dtype == torch.float32 else 3e-2
        bound = tolerance * max(float(wanted.abs().max()), 1.0)
        if wanted.shape != logits.shape or not float((wanted - logits).abs().max()) <= bound:
            logger.info(
                "the head of %s does more than a matrix product: its own code makes the logits, all trained rows at once",
                _name(model),
            )
            self._head = None

    def _through_model(
        self,
        model: nn.Module,
        inputs: Mapping[str, Any],
        rows: torch.Tensor,
        targets: torch.Tensor,
        positions: torch.Tensor,
        weights: torch.Tensor | None,
        length: int,
    ) -> TokenLosses:
        """The chosen rows through the model's own head: n x V logits exist."""
        tap = _Tap(self._output, length, rows)
        with tap:
            logits = model(**inputs, use_cache=False).logits
        if not tap.fired:  # the head's weight is used without calling the head
            logits = logits[:, -length:]
        logits = logits.reshape(-1, logits.shape[-1])
        if not tap.fired:
            logits = logits.index_select(0, rows)
        logits = logits.float()  # (n, V)
        nll = F.cross_entropy(logits, targets, reduction="none")  # (n,)
        total = (nll if weights is None else nll * weights).sum()
        return TokenLosses(total, positions, nll.detach(), logits.detach().argmax(-1) == targets)


def select(labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """From labels (B, T): flat indices (n,) of the hidden states that predict, their targets (n,), and the targets' places (n,).

    The state at t-1 predicts the token at t; the first token of a row is never predicted.
    """
    length = labels.shape[1]
    trained = labels[:, 1:] != -100  # (B, T-1)
    row, column = trained.nonzero(as_tuple=True)
    rows = row * length + column
    positions = rows + 1
    return rows, labels.reshape(-1).index_select(0, positions), positions


def chunked_cross_entropy(
    hidden: torch.Tensor,  # (n, C)
    weight: torch.Tensor,  # (V, C)
    targets: torch.Tensor,  # (n,)
    *,
    bias: torch.Tensor | None = None,
    weights: torch.Tensor | None = None,
    scale: float = 1.0,
    softcap: float | None = None,
    compute_dtype: torch.dtype | None = None,
    tokens_per_chunk: int = 4096,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Weighted sum of cross entropies (fp32, differentiable in hidden, weight and bias), and nll (n,), correct (n,).

    Matrix products run in ``compute_dtype``, the softmax in fp32. Gradients are made in the forward pass, chunk by chunk;
    the head's only where it is trained. ``weights`` (n,) scale single tokens.
    """
    chunk = tokens_per_chunk
    if hidden.device.type == "cpu":
        chunk = min(chunk, max(_CPU_CHUNK_BYTES // (4 * weight.shape[0]), 64))
    with_grad = torch.is_grad_enabled()
    spec = _Spec(scale, softcap, compute_dtype or hidden.dtype, chunk, with_grad)
    with torch.autocast(hidden.device.type, enabled=False):  # the dtypes are ours here
        total, nll, correct = _ChunkedCrossEntropy.apply(hidden, weight, bias, targets, weights, spec)  # type: ignore[no-untyped-call]
    return total, nll, correct


@dataclass(frozen=True, slots=True)
class _Spec:
    scale: float
    softcap: float | None
    dtype: torch.dtype
    chunk: int
    with_grad: bool


class _ChunkedCrossEntropy(torch.autograd.Function):
    """d loss / d logits = weight · (softmax - one_hot), known as soon as the logits are: no second pass is needed."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        weights: torch.Tensor | None,
        spec: _Spec,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        num = hidden.shape[0]
        need_hidden, need_weight, need_bias = (spec.with_grad and need for need in ctx.needs_input_grad[:3])
        w = weight.detach().to(spec.dtype)  # (V, C)
        b = None if bias is None else bias.detach().to(spec.dtype)
        nll = torch.empty(num, dtype=torch.float32, device=hidden.device)
        correct = torch.empty(num, dtype=torch.bool, device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if need_hidden else None  # (n, C)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if need_weight else None  # (V, C)
        grad_bias = torch.zeros_like(bias, dtype=torch.float32) if need_bias and bias is not None else None  # (V,)

        for start in range(0, num, spec.chunk):
            part = slice(start, start + spec.chunk)
            h, t = hidden[part].to(spec.dtype), targets[part, None]
            logits = _post(F.linear(h, w, b).float(), spec.scale, spec.softcap)  # (chunk, V)
            log_probs = torch.log_softmax(logits, dim=-1)  # (chunk, V)
            nll[part] = -log_probs.gather(1, t)[:, 0]
            correct[part] = logits.argmax(-1) == targets[part]
            if not (need_hidden or need_weight or need_bias):
                continue
            grad = log_probs.exp_()  # in place: the largest tensor of the step
            grad.scatter_add_(1, t, grad.new_full((1, 1), -1.0).expand_as(t))
            if weights is not None:
                grad *= weights[part, None]
            if spec.softcap is not None:
                grad *= 1 - (logits / spec.softcap) ** 2  # d c·tanh(x/c) / dx
            if spec.scale != 1.0:
                grad *= spec.scale
            del logits
            if grad_bias is not None:
                grad_bias += grad.sum(0)
            grad = grad.to(spec.dtype)
            if grad_hidden is not None:
                grad_hidden[part] = grad @ w
            if grad_weight is not None:
                _accumulate(grad_weight, grad, h)

        ctx.grads = (grad_hidden, grad_weight, grad_bias)
        ctx.dtypes = (hidden.dtype, weight.dtype, None if bias is None else bias.dtype)
        ctx.mark_non_differentiable(nll, correct)
        ctx.set_materialize_grads(False)
        total = (nll if weights is None else nll * weights).sum()
        return total, nll, correct

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_total: torch.Tensor | None, *_: Any) -> tuple[torch.Tensor | None, ...]:
        grads, ctx.grads = ctx.grads, None
        if grads is None:
            raise RuntimeError("the gradients of this loss were used up by an earlier backward pass")
        if grad_total is None:
            return (None,) * 6
        scaled = (
            None if grad is None else grad.mul_(grad_total).to(dtype)
            for grad, dtype in zip(grads, ctx.dtypes, strict=True)
        )
        return (*scaled, None, None, None)


def _accumulate(grad_weight: torch.Tensor, grad: torch.Tensor, hidden: torch.Tensor) -> None:
    """``grad_weight += gradᵀ @ hidden`` in fp32."""
    if grad.dtype == torch.float32:
        grad_weight.addmm_(grad.t(), hidden)
    else:
        grad_weight += grad.t() @ hidden


def _post(logits: torch.Tensor, scale: float, softcap: float | None) -> torch.Tensor:
    """Scale and cap logits in place."""
    if scale != 1.0:
        logits.mul_(scale)
    if softcap is not None:
        logits.div_(softcap).tanh_().mul_(softcap)
    return logits


class _Tap:
    """While open, keeps what goes into the head, and lets ``rows`` of it (none by default) go on.

    Of each row of the batch these are the last ``length`` states: a tuning method may put virtual tokens before them.
    ``dtype`` is what a matrix product would run in there: autocast's where it is on.
    """

    def __init__(self, head: nn.Module, length: int, rows: torch.Tensor | None = None) -> None:
        self._head, self._length, self._rows = head, length, rows
        self._hidden: torch.Tensor | None = None
        self.dtype = torch.float32

    @property
    def fired(self) -> bool:
        """Whether the head was called."""
        return self._hidden is not None

    @property
    def hidden(self) -> torch.Tensor:
        """The hidden states, as the head got them (B, T, C). Raises ModelError if it was never called."""
        if self._hidden is None:
            raise ModelError("the model's forward did not call its output embeddings, so its loss cannot be taken")
        return self._hidden

    def __enter__(self) -> _Tap:
        self._handle = self._head.register_forward_pre_hook(self._take)
        return self

    def __exit__(self, *exc: object) -> None:
        self._handle.remove()

    def _take(self, module: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden = args[0] if args[0].ndim < 3 else args[0][:, -self._length :]
        device = hidden.device.type
        self._hidden = hidden
        self.dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        if self._rows is None:
            return (hidden.narrow(-2, 0, 0), *args[1:])
        chosen = hidden.reshape(-1, hidden.shape[-1]).index_select(0, self._rows)
        return (chosen.unsqueeze(0), *args[1:])  # (1, rows, C)


def _output_embeddings(model: nn.Module) -> nn.Module:
    head = _unwrapped(model).get_output_embeddings()  # type: ignore[operator]
    if head is None:
        raise ModelError(f"{_name(model)} has no output embeddings: it is not a causal language model")
    return head  # type: ignore[no-any-return]


def _unwrapped(model: nn.Module) -> nn.Module:
    """The model inside DistributedDataParallel and its like, whose ``module`` it is."""
    while not hasattr(model, "get_output_embeddings"):
        model = model.module  # type: ignore[assignment]
    return model


def _name(model: nn.Module) -> str:
    return type(_unwrapped(model)).__name__


def _plain_head(model: nn.Module, output: nn.Module) -> _Head | None:
    """The head as weight, scale and cap; None if it is more than a linear layer (adapter, quantised, sharded)."""
    linear: Any = output
    if hasattr(linear, "modules_to_save") and hasattr(linear, "active_adapters"):  # peft trains a copy of the head
        if len(linear.active_adapters) != 1:
            return None
        linear = linear.modules_to_save[linear.active_adapters[0]]
    if type(linear) is not nn.Linear or hasattr(linear.weight, "ds_id") or type(linear.weight) is not nn.Parameter:
        return None
    unwrapped: Any = _unwrapped(model)
    config = unwrapped.config.get_text_config()
    scale = getattr(config, "logit_scale", None)
    divisor = getattr(config, "logits_scaling", None)
    factor = (1.0 if scale is None else float(scale)) / (1.0 if divisor is None else float(divisor))
    return _Head(linear, factor, getattr(config, "final_logit_softcapping", None))
