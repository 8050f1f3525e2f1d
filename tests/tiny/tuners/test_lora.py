"""LoRA: what is trained, that it survives saving, loading and merging, and that plain peft reads and writes the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.utils.errors import CheckpointError, NotBuiltError, PlanError

IDS = torch.arange(3, 23).reshape(2, 10)
SHAPES = {"q_proj": (32, 32), "k_proj": (32, 16), "v_proj": (32, 16), "o_proj": (32, 32), "gate_proj": (32, 48),
          "up_proj": (32, 48), "down_proj": (48, 32)}  # fmt: skip


def num_trained(model: Any) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def move(model: Any) -> Any:
    """As if it had been trained: every trained weight a little elsewhere."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
    return model.eval()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits.float()


def saved(settings: TunerPlan, model: Any, folder: Path) -> Path:
    folder.mkdir()
    swift.tuners.save_model(settings, model)(folder)
    return folder


@pytest.mark.parametrize("rank", [1, 8])
def test_number_of_trained_parameters_is_the_papers(
    rank: int, make_model: Callable[..., Any], lora: Callable[..., TunerPlan]
) -> None:
    model = swift.tuners.attach(lora("ALL", lora_rank=rank), make_model())
    assert num_trained(model) == 2 * sum(rank * (inputs + outputs) for inputs, outputs in SHAPES.values())
    assert all(".lora_A." in name or ".lora_B." in name for name, p in model.named_parameters() if p.requires_grad)


def test_starts_as_the_base_and_only_the_factors_learn(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan]
) -> None:
    base = make_model()
    before = {name: p.clone() for name, p in base.named_parameters()}
    wanted = logits(base)
    model = swift.tuners.attach(lora("q_proj", "v_proj", lora_rank=4), base)
    assert torch.equal(logits(model.eval()), wanted)
    model.train()
    model(IDS, labels=IDS).loss.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0).step()
    after = {
        name.removeprefix("base_model.model.").replace("base_layer.", ""): p for name, p in model.named_parameters()
    }
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not torch.equal(logits(model.eval()), wanted)


VARIANTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "plain": (("ALL",), {}),
    "dora": (("q_proj", "down_proj"), {"use_dora": True}),
    "rslora, gaussian, biases": (
        ("ALL",),
        {"use_rslora": True, "init_lora_weights": "gaussian", "lora_bias_trainable": "all"},
    ),
    "pissa": (("ALL",), {"init_lora_weights": "pissa", "lora_rank": 4}),
    "olora": (("ALL",), {"init_lora_weights": "olora", "lora_rank": 4}),
    "embeddings": (("EMBEDDING", "ALL"), {}),
    "head": (("HEAD", "ALL"), {}),
    "embeddings and head": (("EMBEDDING", "HEAD"), {}),
    "saved embeddings and norms": (("ALL",), {"saved": ("EMBEDDING", "LN")}),
    "saved head": (("ALL",), {"saved": ("lm_head",)}),
}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", VARIANTS)
def test_saved_loaded_merged_and_plain_peft_agree(
    name: str, tied: bool, make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    targets, options = VARIANTS[name]
    settings = lora(*targets, **options)
    model = move(swift.tuners.attach(settings, make_model(tied=tied)))
    wanted = logits(model)
    assert not torch.allclose(wanted, logits(make_model(tied=tied)), atol=1e-2)
    folder = saved(settings, model, tmp_path / "adapter")
    assert sorted(path.name for path in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]

    loaded = swift.tuners.load(settings, make_model(tied=tied), folder)
    apart = 1e-5 if name in ("pissa", "olora") else 0.0  # the file holds a difference, for the original weights
    assert torch.allclose(logits(loaded), wanted, atol=apart, rtol=0)
    merged = swift.tuners.open_tuner(settings).merge(loaded)
    assert torch.allclose(logits(merged), wanted, atol=1e-5)
    merged.save_pretrained(tmp_path / "merged")
    assert torch.allclose(logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()), wanted, atol=1e-5)

    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings")
        plain = PeftModel.from_pretrained(make_model(tied=tied), str(folder)).eval()
    assert torch.allclose(logits(plain), wanted, atol=apart, rtol=0)


