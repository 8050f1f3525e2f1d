"""Every method of peft in one table: what it trains, that it learns, and that it survives saving, loading and merging."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import swift.tuners
from swift.tuners.preview import preview
from swift.utils.errors import PlanError

sys.path.insert(0, str(Path(__file__).parent))
from methods import CASES, SHAPES, Case, logits, memorise, move, num_trained


@pytest.fixture(params=CASES, autouse=True)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices of this size are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def lively(make_model: Callable[..., Any]) -> Callable[..., Any]:
    """The tiny model with larger weights: its head can tell tokens apart, and every layer matters."""

    def make(**options: Any) -> Any:
        model = make_model(**options)
        with torch.no_grad():
            for parameter in {model.lm_head.weight, model.model.embed_tokens.weight}:
                parameter *= 20
            for parameter in model.model.layers.parameters():
                parameter *= 4 if parameter.ndim > 1 else 1
        return model

    return make


def plain_peft(model: Any, folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r".*tie_word_embeddings|.*zero-element|.*boft|Failed to load|.*rank_pattern"
        )
        return PeftModel.from_pretrained(model, str(folder)).eval()


def test_the_paper_counts_as_many(case: Case, make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(case.plan(), make_model())
    assert num_trained(model) == 2 * sum(case.size(*shape) for shape in SHAPES.values()) + case.shared
    with torch.device("meta"):
        empty = type(make_model())(make_model().config)
    shown = preview(case.plan(), lambda: empty)
    assert (shown.num_trainable, len(shown.modules)) == (num_trained(model), 14)
    assert shown.num_parameters + shown.num_added == sum(one.numel() for one in model.parameters())


def test_only_what_is_meant_learns(case: Case, lively: Callable[..., Any]) -> None:
    torch.manual_seed(1)
    base = lively()
    wanted = logits(base)
    model = swift.tuners.attach(case.plan(), base)
    assert (logits(model) - wanted).abs().max() <= case.start * wanted.abs().max()
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    losses = memorise(case.plan(), model, 40, case.rate)
    assert losses[-1] < case.loss * losses[0]
    after = dict(model.named_parameters())
    assert all(torch.equal(tensor, after[name]) for name, tensor in frozen.items())
    assert all(torch.equal(tensor, buffers[name]) for name, tensor in model.named_buffers())
    assert not any(p.requires_grad for name, p in model.named_parameters() if name.endswith("base_layer.weight"))


@pytest.mark.parametrize("tied", [False, True])
def test_saved_loaded_merged_and_plain_peft_agree(
    case: Case, tied: bool, lively: Callable[..., Any], tmp_path: Path
) -> None:
    plan = case.plan(saved=("LN",))
    model = swift.tuners.attach(plan, lively(tied=tied))
    memorise(plan, model, 4, case.rate)
    wanted = logits(model)
    largest = float(wanted.abs().max())
    assert (wanted - logits(lively(tied=tied))).abs().max() > 1e-2 * largest
    (tmp_path / "adapter").mkdir()
    swift.tuners.save_model(plan, model)(tmp_path / "adapter")
    loaded = swift.tuners.load(plan, lively(tied=tied), tmp_path / "adapter")
    assert (logits(loaded) - wanted).abs().max() <= case.apart * largest
    assert torch.equal(logits(plain_peft(lively(tied=tied), tmp_path / "adapter")), logits(loaded))
    again = swift.tuners.load(plan, lively(tied=tied), tmp_path / "adapter", trainable=True)
    assert torch.equal(logits(again), wanted)
    assert num_trained(again) == num_trained(model)

    merged = swift.tuners.open_tuner(plan).merge(loaded)
    assert (logits(merged) - wanted).abs().max() <= 2e-5 * largest
    merged.save_pretrained(tmp_path / "merged")
    read = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert (logits(read) - wanted).abs().max() <= 2e-5 * largest


def test_what_plain_peft_saved_is_read(case: Case, make_model: Callable[..., Any], tmp_path: Path) -> None:
    if "init_lora_weights" in case.options and case.apart:
        pytest.skip("peft writes an adapter for changed weights, unless it is told to convert it")
    theirs = move(swift.tuners.attach(case.plan(), make_model()))
    theirs.save_pretrained(tmp_path)
    ours = swift.tuners.load(case.plan(), make_model(), tmp_path)
    assert torch.equal(logits(ours), logits(theirs))
    assert num_trained(ours) == 0


def test_beside_half_precision(case: Case, make_model: Callable[..., Any], tmp_path: Path) -> None:
    model = swift.tuners.attach(case.plan(), make_model(dtype=torch.bfloat16))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    move(model)
    swift.tuners.save_model(case.plan(), model)(tmp_path)
    loaded = swift.tuners.load(case.plan(), make_model(dtype=torch.bfloat16), tmp_path)
    wanted = logits(model)
    assert (logits(loaded) - wanted).abs().mean() <= 0.05 * wanted.abs().mean()


def test_a_choice_of_layers(case: Case, make_model: Callable[..., Any]) -> None:
    model = swift.tuners.attach(case.plan(layers=(1,)), make_model())
    assert num_trained(model) == sum(case.size(*shape) for shape in SHAPES.values()) + case.shared
    assert not any(".layers.0." in name for name, p in model.named_parameters() if p.requires_grad)


def test_embeddings_are_for_lora(case: Case, make_model: Callable[..., Any]) -> None:
    if case.sft_type == "lora":
        names = [name for name, p in swift.tuners.attach(case.plan("EMBEDDING"), make_model()).named_parameters()
                 if p.requires_grad]  # fmt: skip
        assert all("embed_tokens" in name for name in names)
    else:
        with pytest.raises(PlanError, match="is an embedding"):
            swift.tuners.attach(case.plan("EMBEDDING"), make_model())


def test_a_bank_of_vectors_that_do_not_fit_is_told_with_those_that_do(make_model: Callable[..., Any]) -> None:
    case = CASES["vblora"]
    plan = replace(case.plan(), options={**case.options, "vblora_vector_length": 24})
    with pytest.raises(PlanError, match=r"--vblora_vector_length 24: must divide .* is \d+ by \d+\. \d+ does") as told:
        preview(plan, make_model)
    fits = int(str(told.value).split(" does")[0].split()[-1])
    assert preview(replace(plan, options={**plan.options, "vblora_vector_length": fits}), make_model).num_trainable
