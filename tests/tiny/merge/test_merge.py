"""`swift merge-lora`: the result answers like base and adapter, or nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from swift.cli.main import main
from swift.llm.arguments.commands import InferArguments, MergeLoraArguments
from swift.llm.infer import infer_main
from swift.llm.merge import merge
from swift.llm.merge_lora import make_plan, merge_lora_main
from swift.utils.errors import CheckpointError, PlanError
from swift.utils.manifest import check_manifest, write_manifest


@pytest.fixture
def checkpoint(adapter_checkpoint: Path, tmp_path: Path) -> Path:
    copy = tmp_path / adapter_checkpoint.name
    shutil.copytree(adapter_checkpoint, copy)
    return copy


def target_of(checkpoint: Path) -> Path:
    return checkpoint.with_name(checkpoint.name + "-merged")


def rewrite(checkpoint: Path, factor: float) -> None:
    """Another adapter: every B times ``factor``."""
    file = checkpoint / "adapter_model.safetensors"
    tensors = {name: tensor * factor if "lora_B" in name else tensor for name, tensor in load_file(str(file)).items()}
    save_file(tensors, str(file), metadata={"format": "pt"})
    write_manifest(checkpoint)


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".") or path.name.endswith("-merged")]


def test_merged_weights_are_base_plus_adapter(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge-lora", "--ckpt_dir", str(checkpoint)]) == 0
    printed = capsys.readouterr().out
    target = target_of(checkpoint)
    assert f"merged into {target}" in printed
    assert "merged and unmerged logits differ by at most" in printed
    assert check_manifest(target) == []
    base_path = json.loads((checkpoint / "plan.json").read_text())["model"]["path"]
    peft = pytest.importorskip("peft")
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        merged = AutoModelForCausalLM.from_pretrained(str(target))(ids).logits
        base = AutoModelForCausalLM.from_pretrained(base_path)
        plain = base(ids).logits
        unmerged = peft.PeftModel.from_pretrained(base, str(checkpoint)).eval()(ids).logits
    assert torch.allclose(merged, unmerged, atol=1e-5)
    assert not torch.allclose(merged, plain, atol=1e-3)
    assert {"tokenizer.json", "tokenizer_config.json", "sft_args.json", "plan.json"} <= {
        p.name for p in target.iterdir()
    }


def test_the_command_replaces_and_infer_uses_what_is_there(checkpoint: Path) -> None:
    args = MergeLoraArguments(ckpt_dir=str(checkpoint))
    assert merge_lora_main(args).made  # type: ignore[union-attr]
    target = target_of(checkpoint)
    mark = target / "note.txt"
    mark.write_text("mine")
    answers: dict[str, Any] = {"load_dataset_config": True, "max_new_tokens": 2, "save_result": False, "verbose": False}
    infer_main(InferArguments(ckpt_dir=str(checkpoint), merge_lora=True, **answers))
    assert mark.exists()  # skipped: it is the merge of this adapter
    rewrite(checkpoint, 0.5)
    with pytest.raises(CheckpointError, match=r"was made from another adapter than these.*swift merge-lora --ckpt_dir"):
        infer_main(InferArguments(ckpt_dir=str(checkpoint), merge_lora=True, **answers))
    assert merge_lora_main(args).made  # type: ignore[union-attr]
    assert not mark.exists()
    infer_main(InferArguments(ckpt_dir=str(checkpoint), merge_lora=True, **answers))


def test_a_damaged_merge_is_not_used(checkpoint: Path) -> None:
    merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint)))
    (target_of(checkpoint) / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"is damaged: config.json has"):
        infer_main(
            InferArguments(ckpt_dir=str(checkpoint), merge_lora=True, load_dataset_config=True, save_result=False)
        )


def test_an_adapter_that_changes_nothing_is_refused(checkpoint: Path) -> None:
    rewrite(checkpoint, 0.0)
    with pytest.raises(CheckpointError, match="answers exactly like its base, so nothing was written"):
        merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint)))
    assert left_behind(checkpoint.parent) == []


def test_a_merge_that_answers_differently_leaves_nothing(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(merge.TOLERANCE, "fp32", 0.0)
    with pytest.raises(CheckpointError, match="merged and unmerged logits differ by"):
        merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint)))
    assert left_behind(checkpoint.parent) == []


def test_a_folder_of_somebody_else_is_not_touched(checkpoint: Path) -> None:
    target = target_of(checkpoint)
    target.mkdir()
    (target / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="was not written by a merge"):
        merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint)))
    assert (target / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_dtype_is_the_bases_or_the_one_asked_for(checkpoint: Path, dtype: str) -> None:
    plan = make_plan(MergeLoraArguments(ckpt_dir=str(checkpoint)))
    assert plan.model.dtype == "fp32"
    assert plan.reasons["model.dtype"] == "the dtype that the base is stored in"
    merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint), dtype=dtype))
    tensors = load_file(str(target_of(checkpoint) / "model.safetensors"))
    assert {tensor.dtype for tensor in tensors.values()} == {{"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]}


def test_pickled_weights_where_asked(checkpoint: Path) -> None:
    merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint), save_safetensors=False))
    assert (target_of(checkpoint) / "pytorch_model.bin").is_file()


def test_refusals(checkpoint: Path, model_folder: Path) -> None:
    with pytest.raises(PlanError, match="which adapter to merge was not given"):
        make_plan(MergeLoraArguments())
    with pytest.raises(PlanError, match="--temperature: merging answers nothing"):
        make_plan(MergeLoraArguments(ckpt_dir=str(checkpoint), temperature=1.0))
    with pytest.raises(PlanError, match="holds whole weights"):
        make_plan(MergeLoraArguments(ckpt_dir=str(model_folder)))


def test_several_adapters_become_one(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    rewrite(other, -2.0)
    assert main(["merge-lora", "--ckpt_dir", str(checkpoint), "--more_ckpt_dirs", str(other), "--adapter_weights", "0.5", "0.75",
                 "--combination", "cat"]) == 0  # fmt: skip
    target = checkpoint.with_name(checkpoint.name + "-combined")
    assert f"merged into {target}" in capsys.readouterr().out
    rewrite(checkpoint, -1.0)  # 0.5 - 2 * 0.75
    merge_lora_main(MergeLoraArguments(ckpt_dir=str(checkpoint)))
    one, two = (load_file(str(folder / "model.safetensors")) for folder in (target, target_of(checkpoint)))
    assert all(torch.allclose(one[name], two[name], atol=1e-6) for name in two)
    record = json.loads((target / "merge.json").read_text())
    assert (record["combination"], record["weights"], len(set(record["adapters"]))) == ("linear", [0.5, 0.75], 2)


def test_dry_run_writes_nothing(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge-lora", "--ckpt_dir", str(checkpoint), "--dry_run"]) == 0
    assert "beside the checkpoint" in capsys.readouterr().out
    assert left_behind(checkpoint.parent) == []
