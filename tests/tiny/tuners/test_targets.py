"""Words, names and expressions to modules, and the preview without weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import swift.tuners
from swift.llm.plan.plans import TunerPlan
from swift.tuners.preview import empty_model, preview
from swift.tuners.targets import find_saved, find_targets
from swift.utils.errors import ModelError, PlanError

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def last(names: list[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[2] for name in names))


@pytest.mark.parametrize("words", [(), ("ALL",), ("DEFAULT",), ("AUTO", "q_proj")])
def test_all_linear_layers_but_the_head(words: tuple[str, ...], make_model: Callable[..., Any]) -> None:
    names = find_targets(make_model(), words)
    assert len(names) == 2 * len(LINEAR)
    assert last(names) == LINEAR


@pytest.mark.parametrize(
    ("targets", "regex", "wanted"),
    [
        (("EMBEDDING",), None, ["model.embed_tokens"]),
        (("lm_head",), None, ["lm_head"]),
        (("mlp.up_proj",), None, ["model.layers.0.mlp.up_proj", "model.layers.1.mlp.up_proj"]),
        (("model.layers.1.self_attn.k_proj",), None, ["model.layers.1.self_attn.k_proj"]),
        ((), r".*\.0\..*(q|v)_proj", ["model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.v_proj"]),
    ],
)
def test_by_name(
    targets: tuple[str, ...], regex: str | None, wanted: list[str], make_model: Callable[..., Any]
) -> None:
    assert find_targets(make_model(), targets, regex) == wanted


def test_all_misses_are_told_at_once_with_near_names(make_model: Callable[..., Any]) -> None:
    with pytest.raises(PlanError) as error:
        find_targets(make_model(), ("q_porj", "W_pack"))
    assert error.value.problems == (
        "--target_modules q_porj: matches no module. Did you mean q_proj or v_proj or o_proj?",
        f"--target_modules W_pack: matches no module. This model has embed_tokens, {', '.join(LINEAR)}, lm_head.",
    )


@pytest.mark.parametrize(
    ("regex", "message"),
    [("nothing", "matches no module. Module names look like model"), ("(", "is not a regular expression")],
)
def test_expressions_that_fail(regex: str, message: str, make_model: Callable[..., Any]) -> None:
    with pytest.raises(PlanError, match=message):
        find_targets(make_model(), (), regex)


def test_modules_to_save(make_model: Callable[..., Any]) -> None:
    names = find_saved(make_model(), ("EMBEDDING", "LN", "lm_head"))
    assert names[0] == "model.embed_tokens"
    assert names[-2:] == ["model.norm", "lm_head"]
    assert len(names) == 3 + 4
    with pytest.raises(
        PlanError, match=r"--modules_to_save lm_heat: matches no module with weights. Did you mean lm_head"
    ):
        find_saved(make_model(), ("lm_heat",))


@pytest.mark.parametrize(
    "options", [{"lora_rank": 4}, {"lora_rank": 4, "init_lora_weights": "pissa"}, {"lora_rank": 4, "use_dora": True}]
)
def test_preview_counts_what_attach_trains(
    options: dict[str, Any], make_model: Callable[..., Any], lora: Callable[..., TunerPlan], tmp_path: Path
) -> None:
    make_model().config.save_pretrained(tmp_path)
    settings = lora("q_proj", "v_proj", **options)
    shown = preview(settings, lambda: empty_model(tmp_path))
    attached = swift.tuners.attach(settings, make_model())
    assert shown.num_trainable == sum(p.numel() for p in attached.parameters() if p.requires_grad)
    assert shown.num_parameters == sum(p.numel() for p in make_model().parameters())
    assert shown.modules == tuple(f"model.layers.{i}.self_attn.{n}" for i in (0, 1) for n in ("q_proj", "v_proj"))
    assert shown.line.endswith("in 4 modules: q_proj, v_proj")


def test_preview_of_full_tuning(make_model: Callable[..., Any], tmp_path: Path) -> None:
    make_model().config.save_pretrained(tmp_path)
    settings = TunerPlan(
        sft_type="full",
        code="swift.tuners.full.tuner:FullTuner",
        options={"freeze_parameters": ("model.embed_tokens",)},
    )
    shown = preview(settings, lambda: empty_model(tmp_path))
    assert shown.num_parameters - shown.num_trainable == 61 * 32
    assert shown.modules == ()


def test_preview_of_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "nothing-known"}')
    with pytest.raises(ModelError, match=r"its config.json describes no model"):
        empty_model(tmp_path)
