"""LoRA over GPTQ and AWQ files on a CPU, with gptqmodel's own kernels: the loss falls, the packed weights stay, the adapter answers."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("gptqmodel") is None or importlib.util.find_spec("optimum") is None:
    pytest.skip("gptqmodel and optimum are not installed", allow_module_level=True)

import torch
from safetensors.torch import load_file, save_file

GROUP, NIBBLES = 16, 8
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""AWQ's order of eight 4-bit values in a 32-bit word; GPTQ's is plain."""


def words(values: torch.Tensor, order: tuple[int, ...], *, down: bool) -> torch.Tensor:
    """Eight values of 0..15 a word, along the rows (``down``) or the columns."""
    values = (values.T if down else values).to(torch.int64)
    eights = values.reshape(values.shape[0], -1, NIBBLES)[:, :, list(order)]
    word = sum(eights[:, :, place] << (4 * place) for place in range(NIBBLES))
    word = torch.where(word >= 2**31, word - 2**32, word).to(torch.int32)  # type: ignore[operator]
    return (word.T if down else word).contiguous()


def pack(name: str, weight: torch.Tensor, method: str) -> dict[str, torch.Tensor]:
    """A linear layer's weight (out, in), rounded to 4 bits in groups of its inputs, as the files of ``method`` hold it."""
    inputs = weight.T.float()
    groups = inputs.reshape(-1, GROUP, inputs.shape[1])
    low, high = groups.amin(1).clamp(max=0), groups.amax(1).clamp(min=0)
    scales = ((high - low) / 15).clamp(min=1e-6)
    zeros = (-low / scales).round()
    codes = (groups / scales[:, None] + zeros[:, None]).round().clamp(0, 15).reshape(inputs.shape)
    packed = {"scales": scales.half()}
    if method == "awq":
        packed |= {"qweight": words(codes, AWQ_ORDER, down=False), "qzeros": words(zeros, AWQ_ORDER, down=False)}
    else:
        plain = tuple(range(NIBBLES))
        # the first version of the format holds zeros less one
        packed |= {"qweight": words(codes, plain, down=True), "qzeros": words((zeros - 1) % 16, plain, down=False),
                   "g_idx": (torch.arange(inputs.shape[0]) // GROUP).int()}  # fmt: skip
    return {f"{name.removesuffix('weight')}{key}": value for key, value in packed.items()}


def packed_copy(model: Path, folder: Path, method: str) -> Path:
    """The model of ``model`` with its layers packed."""
    shutil.copytree(model, folder)
    state: dict[str, torch.Tensor] = {}
    for name, weight in load_file(model / "model.safetensors").items():
        inside = weight.ndim == 2 and ".layers." in name
        state |= pack(name, weight, method) if inside else {name: weight}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    settings: dict[str, Any] = {"quant_method": method, "bits": 4, "group_size": GROUP, "desc_act": False, "sym": False}
    settings |= {"version": "gemm", "zero_point": True} if method == "awq" else {"checkpoint_format": "gptq"}
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "quantization_config": settings}))
    return folder


def tiny_model(folder: Path) -> Path:
    place = Path(__file__).parents[2] / "tiny" / "conftest.py"
    spec = importlib.util.spec_from_file_location("tiny_conftest", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write_rows(folder / "rows.jsonl", 32)
    return Path(module.build_model(folder / "plain"))


def swift(*given: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "swift", *map(str, given)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def losses(run: Path) -> list[float]:
    rows = [json.loads(line) for line in (run / "logging.jsonl").read_text().splitlines()]
    return [row["loss"] for row in rows if "loss" in row]


@pytest.mark.parametrize("method", ["gptq", "awq"])
def test_an_adapter_learns_over_packed_files_on_a_cpu(tmp_path: Path, method: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("about the kernels for CPUs")
    model = packed_copy(tiny_model(tmp_path), tmp_path / "packed", method)
    before = (model / "model.safetensors").read_bytes()
    # evaluating at step 1 is what used to switch gradients off for good
    told = swift(
        "sft", "--model_id_or_path", model, "--template_type", "chatml", "--dataset", tmp_path / "rows.jsonl", "--batch_size", 4,
        "--gradient_accumulation_steps", 1, "--dataset_test_ratio", 0.25, "--eval_steps", 1, "--save_steps", 6, "--max_steps", 12,
        "--learning_rate", 0.02, "--logging_steps", 1, "--report_to", "none", "--output_dir", tmp_path / "out",
    )  # fmt: skip
    assert f"{method} weights, adapter only" in told
    assert "train over the plain model" in told
    run = next((tmp_path / "out").glob("*/v*"))
    seen = losses(run)
    assert seen[-1] < seen[0] - 0.2, seen
    assert (model / "model.safetensors").read_bytes() == before
    assert {path.name for path in (run / "checkpoint-12").glob("*.safetensors")} == {"adapter_model.safetensors"}
    adapter = load_file(run / "checkpoint-12" / "adapter_model.safetensors")
    assert all(value.abs().sum() > 0 for name, value in adapter.items() if "lora_B" in name)  # each layer has learnt

    swift("sft", "--resume_from_checkpoint", run / "checkpoint-6", "--output_dir", tmp_path / "again")
    assert losses(next((tmp_path / "again").glob("*/v*"))) == seen
    answered = swift("infer", "--ckpt_dir", run / "checkpoint-12", "--val_dataset", tmp_path / "rows.jsonl",
                     "--max_new_tokens", 4, "--show_dataset_sample", 2)  # fmt: skip
    assert "answered 2 of 2 rows" in answered
