"""A run that was stopped and one that was not end in the same bits, whatever the method keeps beside its weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from swift.llm.arguments.commands import SftArguments
from swift.llm.sft import sft_main
from swift.utils.errors import PlanError

METHODS: dict[str, dict[str, Any]] = {
    "adalora": {
        "sft_type": "adalora",
        "adalora_init_r": 6,
        "adalora_target_r": 2,
        "adalora_tinit": 1,
        "adalora_tfinal": 1,
    },
    "dora": {"use_dora": True},
    "pissa": {"init_lora_weights": "pissa_niter_4"},
    "olora": {"init_lora_weights": "olora", "modules_to_save": ("LN",)},
    "eva": {"init_lora_weights": "eva", "lora_rank": 4},
    "corda": {"init_lora_weights": "corda", "lora_rank": 4, "modules_to_save": ("LN",)},
    "lora_ga": {"init_lora_weights": "lora_ga", "lora_rank": 4, "padding_free": False},
    "vera": {"sft_type": "vera", "vera_rank": 16},
}


def arguments(model_folder: Path, rows: Path, output: Path, **changes: Any) -> SftArguments:
    return SftArguments(
        **{"model_id_or_path": str(model_folder), "dataset": (str(rows),), "max_steps": 6, "learning_rate": 0.02,
           "batch_size": 2, "gradient_accumulation_steps": 2, "max_length": 256, "save_steps": 2, "save_total_limit": 9,
           "logging_steps": 1, "report_to": ("none",), "dataset_test_ratio": 0.0, "target_modules": ("ALL",),
           "output_dir": str(output), **changes}
    )  # fmt: skip


def losses(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "logging.jsonl").read_text().splitlines()]
    return [(line["global_step"], line["loss"]) for line in lines if "loss" in line]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"query": f"What is {i} plus one?", "response": f"{i + 1}."}) + "\n" for i in range(24))
    )
    return path


@pytest.mark.parametrize("name", METHODS)
def test_it_goes_on_exactly(name: str, model_folder: Path, rows: Path, tmp_path: Path) -> None:
    options = METHODS[name]
    straight = Path(sft_main(arguments(model_folder, rows, tmp_path / "out", **options)).last_checkpoint)
    cut = tmp_path / "cut" / straight.parent.name
    shutil.copytree(straight.parent, cut)
    for step in (4, 6):
        shutil.rmtree(cut / f"checkpoint-{step}")
    again = arguments(model_folder, rows, tmp_path / "out", **options, resume_from_checkpoint=str(cut / "checkpoint-2"))
    resumed = Path(sft_main(again).last_checkpoint)
    assert resumed != straight
    assert losses(resumed.parent) == losses(straight.parent)
    wanted, reached = (load_file(folder / "adapter_model.safetensors") for folder in (straight, resumed))
    assert wanted.keys() == reached.keys()
    assert all(torch.equal(wanted[key], reached[key]) for key in wanted)
    config, again_config = (json.loads((folder / "adapter_config.json").read_text()) for folder in (straight, resumed))
    assert config == again_config


def test_adalora_ends_with_the_ranks_that_were_asked_for(model_folder: Path, rows: Path, tmp_path: Path) -> None:
    done = sft_main(arguments(model_folder, rows, tmp_path / "out", **METHODS["adalora"], target_regex=".*q_proj"))
    config = json.loads((Path(done.last_checkpoint) / "adapter_config.json").read_text())
    assert sum(sum(kept) for kept in config["rank_pattern"].values()) == 2 * 2
    assert config["total_step"] == 6
    with pytest.raises(PlanError, match="--adalora_tinit 4, --adalora_tfinal 1: no step is left"):
        sft_main(arguments(model_folder, rows, tmp_path / "out", **{**METHODS["adalora"], "adalora_tinit": 4}))
