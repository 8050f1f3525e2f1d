"""Adapters that the 2.x line wrote with its own backend: read, trained on, merged and converted, with the same answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from swift.llm.arguments.commands import ExportArguments, InferArguments, MergeLoraArguments, SftArguments
from swift.llm.export import export_main
from swift.llm.infer import infer_main
from swift.llm.merge_lora import make_plan as make_merge_plan
from swift.llm.merge_lora import merge_lora_main
from swift.llm.sft import sft_main
from swift.tuners.lora.older import as_peft, find_older
from swift.utils.errors import CheckpointError, PlanError
from swift.utils.manifest import check_manifest

IDS = torch.arange(3, 23).reshape(2, 10)
OLDER_ONLY = {
    "use_qa_lora": False,
    "use_merged_linear": False,
    "enable_lora": None,
    "lora_dtype": None,
    "lorap_lr_ratio": 16.0,
}
Rename = Callable[[str], str]


def of_2x(name: str) -> str:
    """As the versions from 1.5 on wrote it: without peft's prefix, with the adapter's name."""
    name = name.removeprefix("base_model.model.").replace(".lora_A.weight", ".lora_A.default.weight")
    name = name.replace(".lora_B.weight", ".lora_B.default.weight")
    return name.replace(".lora_magnitude_vector", ".lora_magnitude_vector.default")


def of_1x(name: str) -> str:
    """As it was before: a module of its own for the factors, which were no layers."""
    name = name.removeprefix("base_model.model.")
    return name.replace(".lora_A.weight", ".loramodule_default.lora_A").replace(
        ".lora_B.weight", ".loramodule_default.lora_B"
    )


def write_older(
    checkpoint: Path, target: Path, rename: Rename = of_2x, *, pickled: bool = True, **settings: Any
) -> Path:
    """The checkpoint of an adapter, laid out as the 2.x line did."""
    own = target / "default"
    own.mkdir(parents=True)
    tensors = {rename(name): tensor for name, tensor in load_file(checkpoint / "adapter_model.safetensors").items()}
    if pickled:
        torch.save(tensors, own / "adapter_model.bin")
    else:
        save_file(tensors, own / "adapter_model.safetensors", {"format": "pt"})
    config = json.loads((checkpoint / "adapter_config.json").read_text())
    told = {**config, **OLDER_ONLY, "swift_type": "LORA", "base_model_name_or_path": None, **settings}
    (own / "adapter_config.json").write_text(json.dumps({k: v for k, v in told.items() if k != "peft_type"}))
    (target / "configuration.json").write_text("{}")
    if (checkpoint / "sft_args.json").is_file():
        said = json.loads((checkpoint / "sft_args.json").read_text())
        kept = ("model_type", "model_id_or_path", "template_type", "system", "dtype", "sft_type")
        (target / "sft_args.json").write_text(json.dumps({**{k: said[k] for k in kept}, "tuner_backend": "swift"}))
    return target


@pytest.fixture
def older(adapter_checkpoint: Path, tmp_path: Path) -> Path:
    return write_older(adapter_checkpoint, tmp_path / "run" / "checkpoint-6")


def logits(base: Path, adapter: Path | None = None) -> torch.Tensor:
    model: Any = AutoModelForCausalLM.from_pretrained(str(base))
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    with torch.no_grad():
        found: torch.Tensor = model.eval()(IDS).logits
    return found


@pytest.mark.parametrize(
    ("options", "rename", "pickled"),
    [
        ({}, of_2x, True),
        ({}, of_1x, True),
        ({"use_dora": True}, of_2x, False),
        ({"use_rslora": True, "rank_pattern": {"layers.1.self_attn.q_proj": 2}, "alpha_pattern": {"v_proj": 3}}, of_2x, False),
        ({"bias": "lora_only"}, lambda name: of_2x(name).replace(".base_layer.bias", ".bias"), True),
        ({"modules_to_save": ["lm_head"]}, of_2x, True),
        ({"target_modules": r".*\.(embed_tokens|o_proj)", "fan_in_fan_out": False}, of_2x, True),
    ],
    ids=["plain", "before-1.5", "dora", "patterns", "bias", "modules_to_save", "embeddings"],
)  # fmt: skip
def test_the_adapter_is_the_same(
    options: dict[str, Any], rename: Rename, pickled: bool, make_model: Callable[..., Any], tmp_path: Path
) -> None:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM", **options}
    )
    model = get_peft_model(make_model(), config)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    wanted = model.eval()(IDS).logits
    model.save_pretrained(str(tmp_path / "peft"), save_embedding_layers=False)
    folder = write_older(tmp_path / "peft", tmp_path / "checkpoint-6", rename, pickled=pickled)
    with as_peft(folder) as plain:
        again = PeftModel.from_pretrained(make_model(), str(plain)).eval()
        assert torch.allclose(again(IDS).logits, wanted, atol=1e-6)
    assert not plain.exists()


def test_merging_reads_it(older: Path, adapter_checkpoint: Path) -> None:
    plan = make_merge_plan(MergeLoraArguments(ckpt_dir=str(older)))
    assert plan.tuner.sft_type == "lora"
    assert plan.template.system == "Answer with one number."
    result: Any = merge_lora_main(MergeLoraArguments(ckpt_dir=str(older)))
    assert torch.allclose(logits(result.target), logits(Path(plan.model.path), adapter_checkpoint), atol=1e-5)


def test_it_answers_as_it_is(older: Path, adapter_checkpoint: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"query": "What is 1 plus 1?", "response": "2"}) + "\n")
    answers = []
    for folder in (older, adapter_checkpoint):
        args = InferArguments(
            ckpt_dir=str(folder), val_dataset=(str(rows),), max_new_tokens=4, do_sample=False, save_result=False, verbose=False
        )  # fmt: skip
        result: Any = infer_main(args)
        answers.append(result.rows[0])
    assert answers[0] == answers[1]


def test_a_run_starts_from_it(older: Path, adapter_checkpoint: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"query": "What is 1 plus 1?", "response": "2"}) + "\n")
    given: dict[str, Any] = {
        "dataset": (str(rows),), "dataset_test_ratio": 0, "max_steps": 1, "learning_rate": 1e-12, "batch_size": 1, "max_length": 256,
        "resume_from_checkpoint": str(older), "output_dir": str(tmp_path / "output"),
    }  # fmt: skip
    with pytest.raises(PlanError, match=r"is in the older layout.*--resume_only_model true"):
        sft_main(SftArguments(**given))
    with pytest.raises(PlanError, match=r"--lora_rank: is 2, and checkpoint-6 was trained with 8"):
        sft_main(SftArguments(**given, resume_only_model=True, lora_rank=2))
    result: Any = sft_main(SftArguments(**given, resume_only_model=True))
    ours = load_file(Path(result.last_checkpoint) / "adapter_model.safetensors")
    theirs = load_file(adapter_checkpoint / "adapter_model.safetensors")
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-9) for name in ours)


def test_conversion_to_peft(older: Path, adapter_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (older / "optimizer.pt").write_bytes(b"x")
    (older / "generation_config.json").write_text("{}")
    export_main(ExportArguments(ckpt_dir=str(older), to_peft_format=True))
    target = older.with_name("checkpoint-6-peft")
    assert f"converted into {target}" in capsys.readouterr().out
    assert check_manifest(target) == []
    assert {path.name for path in target.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "configuration.json", "converted.json", "generation_config.json",
        "manifest.json", "sft_args.json",
    }  # fmt: skip
    base = Path(json.loads((adapter_checkpoint / "plan.json").read_text())["model"]["path"])
    assert torch.equal(logits(base, target), logits(base, adapter_checkpoint))
    assert json.loads((target / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    assert json.loads((target / "sft_args.json").read_text())["tuner_backend"] == "peft"
    export_main(ExportArguments(ckpt_dir=str(older), to_peft_format=True))  # made again
    export_main(ExportArguments(ckpt_dir=str(target), to_peft_format=True))
    assert f"{target} is in PEFT's layout already" in capsys.readouterr().out
    (target / "converted.json").unlink()
    with pytest.raises(CheckpointError, match="is there already and was not written by a conversion"):
        export_main(ExportArguments(ckpt_dir=str(older), to_peft_format=True))


def test_conversion_and_merge_in_one(older: Path, adapter_checkpoint: Path) -> None:
    export_main(ExportArguments(ckpt_dir=str(older), to_peft_format=True, merge_lora=True))
    merged, converted = (older.with_name(f"checkpoint-6-{what}") for what in ("merged", "peft"))
    base = Path(json.loads((adapter_checkpoint / "plan.json").read_text())["model"]["path"])
    assert torch.allclose(logits(merged), logits(base, converted), atol=1e-5)


def test_what_it_does_not_read(older: Path, tmp_path: Path) -> None:
    second = shutil.copytree(older / "default", older / "other")
    with pytest.raises(CheckpointError, match=r"holds 2 adapters \(default, other\)"):
        find_older(older)
    assert find_older(second) == second
    shutil.rmtree(second)
    (older / "adapter_config.json").write_text(json.dumps({"extra_state_keys": ["v_head.*"]}))
    with pytest.raises(CheckpointError, match=r"trained weights besides it \(v_head"):
        find_older(older)
    (older / "adapter_config.json").unlink()
    (older / "default" / "adapter_model.bin").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match=r"adapter_model.bin: is damaged"), as_peft(older):
        pass
    torch.save({"visual.weight": torch.ones(2)}, older / "default" / "adapter_model.bin")
    with pytest.raises(CheckpointError, match=r"visual.weight is no part of a LoRA"), as_peft(older):
        pass
    with pytest.raises(CheckpointError, match=r"visual.weight"):
        export_main(ExportArguments(ckpt_dir=str(older), to_peft_format=True))
    assert [path.name for path in older.parent.iterdir()] == ["checkpoint-6"]
    config = json.loads((older / "default" / "adapter_config.json").read_text())
    (older / "default" / "adapter_config.json").write_text(json.dumps({**config, "swift_type": "ADAPTER"}))
    with pytest.raises(CheckpointError, match="an adapter of kind ADAPTER in the older layout"):
        merge_lora_main(MergeLoraArguments(ckpt_dir=str(older)))
