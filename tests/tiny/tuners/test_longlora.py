"""LongLoRA: attention in shifted groups against the mask that says the same, only in training; the rest is LoRA."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel

sys.path.insert(0, str(Path(__file__).parent))
from proof import IDS, LABELS, check_the_same, logits, loud, memorise, move, num_trained, run_twice, saved

import swift.tuners
from swift.kernels.head import SelectedLoss
from swift.kernels.shifted import group_bounds, shifted_attention
from swift.llm.engine.pt import PtEngine
from swift.llm.plan.plans import TunerPlan
from swift.utils.errors import ModelError


def longlora(group: int | None = 4, *saved_too: str, **options: Any) -> TunerPlan:
    return TunerPlan(
        sft_type="longlora", code="swift.tuners.longlora.tuner:LongLoraTuner", target_modules=("q_proj", "v_proj"),
        modules_to_save=saved_too, options={"lora_rank": 4, "lora_dropout": 0.0, **options, "group_size": group},
    )  # fmt: skip


def in_group(length: int, group: int, *, shifted: bool) -> torch.Tensor:
    """The paper's rule, token by token (T, T): the same group and not ahead; shifted groups begin half a group later.

    What the shift carries around the end of the sequence is masked: its tokens see only their own side.
    """
    half = group // 2 if shifted and length > group else 0
    number = [(t - half) // group for t in range(length)]
    return torch.tensor([[number[k] == number[q] and k <= q for k in range(length)] for q in range(length)])


@pytest.mark.parametrize(("heads", "kept"), [(4, 4), (4, 2), (4, 1), (6, 3), (1, 1)])
@pytest.mark.parametrize("group", [1, 4, 5, 100])
def test_the_papers_attention(group: int, heads: int, kept: int) -> None:
    torch.manual_seed(0)
    lengths = [13, 1, 4, 8]
    total = sum(lengths)
    q = torch.randn(1, heads, total, 8)
    k, v = torch.randn(2, 1, kept, total, 8)
    bounds = torch.tensor([0, 13, 14, 18, 26], dtype=torch.int32)
    found = shifted_attention(q, k, v, bounds, group)  # (1, T, H, D)
    k, v = (x.repeat_interleave(heads // kept, 1) for x in (k, v))
    start = 0
    for length in lengths:
        for head in range(heads):
            mask = in_group(length, group, shifted=head >= heads // 2)
            part = slice(start, start + length)
            scores = (q[0, head, part].double() @ k[0, head, part].double().T) / 8**0.5
            wanted = scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v[0, head, part].double()
            assert torch.allclose(found[0, part, head].double(), wanted, atol=1e-5)
        start += length


def test_gradients() -> None:
    torch.manual_seed(0)
    bounds = torch.tensor([0, 5, 7], dtype=torch.int32)
    q, k, v = (torch.randn(1, 2, 7, 4, requires_grad=True) for _ in range(3))
    weights = torch.randn(1, 7, 2, 4)
    (shifted_attention(q, k, v, bounds, 2) * weights).sum().backward()
    step = 1e-2
    for x in (q, k, v):
        for index in ((0, 0, 1, 2), (0, 1, 3, 0), (0, 1, 6, 1)):
            ends = []
            for sign in (1, -1):
                given = [y.detach().clone() for y in (q, k, v)]
                given[[y is x for y in (q, k, v)].index(True)][index] += sign * step
                ends.append(float((shifted_attention(*given, bounds, 2) * weights).double().sum()))
            assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(float(x.grad[index]), abs=2e-3)


def test_groups_lie_inside_samples() -> None:
    bounds = torch.tensor([0, 10, 12, 20])
    assert group_bounds(bounds, 4, shift=False).tolist() == [0, 4, 8, 10, 12, 16, 20]
    assert group_bounds(bounds, 4, shift=True).tolist() == [0, 2, 6, 10, 12, 14, 18, 20]
    assert group_bounds(bounds, None, shift=False).tolist() == [0, 3, 6, 9, 10, 11, 12, 14, 16, 18, 20]


def test_it_trains_in_groups_and_answers_in_full(make_model: Callable[..., Any]) -> None:
    base = loud(make_model())
    wanted = logits(base)
    model = swift.tuners.attach(longlora(4), base)
    assert torch.equal(logits(model.eval()), wanted)
    grouped = logits(model.train())
    assert torch.allclose(grouped[:, :2], wanted[:, :2], atol=1e-5)  # two tokens are in one group of either kind
    assert not torch.allclose(grouped[:, 5:], wanted[:, 5:], atol=1e-2)
    assert torch.allclose(logits(swift.tuners.attach(longlora(10), loud(make_model())).train()), wanted, atol=1e-5)
    with PtEngine(model) as engine:
        assert engine.is_batching
    assert torch.equal(logits(model.train()), grouped)
    with pytest.raises(ModelError, match="flat batches only"):
        logits(model, attention_mask=torch.tensor([[1] * 10, [1] * 8 + [0] * 2]))


def test_flat_samples_train_as_they_do_alone(make_model: Callable[..., Any]) -> None:
    losses = []
    flat = {
        "input_ids": IDS.reshape(1, 20), "labels": LABELS.reshape(1, 20), "position_ids": torch.arange(10).repeat(2)[None],
        "cu_seqlens": torch.tensor([0, 10, 20], dtype=torch.int32), "max_seqlen": 10,
    }  # fmt: skip
    for batches in ([flat], [{"input_ids": IDS[n : n + 1], "labels": LABELS[n : n + 1]} for n in range(2)]):
        model = move(swift.tuners.attach(longlora(4), loud(make_model()))).train()
        loss = SelectedLoss(model)
        total = torch.stack([loss(model, batch).total for batch in batches]).sum()
        total.backward()
        losses.append([total.detach(), *(p.grad for p in model.parameters() if p.requires_grad)])
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(*losses, strict=True))


def test_factors_embeddings_and_norms_learn(make_model: Callable[..., Any]) -> None:
    base = loud(make_model())
    norms = 5 * 32
    factors = 2 * (4 * (32 + 32) + 4 * (32 + 16))
    model = swift.tuners.attach(longlora(100), base)
    assert num_trained(model) == factors + 61 * 32 + norms
    first, last, changed = memorise(model, rate=2e-2)
    assert last < 0.25 < 4 < first
    assert changed == {name for name, p in model.named_parameters() if p.requires_grad}
    assert all("lora_" in name or "modules_to_save" in name for name in changed)
    more = swift.tuners.attach(longlora(100, "lm_head"), make_model())
    assert num_trained(more) == num_trained(model) + 61 * 32


@pytest.mark.parametrize("tied", [False, True])
def test_a_checkpoint_is_plain_lora(tied: bool, make_model: Callable[..., Any], tmp_path: Path) -> None:
    model = move(swift.tuners.attach(longlora(4), make_model(tied=tied)))
    folder = saved(longlora(4), model, tmp_path / "a")
    assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
    loaded = swift.tuners.load(longlora(4), make_model(tied=tied), folder)
    assert torch.equal(logits(loaded), logits(model))
    assert loaded.config._attn_implementation == "sdpa"
    again = swift.tuners.load(longlora(4), make_model(tied=tied), folder, trainable=True)
    assert torch.equal(logits(again.train()), logits(model.train()))
    assert num_trained(again) == num_trained(model)
    model.eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings")
        plain = PeftModel.from_pretrained(make_model(tied=tied), str(folder)).eval()
    assert torch.equal(logits(plain), logits(model))
    merged = swift.tuners.open_tuner(longlora(4)).merge(loaded)
    assert torch.allclose(logits(merged), logits(model), atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
def test_what_is_trained_is_fp32_beside_half_precision(
    tied: bool, make_model: Callable[..., Any], tmp_path: Path
) -> None:
    def base() -> Any:
        return make_model(tied=tied, dtype=torch.bfloat16)

    wanted = logits(base())
    model = swift.tuners.attach(longlora(4), base())
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert torch.allclose(logits(model.eval()).float(), wanted.float(), atol=1e-2)
    move(model)
    folder = saved(longlora(4), model, tmp_path / "a")
    again = swift.tuners.load(longlora(4), base(), folder, trainable=True)
    pairs = zip(model.named_parameters(), again.named_parameters(), strict=True)
    assert all(torch.equal(p, q) and p.dtype == q.dtype for (_, p), (_, q) in pairs)
    assert num_trained(again) == num_trained(model)
    answering = swift.tuners.load(longlora(4), base(), folder)
    assert torch.allclose(logits(answering).float(), logits(model).float(), atol=0.2)
    with PtEngine(model) as engine:
        assert engine.is_batching


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(model_folder: Path, tmp_path: Path) -> None:
    straight, again = run_twice(model_folder, tmp_path, sft_type="longlora", lora_rank=2)
    check_the_same(straight, again)
    assert json.loads((straight / "plan.json").read_text())["tuner"]["options"]["group_size"] == 16
