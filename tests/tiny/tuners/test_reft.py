"""ReFT: the six formulas of the paper, which tokens are edited in every form of a batch, and that answers follow training."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
from proof import IDS, LABELS, check_the_same, logits, loud, memorise, move, num_trained, run_twice, saved

import swift.tuners
from swift.kernels.attention import register
from swift.kernels.head import SelectedLoss
from swift.llm.core import Sampling
from swift.llm.engine.protocol import GenerateRequest
from swift.llm.engine.pt import PtEngine
from swift.llm.plan.plans import TunerPlan
from swift.tuners.reft.config import INTERVENTIONS
from swift.tuners.reft.module import Intervention
from swift.utils.errors import CheckpointError, NotBuiltError, PlanError

CONSTANT = ("ConsreftIntervention", "LobireftIntervention")


def reft(**options: Any) -> TunerPlan:
    named = {f"reft_{name}": value for name, value in options.items()}
    return TunerPlan(sft_type="reft", code="swift.tuners.reft.tuner:ReftTuner", options=named)


def at(positions: str, **more: Any) -> TunerPlan:
    return reft(args={"positions": positions}, **more)


def gram_schmidt(basis: torch.Tensor) -> torch.Tensor:
    """Orthonormal rows (r, C) from columns (C, r)."""
    rows: list[torch.Tensor] = []
    for column in basis.T:
        rest = column - sum((row * (row @ column) for row in rows), torch.zeros_like(column))
        rows.append(rest / rest.norm())
    return torch.stack(rows)


def naive(one: Intervention, h: torch.Tensor) -> torch.Tensor:
    """The paper's formula for a single hidden state (C,)."""
    free, rows, b = one.basis.T, gram_schmidt(one.basis), one.bias
    w = one.source
    match one.kind:
        case "LoreftIntervention":
            return h + rows.T @ (w @ h + b - rows @ h)
        case "NoreftIntervention":
            return h + free.T @ (w @ h + b - free @ h)
        case "ConsreftIntervention":
            return h + rows.T @ (b - rows @ h)
        case "LobireftIntervention":
            return h + rows.T @ b
        case "DireftIntervention":
            return h + rows.T @ (w @ h + b)
        case _:
            return h + free.T @ (w @ h + b)


def moved(kind: str, width: int = 7, rank: int = 3, **more: Any) -> Intervention:
    torch.manual_seed(0)
    one = Intervention(kind, width, rank, **more).double()
    for parameter in one.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return one


