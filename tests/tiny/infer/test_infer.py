"""`swift infer` and its Python entry on a tiny model and on a checkpoint that `swift sft` wrote."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swift.cli.main import main
from swift.llm.arguments.commands import InferArguments
from swift.llm.infer import infer_main, make_plan
from swift.utils.errors import CheckpointError, DataError, ModelError, PlanError


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    lines: list[dict[str, Any]] = [
        {"query": f"What is {i} plus one?", "response": f"The sum is {i + 1}."} for i in range(6)
    ]
    lines[2] = {"system": "S", "history": [["a", "b"]], "query": "c", "response": "d"}
    lines[4] = {"query": "no label"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def checkpoint(adapter_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the checkpoint, for tests that write into it."""
    copy = tmp_path / "run" / adapter_checkpoint.name
    shutil.copytree(adapter_checkpoint, copy)
    return copy


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_of_a_file_through_a_checkpoint(checkpoint: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["infer", "--ckpt_dir", str(checkpoint), "--val_dataset", str(rows), "--max_new_tokens", "8"])
    printed = capsys.readouterr().out
    assert code == 0
    (path,) = (checkpoint / "infer_result").glob("*.jsonl")
    found = read_lines(path)
    assert [row["query"] for row in found[2:5]] == ["c", "What is 3 plus one?", "no label"]
    assert set(found[0]) == {"system", "query", "response", "label", "history"}
    assert found[2]["history"] == [["a", "b"]]
    assert [row["system"] for row in found] == ["Answer with one number."] * 2 + ["S"] + ["Answer with one number."] * 3
    assert [row["label"] for row in found][3:] == ["The sum is 4.", None, "The sum is 6."]
    assert "answered 6 of 6 rows" in printed
    assert "rouge-l" in printed
    assert f"answers: {path}" in printed


def test_batched_answers_equal_single_ones(checkpoint: Path, rows: Path) -> None:
    answers = []
    for size in (1, 6):
        result = infer_main(
            InferArguments(
                ckpt_dir=str(checkpoint),
                val_dataset=(str(rows),),
                max_new_tokens=12,
                max_batch_size=size,
                verbose=False,
            )
        )
        answers.append([row["response"] for row in result.rows])  # type: ignore[union-attr]
    assert answers[0] == answers[1]


def test_the_adapter_is_applied_and_the_settings_are_the_checkpoints(checkpoint: Path) -> None:
    plan = make_plan(InferArguments(ckpt_dir=str(checkpoint)))
    assert plan.adapter == str(checkpoint)
    assert plan.template.system == "Answer with one number."
    assert plan.reasons["template.system"] == f"checkpoint {checkpoint.name}"
    given = make_plan(InferArguments(ckpt_dir=str(checkpoint), system="Mine."))
    assert given.template.system == "Mine."
    without = make_plan(
        InferArguments(
            ckpt_dir=str(checkpoint), load_args_from_ckpt_dir=False, model_id_or_path=plan.model.path,
        )
    )  # fmt: skip
    assert without.template.system is None


def test_the_validation_rows_of_the_run(checkpoint: Path) -> None:
    result = infer_main(
        InferArguments(
            ckpt_dir=str(checkpoint), load_dataset_config=True, max_new_tokens=4, verbose=False, save_result=False
        )
    )
    assert len(result.rows) == 6  # type: ignore[union-attr]
    assert result.path is None  # type: ignore[union-attr]


def test_show_dataset_sample_and_result_dir(checkpoint: Path, rows: Path, tmp_path: Path) -> None:
    result = infer_main(
        InferArguments(
            ckpt_dir=str(checkpoint), val_dataset=(str(rows),), show_dataset_sample=2, max_new_tokens=4,
            result_dir=str(tmp_path / "results"),
        )
    )  # fmt: skip
    assert len(result.rows) == 2  # type: ignore[union-attr]
    assert len(read_lines(next((tmp_path / "results").glob("*.jsonl")))) == 2


