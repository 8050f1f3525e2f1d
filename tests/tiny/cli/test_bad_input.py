"""What goes wrong before a run: told on one screen, with what was given and what to do; nothing is left behind."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from place import SHORT, Place, sums

GOOD = json.dumps({"query": "a", "response": "b"})


def train(place: Place, *words: object, dataset: str = "rows.jsonl", command: str = "sft") -> Any:
    """Ask for a training run with the tiny model; check that it leaves the folder as it was."""
    before = place.files()
    done = place.swift(command, "--model_id_or_path", place.model, "--dataset", dataset, *words)
    assert done.code != 0, done
    assert place.files() == before
    return done


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "other.jsonl",
            '{"frage": "a", "antwort": "b"}\n' * 3,
            ["found antwort, frage", "query + response", "--custom_dataset_info"],
        ),
        ("empty.jsonl", "", ["empty.jsonl", "holds no rows"]),
        ("empty.json", "[]", ["empty.json", "holds no rows"]),
        ("object.json", '{"a": 1}', ["object.json", "list"]),
        ("rows.xlsx", "PK", ["rows.xlsx", ".jsonl"]),
        ("silent.jsonl", '{"query": "a", "response": ""}\n' * 4, ["silent.jsonl", "4 rows are all lost"]),
    ],
)
def test_data_that_cannot_be_read(place: Place, name: str, content: str | bytes, told: list[str]) -> None:
    place.write(name, content)
    train(place, dataset=name).check_refused(*told)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("broken.json", f"[{GOOD},\n{GOOD[:-1]},,}}]", ["broken.json:2", "not JSON", "column"]),
        ("broken.jsonl", f"{GOOD}\n{GOOD}\n{{oops}}\n{GOOD}\n", ["broken.jsonl:3", "not JSON", "{oops}"]),
        ("latin.jsonl", GOOD.encode() + b'\n{"query": "caf\xe9", "response": "b"}\n', ["latin.jsonl", "UTF-8"]),
    ],
)
def test_a_broken_row_costs_itself_alone(place: Place, name: str, content: str | bytes, told: list[str]) -> None:
    place.write(name, content)
    train(place, "--strict_data", True, dataset=name).check_refused(*told)
    words = ["--model_id_or_path", place.model, "--dataset", name, "--dataset_test_ratio", 0]
    place.swift("preprocess", *words).check_well("lost 1 (", "\nlost ")


def test_a_data_file_that_is_not_there(place: Place) -> None:
    train(place, dataset="row.jsonl").check_refused("row.jsonl: there is no such file", "rows.jsonl")
    train(place, dataset="/nowhere/rows.jsonl").check_refused("/nowhere/rows.jsonl", "no such file")


def test_an_unknown_data_set(place: Place) -> None:
    train(place, dataset="self-cognitoin").check_refused(
        "'self-cognitoin'", "did you mean 'self-cognition'", "swift list datasets"
    )


def test_no_data_and_no_model(place: Place) -> None:
    before = place.files()
    place.swift("sft", "--model_id_or_path", place.model).check_refused("--dataset", "--dataset my.jsonl")
    place.swift("sft", "--dataset", "rows.jsonl").check_refused("--model_type", "demo-chat")
    place.swift("infer").check_refused("--model_type")
    assert place.files() == before


def test_rows_that_are_all_too_long(place: Place) -> None:
    train(place, "--max_length", 5).check_refused(
        "all 24 rows are over --max_length 5", "--max_length 32", "truncation_left"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model_type", "qwen2_5-7b-instruc"], ["'qwen2_5-7b-instruc'", "'qwen2_5-7b-instruct'"]),
        (["--template_type", "qwen2_6"], ["'qwen2_6'", "'qwen2_5'"]),
        (["--sft_type", "lorra"], ["--sft_type", "'lorra'", "'lora'"]),
        (["--sft_type", "bofft"], ["bofft", "boft"]),
        (["--max_length", "0"], ["--max_length 0: is a count of tokens from 1 up"]),
        (["--max_lost_ratio", "2"], ["--max_lost_ratio 2.0: is a share"]),
        (["--preprocess_num_proc", "0"], ["--preprocess_num_proc 0: is a count"]),
        (["--target_modules", "q_prj"], ["--target_modules q_prj", "q_proj"]),
        (
            ["--learning_rate", "fast", "--batch_size", "1.5"],
            ["2 problems", "--learning_rate", "'fast'", "1e-4", "--batch_size", "'1.5'"],
        ),
        (["--lerning_rate", "1"], ["--lerning_rate", "--learning_rate"]),
        (["--save_safetensors", "false"], ["--save_safetensors", "Leave it out"]),
        (["--output_dir", "/dev/null/x"], ["--output_dir", "/dev/null/x", "Choose a folder"]),
        (["--output_dir", "rows.jsonl"], ["--output_dir", "rows.jsonl", "Choose a folder"]),
        (["--resume_from_checkpoint", "run"], ["--resume_from_checkpoint", "run", "no such folder"]),
        (["--custom_register_path", "mine.py"], ["mine.py"]),
        (["--custom_dataset_info", "info.json"], ["info.json"]),
        (["--optim", "adamm"], ["adamm"]),
        (["--lr_scheduler_type", "cosin"], ["cosin"]),
    ],
    ids=lambda value: value[0] if value[0].startswith("--") else "",
)
def test_a_value_that_cannot_be(place: Place, words: list[str], told: list[str]) -> None:
    train(place, *words).check_refused(*told)


def test_all_conflicts_at_once(place: Place) -> None:
    done = train(place, "--packing", "true", "--padding_free", "false", "--dtype", "fp16", "--use_galore", "true",
                 "--freeze_parameters", "model.embed", "--dataset_test_ratio", 2, "--lora_rank", 0)  # fmt: skip
    done.check_refused("6 problems", "--packing true with --padding_free false", "--dtype fp16", "--use_galore", "--freeze_parameters",
                       "--dataset_test_ratio 2.0", "--lora_rank 0")  # fmt: skip
    assert done.code == 2


def test_a_folder_that_is_no_model(place: Place) -> None:
    (place.folder / "notes").mkdir()
    place.write("notes/readme.txt", "nothing")
    before = place.files()
    for words in (["sft", "--dataset", "rows.jsonl"], ["infer"]):
        place.swift(*words, "--model_id_or_path", "notes").check_refused(
            "notes: not a model", "config.json is missing", "readme.txt"
        )
        place.swift(*words, "--model_id_or_path", "rows.jsonl").check_refused("rows.jsonl", "a file, not a folder")
        place.swift(*words, "--model_id_or_path", "./nowhere").check_refused("nowhere", "no such folder")
    place.swift("infer", "--ckpt_dir", "notes").check_refused("notes: not a checkpoint")
    place.swift("merge-lora", "--ckpt_dir", "nowhere").check_refused("nowhere", "no such folder")
    assert place.files() == before


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda model: [path.unlink() for path in model.glob("tokenizer*")], ["no tokenizer", "tokenizer.json"]),
        (
            lambda model: (model / "config.json").write_text('{"architectures": ['),
            ["config.json", "line 1", "not valid JSON"],
        ),
        (lambda model: (model / "config.json").write_text("{}"), ["config.json", "architectures"]),
        (lambda model: (model / "tokenizer.json").write_text("{"), ["tokenizer.json"]),
        (lambda model: cut(model / "model.safetensors", 50_000), ["model.safetensors", "has 50,000 bytes", "again"]),
        (lambda model: cut(model / "model.safetensors", 20), ["model.safetensors", "not a whole safetensors file"]),
        (lambda model: (model / "model.safetensors").unlink(), ["no weights", "again"]),
    ],
    ids=["no tokenizer", "broken config", "empty config", "broken tokenizer", "cut weights", "no header", "no weights"],
)
def test_a_broken_model_folder(place: Place, harm: Any, told: list[str]) -> None:
    shutil.copytree(place.model, place.folder / "model")
    harm(place.folder / "model")
    before = place.files()
    place.swift("sft", "--model_id_or_path", "model", "--dataset", "rows.jsonl").check_refused(*told)
    place.swift("infer", "--model_id_or_path", "model", "--val_dataset", "questions.jsonl").check_refused(*told)
    assert place.files() == before


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("run.yaml", "model_id_or_path: m\nlerning_rate: 1e-4\nlora_rank: many\n",
         ["run.yaml:2: lerning_rate: unknown key; did you mean learning_rate or", "run.yaml:3: lora_rank: 'many'"]),
        ("run.yaml", "model_id_or_path: m\n  dataset: [rows.jsonl\n", ["run.yaml: line 2", "not valid YAML"]),
        ("run.json", '{"max_steps": 1,}', ["run.json", "line 1"]),
        ("run.toml", "max_steps = 1", ["run.toml", ".yaml"]),
    ],
)  # fmt: skip
def test_a_broken_configuration_file(place: Place, name: str, text: str, told: list[str]) -> None:
    place.write(name, text)
    before = place.files()
    place.swift("sft", name).check_refused(*told)
    assert place.files() == before


def test_a_configuration_file_that_is_not_there(place: Place) -> None:
    place.swift("sft", "runn.yaml").check_refused("runn.yaml: there is no such file")


def without_privileges() -> None:
    """Let the permissions of files hold for root, too: the next program has no right to go over them."""
    if os.geteuid() == 0:
        drop, override, search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        for capability in (override, search):
            ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


@pytest.fixture
def closed(place: Place) -> Iterator[Place]:
    """A place with a folder that cannot be written to, and a file and a model that cannot be read."""
    shutil.copytree(place.model, place.folder / "secret")
    for name, mode in (("closed", 0o555), ("mine.jsonl", 0o000), ("secret", 0o000)):
        path = place.folder / name
        if name == "closed":
            path.mkdir()
        elif not path.exists():
            shutil.copy(place.folder / "rows.jsonl", path)
        path.chmod(mode)
    probe = subprocess.run(
        ["touch", place.folder / "closed" / "probe"], preexec_fn=without_privileges, capture_output=True
    )
    if probe.returncode == 0:
        pytest.skip("this user may write anywhere")
    yield place
    for name in ("closed", "secret"):
        (place.folder / name).chmod(0o755)


def test_no_permission(closed: Place) -> None:
    program = (
        "import sys\n"
        "from swift.cli.main import main\n"
        "for words in ('sft --dataset rows.jsonl --output_dir closed --model_id_or_path M', 'sft --dataset mine.jsonl --model_id_or_path M',"
        " 'sft --dataset rows.jsonl --model_id_or_path secret', 'infer --val_dataset rows.jsonl#1 --model_id_or_path M --result_dir closed'):\n"
        "    print('::', main([sys.argv[1] if word == 'M' else word for word in words.split()]), file=sys.stderr)\n"
    )
    before = {name: size for name, size in closed.files().items() if not name.startswith("secret/")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(closed.model)], cwd=closed.folder, env={**os.environ, **closed.variables()},
        capture_output=True, text=True, preexec_fn=without_privileges, timeout=300,
    )  # fmt: skip
    told = done.stderr.split("::")
    assert len(told) == 5, done.stderr
    assert [one.split()[0] for one in told[1:]] == ["1"] * 4, done.stderr
    for text, parts in zip(told, (["--output_dir", "closed/", "ermission"], ["mine.jsonl", "ermission"], ["secret", "permission"],
                                  ["closed", "ermission"]), strict=False):  # fmt: skip
        assert [part for part in parts if part not in text] == [], done.stderr
    assert "Traceback" not in done.stderr
    assert {name: size for name, size in closed.files().items() if not name.startswith("secret/")} == before


@pytest.fixture
def hub(model_folder: Path) -> Iterator[tuple[Any, str]]:
    """A hub on this machine that has the tiny model; the contract tests' own."""
    file = Path(__file__).resolve().parents[2] / "contract" / "test_hub_download.py"
    spec = importlib.util.spec_from_file_location("hub_of_this_machine", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.REPOSITORIES["acme/tiny"] = {path.name: path.read_bytes() for path in model_folder.iterdir()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), module.Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield module.Hub, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_interrupted_download(hub: tuple[Any, str], place: Place, tmp_path: Path) -> None:
    served, address = hub
    served.cut = True
    network = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
               "HF_HUB_ETAG_TIMEOUT": "2", "HF_HUB_DOWNLOAD_TIMEOUT": "2"}  # fmt: skip
    words = (
        "sft",
        "--model_id_or_path",
        "acme/tiny",
        "--use_hf",
        "true",
        "--dataset",
        "rows.jsonl",
        *SHORT,
        "--max_steps",
        1,
    )
    before = place.files()
    done = place.spawn(*words, **network)
    done.check_refused("acme/tiny", "cannot be fetched from Hugging Face", "Run the command again")
    assert "\r" not in done.err
    assert place.files() == before
    assert list((tmp_path / "hf").rglob("*.safetensors")) == []
    served.cut = False
    place.spawn(*words, **network).check_well("done after 1 steps")