def test_what_plain_peft_saved_is_read(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    config = LoraConfig(task_type="CAUSAL_LM", r=3, target_modules=["q_proj", "o_proj"], init_lora_weights=False)
    theirs = get_peft_model(make_model(), config).eval()
    theirs.save_pretrained(tmp_path)
    ours = swift.tuners.load(lora(), make_model(), tmp_path)
    assert torch.equal(logits(ours), logits(theirs))
    assert num_trained(ours) == 0


def test_going_on_from_a_saved_adapter(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    settings = lora("q_proj", lora_rank=4, lora_dropout=0.0)
    model = move(swift.tuners.attach(settings, make_model()))
    again = swift.tuners.load(settings, make_model(), saved(settings, model, tmp_path / "a"), trainable=True)
    assert num_trained(again) == num_trained(model)
    for one in (model, again):
        one.zero_grad()
        one(IDS, labels=IDS).loss.backward()
    pairs = zip(model.named_parameters(), again.named_parameters(), strict=True)
    assert all(torch.equal(p.grad, q.grad) for (_, p), (_, q) in pairs if p.requires_grad)


def test_factors_beside_half_precision_weights(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    def dtypes(model: Any) -> set[torch.dtype]:
        return {p.dtype for name, p in model.named_parameters() if "lora_" in name}

    half = torch.bfloat16
    settings = lora("q_proj")
    model = move(swift.tuners.attach(settings, make_model(dtype=half)))
    assert dtypes(model) == {torch.float32}
    assert dtypes(swift.tuners.attach(lora("q_proj", lora_dtype="bf16"), make_model(dtype=half))) == {half}
    assert dtypes(swift.tuners.attach(lora("q_proj", lora_dtype="fp32"), make_model(dtype=half))) == {torch.float32}
    loaded = swift.tuners.load(settings, make_model(dtype=half), saved(settings, model, tmp_path / "a"))
    assert dtypes(loaded) == {half}
    assert torch.allclose(logits(loaded), logits(model), atol=0.05)


def test_lora_plus_rates(make_model: Callable[..., Any], lora: Callable[..., TunerPlan]) -> None:
    settings = lora("q_proj", saved=("LN",), lora_lr_ratio=16.0)
    model = swift.tuners.attach(settings, make_model())
    groups = swift.tuners.open_tuner(settings).optimizer_groups(model, 1e-4, 0.1)
    assert groups is not None
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    assert len(rates) == len(trained)
    for name, parameter in trained:
        wanted = (16e-4 if "lora_B" in name else 1e-4, 0.1 if parameter.ndim > 1 else 0.0)
        assert rates[id(parameter)] == pytest.approx(wanted), name
    assert swift.tuners.open_tuner(lora("q_proj")).optimizer_groups(model, 1e-4, 0.1) is None


def test_the_same_adapter_is_the_same_file(
    make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    settings = lora("ALL")
    folders = [saved(settings, move(swift.tuners.attach(settings, make_model())), tmp_path / name) for name in "ab"]
    for file in ("adapter_config.json",):
        assert len({(folder / file).read_bytes() for folder in folders}) == 1
    assert json.loads((folders[0] / "adapter_config.json").read_text())["target_modules"] == sorted(SHAPES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lora_rank": 0}, "--lora_rank 0: is a count from 1 up"),
        ({"lora_dropout": 1.0}, "--lora_dropout 1.0"),
        ({"init_lora_weights": "magic"}, "--init_lora_weights magic: choose one of true, false"),
        ({"use_dora": True, "init_lora_weights": "loftq"}, "--use_dora true with --init_lora_weights loftq"),
        ({"init_lora_weights": "orthogonal", "lora_rank": 3}, "needs an even --lora_rank"),
        ({"use_dora": True, "init_lora_weights": "pissa"}, "--use_dora true with --init_lora_weights pissa"),
        ({"lora_lr_ratio": -1.0}, "--lora_lr_ratio -1.0"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], message: str, lora: Callable[..., TunerPlan]) -> None:
    with pytest.raises(PlanError, match=message):
        swift.tuners.open_tuner(lora("ALL", **options))


def test_one_module_in_two_lists(make_model: Callable[..., Any], lora: Callable[..., TunerPlan]) -> None:
    with pytest.raises(PlanError, match="--modules_to_save"):
        swift.tuners.attach(lora("EMBEDDING", saved=("EMBEDDING",)), make_model())


def test_broken_adapters(make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path) -> None:
    settings = lora("q_proj")
    with pytest.raises(CheckpointError, match=r"holds no adapter \(adapter_config.json is missing\)"):
        swift.tuners.load(settings, make_model(), tmp_path)
    folder = saved(settings, swift.tuners.attach(settings, make_model()), tmp_path / "a")
    weights = folder / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-10])
    with pytest.raises(CheckpointError, match=r"does not fit|damaged"):
        swift.tuners.load(settings, make_model(), folder)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"adapter_model.safetensors is missing"):
        swift.tuners.load(settings, make_model(), folder)
    (folder / "adapter_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="is damaged"):
        swift.tuners.load(settings, make_model(), folder)


def test_a_method_that_is_not_there() -> None:
    with pytest.raises(NotBuiltError, match="--sft_type magic: this method is not in this version"):
        swift.tuners.open_tuner(TunerPlan(sft_type="magic"))