def test_every_row_ends_as_an_answer_or_in_the_ledger(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [{"query": "short"}, {"query": "long " * 400}, {"nothing": 1}, {"query": "short too"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    args = InferArguments(
        ckpt_dir=str(checkpoint), val_dataset=(str(path),), max_new_tokens=4, result_dir=str(tmp_path / "out")
    )
    result = infer_main(args)
    assert [row["query"] for row in result.rows] == ["short", "short too"]  # type: ignore[union-attr]
    (ledger,) = (tmp_path / "out").glob("*.row_ledger.jsonl")
    assert sorted(line["line"] for line in read_lines(ledger)) == [2, 3]
    with pytest.raises(DataError, match=r"rows.jsonl:3"):
        infer_main(
            InferArguments(
                ckpt_dir=str(checkpoint),
                val_dataset=(str(path),),
                strict_data=True,
                result_dir=str(tmp_path / "strict"),
            )
        )


def test_a_piped_chat(checkpoint: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "swift", "infer", "--ckpt_dir", str(checkpoint), "--max_new_tokens", "5"],
        input="who are you?\nexit\n", capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "<<< who are you?" in done.stdout
    (path,) = (checkpoint / "infer_result").glob("*.jsonl")
    assert read_lines(path)[0]["query"] == "who are you?"


def test_ctrl_c_stops_the_answer_not_the_program(model_folder: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "swift", "infer", "--model_id_or_path", str(model_folder), "--save_result", "false",
        "--template_type", "chatml", "--max_new_tokens", "400", "--do_sample", "true", "--temperature", "50",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while "<<< go" not in process.stdout.readline():
        pass
    process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate("help\nexit\n", timeout=300)
    assert process.returncode == 0, err
    assert "reset-system" in out


def test_dry_run_prints_reasons_and_prompts(checkpoint: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "infer", "--ckpt_dir", str(checkpoint), "--val_dataset", str(rows), "--top_p", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "# flag --top_p" in printed
    assert "# --top_p is given" in printed
    assert "6 rows to answer, 0 lost" in printed
    assert "<|im_start|>user" in printed


def test_merge_first_then_answer(checkpoint: Path, rows: Path) -> None:
    target = checkpoint.with_name(checkpoint.name + "-merged")
    given = {"val_dataset": (str(rows),), "max_new_tokens": 8, "save_result": False, "verbose": False}
    plain = infer_main(InferArguments(ckpt_dir=str(checkpoint), **given))  # type: ignore[arg-type]
    merged = infer_main(InferArguments(ckpt_dir=str(checkpoint), merge_lora=True, **given))  # type: ignore[arg-type]
    by_folder = infer_main(InferArguments(ckpt_dir=str(target), **given))  # type: ignore[arg-type]
    by_model = infer_main(InferArguments(model_id_or_path=str(target), **given))  # type: ignore[arg-type]
    assert (target / "merge.json").is_file()
    answers = [[row["response"] for row in result.rows] for result in (plain, merged, by_folder, by_model)]  # type: ignore[union-attr]
    assert answers[1:] == answers[:1] * 3
    assert [row["system"] for row in by_model.rows] == [row["system"] for row in plain.rows]  # type: ignore[union-attr]


def test_sampling_settings_are_written_and_read_again(checkpoint: Path) -> None:
    from swift.utils.manifest import check_manifest

    infer_main(
        InferArguments(
            ckpt_dir=str(checkpoint), load_dataset_config=True, show_dataset_sample=1, max_new_tokens=2, save_result=False,
            temperature=0.5, top_k=7, overwrite_generation_config=True,
        )
    )  # fmt: skip
    assert check_manifest(checkpoint) == []
    plan = make_plan(InferArguments(ckpt_dir=str(checkpoint)))
    assert (plan.generate.do_sample, plan.generate.temperature, plan.generate.top_k) == (True, 0.5, 7)


def test_a_damaged_checkpoint_is_named(checkpoint: Path) -> None:
    weights = checkpoint / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match=r"adapter_model\.safetensors has"):
        make_plan(InferArguments(ckpt_dir=str(checkpoint)))


def test_a_missing_base_is_named(checkpoint: Path) -> None:
    file = checkpoint / "sft_args.json"
    saved = json.loads(file.read_text())
    file.write_text(json.dumps({**saved, "model_id_or_path": str(checkpoint / "gone")}))
    (checkpoint / "manifest.json").unlink()
    with pytest.raises(ModelError, match=r"is not where it was.*--model_id_or_path"):
        make_plan(InferArguments(ckpt_dir=str(checkpoint)))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"model_id_or_path": "CKPT"}, "holds an adapter, not a model. Give it as --ckpt_dir"),
        (
            {"ckpt_dir": "CKPT", "infer_backend": "vllm"},
            "vLLM is not installed. Make its environment with: swift env add vllm",
        ),
        ({"ckpt_dir": "CKPT", "infer_backend": "lmdeploy", "tp": 2}, "LMDeploy needs an NVIDIA GPU"),
        ({"ckpt_dir": "CKPT", "eval_human": False}, "there are no rows to answer"),
        ({"ckpt_dir": "CKPT", "sft_type": "full"}, "the checkpoint was tuned with lora"),
        ({"ckpt_dir": "CKPT", "do_sample": False, "top_k": 3}, "--do_sample is false"),
        ({"ckpt_dir": "CKPT", "truncation_strategy": "split"}, "a prompt keeps its end, in one piece"),
        ({"ckpt_dir": "CKPT", "max_model_len": 4096}, "the model has 512 positions"),
        ({"ckpt_dir": "CKPT", "show_dataset_sample": 3}, "there are no rows to answer"),
    ],
)
def test_refusals(adapter_checkpoint: Path, given: dict[str, Any], text: str) -> None:
    values = {name: str(adapter_checkpoint) if value == "CKPT" else value for name, value in given.items()}
    with pytest.raises(PlanError, match=text):
        make_plan(InferArguments(**values))


def test_all_problems_come_at_once(adapter_checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(
        ["infer", "--ckpt_dir", str(adapter_checkpoint), "--top_p", "3", "--temperature", "-1", "--top_k", "-2",
         "--repetition_penalty", "0", "--max_new_tokens", "0", "--num_beams", "0", "--max_batch_size", "0"]
    )  # fmt: skip
    printed = capsys.readouterr().err
    assert code == 2
    assert "7 problems" in printed