class TestFullDisk:
    """A limit on the size of files stands for a full disk: writes fail in the same places, with another number."""

    @staticmethod
    def limited(num_bytes: int) -> Any:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))

    def test_while_a_checkpoint_is_written(self, place: Place) -> None:
        done = place.spawn(
            "sft", "--model_id_or_path", place.model, "--dataset", "rows.jsonl", *SHORT, "--sft_type", "full", "--max_steps", 1,
            before=self.limited(60_000),
        )  # fmt: skip
        done.check_refused("cannot write", "checkpoint-1")
        assert [path.name for path in place.run().iterdir() if "checkpoint" in path.name] == []

    def test_before_anything_is_written(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        from swift.llm.training import run

        monkeypatch.setattr(run, "free_gib", lambda path: 1e-4)  # a disk that is really full cannot be had here
        train(place).check_refused("--output_dir", "a checkpoint needs about", "104.9 KiB are free", "Free some space")

    def test_while_rows_are_prepared(self, place: Place) -> None:
        place.rows("many.jsonl", sums(0, 400))
        before = place.files()
        done = place.spawn(
            "sft", "--model_id_or_path", place.model, "--dataset", "many.jsonl", *SHORT, before=self.limited(6_000)
        )
        done.check_refused("cannot write")
        assert place.files() == before
        left = [
            path
            for path in Path(place.variables()["SWIFT_CACHE"]).rglob("*")
            if path.is_file() and path.suffix != ".lock"
        ]
        assert left == []


def test_an_unwritable_place_for_answers(place: Place, trained: Any) -> None:
    before = place.files()
    done = place.swift("infer", "--ckpt_dir", trained.checkpoint, "--val_dataset", "questions.jsonl#1", "--max_new_tokens", 2,
                       "--result_dir", "/dev/null/x")  # fmt: skip
    done.check_refused("/dev/null/x")
    assert place.files() == before


def test_a_pipe_that_closes_is_no_error(place: Place) -> None:
    with place.start("list", "models") as process:
        head = subprocess.run(["head", "-n", "1"], stdin=process.stdout, capture_output=True, text=True, check=True)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.wait(timeout=60)
    assert head.stdout
    assert (process.returncode, err) == (0, "")


def test_several_processes_are_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPROC_PER_NODE", "4")
    said = place.swift("plan", "sft", "--model_type", "demo-chat", "--dataset", "small-instruct")
    assert said.code == 2
    assert "NPROC_PER_NODE=4" in said.err