@pytest.mark.parametrize("kind", INTERVENTIONS)
def test_formula_and_gradients(kind: str) -> None:
    one = moved(kind)
    hidden = torch.randn(4, 7, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(one(hidden), torch.stack([naive(one, h) for h in hidden]), atol=1e-12)
    names = [name for name, _ in one.named_parameters()]

    def edit(hidden: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(one, dict(zip(names, values, strict=True)), (hidden,))

    assert torch.autograd.gradcheck(edit, (hidden, *one.parameters()))


def test_an_activation_works_on_the_source_alone() -> None:
    one = moved("LoreftIntervention", act=torch.nn.ReLU())
    hidden = torch.randn(4, 7, dtype=torch.float64)
    rows = gram_schmidt(one.basis)
    wanted = hidden + (torch.relu(hidden @ one.source.T + one.bias) - hidden @ rows.T) @ rows
    assert torch.allclose(one(hidden), wanted, atol=1e-12)


def test_rows_stay_orthonormal_whatever_the_optimiser_does() -> None:
    one = moved("LoreftIntervention")
    optimizer = torch.optim.AdamW(one.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        one(torch.randn(4, 7, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    rows = one.projection().T
    assert torch.allclose(rows @ rows.T, torch.eye(3, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("kind", INTERVENTIONS)
@pytest.mark.parametrize(
    ("positions", "tied", "ends"), [("f5+l5", False, 2), ("f2+l2", True, 1), ("l1", False, 1), ("all", False, 1)]
)
def test_number_of_parameters_and_start(
    kind: str, positions: str, tied: bool, ends: int, make_model: Callable[..., Any]
) -> None:
    wanted = logits(make_model())
    plan = reft(intervention_type=kind, rank=3, layers=(0, -1), args={"positions": positions, "tied": tied})
    model = swift.tuners.attach(plan, make_model())
    assert num_trained(model) == 2 * ends * ((1 if kind in CONSTANT else 2) * 3 * 32 + 3)
    assert torch.equal(logits(model), wanted) == (kind != "ConsreftIntervention")


@pytest.mark.parametrize("kind", INTERVENTIONS)
def test_only_interventions_learn_and_the_loss_falls(kind: str, make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(at("f2+l2", rank=8, intervention_type=kind), loud(make_model()))
    first, last, changed = memorise(model, rate=5e-2, steps=100)
    # four edited tokens reach the answers through attention alone; LobiReFT's edit is the same in both rows
    assert last < (0.65 if kind == "LobireftIntervention" else 0.4) * first
    # nothing reads what the last layer gives at the first tokens
    assert changed == {
        name for name, _ in model.named_parameters() if name.startswith("reft.") and ".1.first." not in name
    }


def edited_places(model: Any, ids: torch.Tensor, **given: Any) -> list[list[int]]:
    """Which tokens of each row leave the first layer otherwise than they leave the base's."""
    seen: list[torch.Tensor] = []
    handles = [
        model.model.layers[0].register_forward_hook(lambda layer, args, output: seen.append(output), prepend=True),
        model.model.layers[0].register_forward_hook(lambda layer, args, output: seen.append(output)),
    ]
    logits(model, ids, **given)
    for handle in handles:
        handle.remove()
    return [row.nonzero()[:, 0].tolist() for row in (seen[0] != seen[1]).any(-1)]


def test_the_ends_of_each_prompt_are_edited_and_nothing_else(make_model: Callable[..., Any]) -> None:
    model = move(swift.tuners.attach(at("f2+l1"), make_model()))
    row = torch.arange(3, 15)[None]
    assert edited_places(model, row) == [[0, 1, 11]]
    labels = torch.where(torch.arange(12) < 5, -100, row)
    assert edited_places(model, row, labels=labels) == [[0, 1, 4]]
    bounds = {"cu_seqlens": torch.tensor([0, 4, 12], dtype=torch.int32)}
    positions = {"position_ids": torch.tensor([[*range(4), *range(8)]])}
    for flat in (bounds | positions, positions):
        assert edited_places(model, row, **flat) == [[0, 1, 3, 4, 5, 11]]
        assert edited_places(model, row, prompt_lengths=torch.tensor([2, 5]), **flat) == [[0, 1, 4, 5, 8]]
    rows = torch.arange(3, 15).reshape(2, 6)
    right, left = torch.tensor([[1] * 6, [1] * 4 + [0] * 2]), torch.tensor([[1] * 6, [0] * 2 + [1] * 4])
    assert edited_places(model, rows, attention_mask=right) == [[0, 1, 5], [0, 1, 3]]
    assert edited_places(model, rows, attention_mask=left) == [[0, 1, 5], [2, 3, 5]]
    every = move(swift.tuners.attach(at("all"), make_model()))
    assert edited_places(every, row, labels=labels) == [[*range(12)]]


def flat_batch() -> dict[str, Any]:
    """Both rows of `IDS`, cut to 10 and 7 tokens, end to end."""
    return {
        "input_ids": torch.cat([IDS[0], IDS[1, :7]])[None],
        "labels": torch.cat([LABELS[0], LABELS[1, :7]])[None],
        "position_ids": torch.tensor([[*range(10), *range(7)]]),
        "cu_seqlens": torch.tensor([0, 10, 17], dtype=torch.int32),
        "max_seqlen": 10,
    }


def test_a_flat_batch_trains_what_its_samples_train_alone(make_model: Callable[..., Any]) -> None:
    grads = []
    for batches in (
        [flat_batch()],
        [{"input_ids": IDS[:1], "labels": LABELS[:1]}, {"input_ids": IDS[1:, :7], "labels": LABELS[1:, :7]}],
    ):
        model = move(swift.tuners.attach(reft(args={"positions": "f2+l2"}), loud(make_model())))
        model.set_attn_implementation(register())
        loss = SelectedLoss(model)
        total = torch.stack([loss(model, batch).total for batch in batches]).sum()
        total.backward()
        grads.append(
            {name: p.grad for name, p in model.named_parameters() if p.requires_grad} | {"loss": total.detach()}
        )
    assert all(torch.allclose(grads[0][name], grads[1][name], atol=1e-5) for name in grads[0])
    # nothing reads what the last layer gives at the first tokens
    assert {name for name, value in grads[0].items() if not value.any()} == {
        f"reft.layers.1.first.{n}" for n in ("basis", "bias", "source")
    }


def test_gradient_checkpointing_recomputes_the_same(make_model: Callable[..., Any]) -> None:
    grads = []
    for recompute in (False, True):
        model = move(swift.tuners.attach(at("f2+l2"), loud(make_model()))).train()
        if recompute:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model(IDS, labels=LABELS).loss.backward()
        grads.append([p.grad for p in model.parameters() if p.requires_grad])
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


@pytest.mark.parametrize("positions", ["f3+l2", "all"])
def test_the_engine_edits_what_training_edits(positions: str, make_model: Callable[..., Any]) -> None:
    """Prompts in pieces, several requests a step: the same answers as generate's, and as one forward over prompt and answer."""
    model = move(swift.tuners.attach(at(positions), loud(make_model())))
    prompts = [IDS[0].tolist(), IDS[1, :6].tolist(), [5, 9]]
    with PtEngine(model, max_batch=3, max_step_tokens=4, max_cached_tokens=24) as engine:
        assert engine.is_batching
        sampling = Sampling(max_new_tokens=8, do_sample=False)
        answers = engine.generate_batch(
            [GenerateRequest(id=str(n), prompt=tuple(p), sampling=sampling) for n, p in enumerate(prompts)]
        )
    for prompt, answer in zip(prompts, answers, strict=True):
        with torch.no_grad():
            alone = model.generate(torch.tensor([prompt]), max_new_tokens=8, do_sample=False, eos_token_id=None)
        assert answer == alone[0, len(prompt) :].tolist()
        whole = torch.tensor([[*prompt, *answer]])
        labels = torch.where(torch.arange(whole.shape[1]) < len(prompt), -100, whole)
        trained = logits(model, whole, labels=labels)[0, len(prompt) - 1 : -1]
        assert trained.argmax(-1).tolist() == answer
    assert answers != [
        make_model().generate(torch.tensor([p]), max_new_tokens=8, do_sample=False)[0, len(p) :].tolist()
        for p in prompts
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", INTERVENTIONS)
def test_saved_and_loaded_it_is_the_same(
    kind: str, dtype: torch.dtype, make_model: Callable[..., Any], tmp_path: Path
) -> None:
    plan = reft(intervention_type=kind, rank=2, layers=[1], args={"positions": "f1+l3"})
    model = move(swift.tuners.attach(plan, make_model(dtype=dtype)))
    folder = saved(plan, model, tmp_path / "a")
    loaded = swift.tuners.load(reft(), make_model(dtype=dtype), folder)  # the settings are the file's own
    assert torch.equal(logits(loaded), logits(model))
    assert not torch.equal(logits(loaded), logits(make_model(dtype=dtype)))
    assert num_trained(loaded) == 0
    again = swift.tuners.load(reft(), make_model(dtype=dtype), folder, trainable=True)
    assert num_trained(again) == num_trained(model)
    assert (saved(reft(), again, tmp_path / "b") / "adapter_config.json").read_text() == (
        folder / "adapter_config.json"
    ).read_text()


def test_what_cannot_be_is_told(make_model: Callable[..., Any], tmp_path: Path) -> None:
    for options, message in (
        ({"rank": 0}, "--reft_rank 0"),
        ({"rank": 33}, "the model is 32 wide"),
        ({"layers": (2,)}, "--reft_layers 2: the model has layers 0 to 1"),
        ({"layers": ()}, "names no layer"),
        ({"layer_key": "model.blocks"}, "--reft_layer_key model.blocks: .*model.layers"),
        ({"args": {"position": "l1"}}, "Did you mean positions"),
        ({"args": {"positions": "l"}}, "--reft_args positions 'l'"),
        ({"args": {"positions": "f0"}}, "--reft_args positions 'f0'"),
        ({"args": {"dropout": 1}}, "--reft_args dropout 1"),
        ({"args": {"tied": "yes"}}, "is true or false"),
        ({"args": {"act_fn": "gelo"}}, "Near: gelu"),
        ({"intervention_type": "LobireftIntervention", "args": {"act_fn": "gelu"}}, "Leave it out"),
    ):
        with pytest.raises(PlanError, match=message):
            swift.tuners.attach(reft(**options), make_model())
    model = swift.tuners.attach(reft(layer_key="model.layers"), make_model())
    with pytest.raises(NotBuiltError, match="cannot be merged"):
        swift.tuners.open_tuner(reft()).merge(model)
    with pytest.raises(CheckpointError, match="holds no adapter"):
        swift.tuners.load(reft(), make_model(), tmp_path)


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(model_folder: Path, tmp_path: Path) -> None:
    check_the_same(*run_twice(model_folder, tmp_path, sft_type="reft", reft_rank=2, reft_args={"dropout": 0.1}))
