"""Words of the command line become arguments, and mistakes become sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swift.cli.parser import Parsed, parse_argv
from swift.utils.errors import ArgumentError


def sft(*argv: str) -> Parsed:
    return parse_argv("sft", argv)


def problem(*argv: str, command: str = "sft") -> str:
    with pytest.raises(ArgumentError) as caught:
        parse_argv(command, argv)
    return str(caught.value)


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        (["--lora_rank", "16"], "lora_rank", 16),
        (["--lora-rank=16"], "lora_rank", 16),
        (["--learning_rate", "1e-4"], "learning_rate", 1e-4),
        (["--max_steps", "1e3"], "max_steps", 1000),
        (["--temperature", "-1"], "temperature", -1.0),
        (["--num_train_epochs", "0.5"], "num_train_epochs", 0.5),
        (["--packing"], "packing", True),
        (["--packing", "yes"], "packing", True),
        (["--packing", "0"], "packing", False),
        (["--no_packing"], "packing", False),
        (["--no-save-safetensors"], "save_safetensors", False),
        (["--dataset", "a#10,b"], "dataset", ("a#10", "b")),
        (["--dataset", "a", "b"], "dataset", ("a", "b")),
        (["--target_modules", "q_proj,k_proj"], "target_modules", ("q_proj", "k_proj")),
        (["--report_to", "a,b"], "report_to", ("a,b",)),
        (["--reft_layers", "0", "-1"], "reft_layers", (0, -1)),
        (["--system", ""], "system", ""),
        (["--system=--dashes"], "system", "--dashes"),
        (["--model_name", "小黄"], "model_name", ("小黄",)),
        (["--model_kwargs", '{"a": 1}'], "model_kwargs", {"a": 1}),
        (["--deepspeed", "default-zero2"], "deepspeed", "default-zero2"),
        (["--device_map_config", "cuda:1"], "device_map_config", "cuda:1"),
        (["--init_lora_weights", "pissa_niter_16"], "init_lora_weights", "pissa_niter_16"),
        (["--init_lora_weights", "True"], "init_lora_weights", "true"),
        (["--adalora_deltaT", "2"], "adalora_deltaT", 2),
        (["--model_id_or_path", "Qwen/Qwen2.5-0.5B"], "model_id_or_path", "Qwen/Qwen2.5-0.5B"),
        (["--model_id_or_path", "~/m"], "model_id_or_path", str(Path.home() / "m")),
        (["--output_dir", "out"], "output_dir", str(Path.cwd() / "out")),
        (["--loss_scale_config_path", "agent-flan"], "loss_scale_config_path", "agent-flan"),
    ],
)
def test_values(argv: list[str], name: str, value: Any) -> None:
    parsed = sft(*argv)
    assert getattr(parsed.args, name) == value
    assert type(getattr(parsed.args, name)) is type(value)
    assert parsed.sources == {name: f"flag {argv[0].partition('=')[0]}"}


def test_what_is_not_said_has_no_source_and_keeps_its_default() -> None:
    parsed = sft()
    assert parsed.sources == {}
    assert parsed.args.dataset == ()
    assert parsed.args.learning_rate is None


@pytest.mark.parametrize(
    ("argv", "note"),
    [
        (["--per_device_train_batch_size", "4"], "old name of --batch_size"),
        (["--train_dataset_sample", "4"], "deprecated; use --dataset NAME#COUNT"),
        (["--truncation_strategy", "ignore"], "read as delete"),
        (["--seed", "1", "--seed", "2"], "more than once"),
    ],
)
def test_old_ways_are_taken_with_a_note(argv: list[str], note: str) -> None:
    (said,) = sft(*argv).notes
    assert note in said
    assert argv[0] in said


@pytest.mark.parametrize(
    ("argv", "parts"),
    [
        (["--lora_rank", "eight"], ["--lora_rank: 'eight' is not an integer (example: --lora_rank 8)"]),
        (["--lora_rank", "1.5"], ["not an integer"]),
        (["--learning_rate", "nan"], ["'nan' is not a number"]),
        (["--packing", "maybe"], ["'maybe' is not true or false"]),
        (["--lora_rank"], ["--lora_rank needs a value: an integer (example: --lora_rank 8)"]),
        (["--dataset"], ["--dataset needs a value"]),
        (["--system", "be", "brief"], ["takes one value, not 2", '"be brief"']),
        (["--no_packing", "true"], ["--no_packing takes no value"]),
        (["--dtype", "bf61"], ["'bf61' is not one of AUTO, bf16, fp16, fp32; did you mean 'bf16'?"]),
        (["--sft_type", "lora2"], ["did you mean 'lora'?"]),
        (["--init_lora_weights", "pissa_niter_x"], ["is not one of"]),
        (["--quantization_bit", "5"], ["5 is not one of 0, 1, 2, 3, 4, 8"]),
        (["--dataset", "a", "b,c"], ["'b,c' holds a comma"]),
        (["--model_kwargs", "{a: 1}"], ["not valid JSON", "character 2"]),
        (["--model_kwargs", "[1]"], ["expected a JSON object"]),
        (["--deepspeed", "nowhere.json"], ["nor a file that exists", "default-zero3"]),
        (["--lora_ran", "8"], ["unknown option --lora_ran; did you mean --lora_rank"]),
        (["--adalora_deltat", "8"], ["unknown option --adalora_deltat; did you mean --adalora_deltaT"]),
        (["--xyzzy"], ["unknown option --xyzzy", "--help"]),
        (["lora_rank", "8"], ["only one configuration file", "two dashes"]),
        (["lora_rank"], ["'lora_rank' is neither an option, which begins with two dashes, nor a .yaml or .json"]),
    ],
)
def test_mistakes_name_the_flag_and_what_was_expected(argv: list[str], parts: list[str]) -> None:
    said = problem(*argv)
    for part in parts:
        assert part in said
    assert "\n" not in said


def test_a_prefix_of_a_name_is_not_the_name() -> None:
    assert "unknown option --max_len" in problem("--max_len", "8")


def test_all_mistakes_are_reported_together() -> None:
    said = problem("--lora_rank", "x", "--nope", "1", "--dtype", "int3", "--seed")
    assert said.startswith("4 problems")
    assert said.count("\n  - ") == 4


def test_ignore_args_error_skips_unknown_names_and_nothing_else() -> None:
    parsed = sft("--nope", "1", "--ignore_args_error", "true", "--lora_rank", "4")
    assert parsed.args.lora_rank == 4
    assert parsed.notes == ("--nope: not known, skipped (ignore_args_error)",)
    assert "not an integer" in problem("--ignore_args_error", "--lora_rank", "x")


def test_json_files_are_read_and_broken_ones_located(tmp_path: Path) -> None:
    good, broken = tmp_path / "good.json", tmp_path / "broken.json"
    good.write_text('{"zero": 2}')
    broken.write_text('{"zero": 2,\n  oops}')
    assert sft("--deepspeed", str(good)).args.deepspeed == {"zero": 2}
    assert "line 2, column 3" in problem("--deepspeed", str(broken))


def test_a_dataset_info_stays_a_file_since_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    info = tmp_path / "info.json"
    info.write_text("{}")
    assert sft("--custom_dataset_info", str(info)).args.custom_dataset_info == str(info)


def test_a_file_with_a_comma_in_its_name_is_one_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a,b.jsonl").write_text("")
    assert sft("--dataset", "a,b.jsonl").args.dataset == ("a,b.jsonl",)


def test_short_names_preset_the_algorithm() -> None:
    parsed = parse_argv("simpo", ["--beta", "2"])
    assert parsed.command == "rlhf"
    assert parsed.args.rlhf_type == "simpo"
    assert parsed.sources["rlhf_type"] == "command simpo"


def test_words_of_list_are_not_options() -> None:
    parsed = parse_argv("list", ["datasets", "en", "chat", "--json"])
    assert (parsed.args.what, parsed.args.words, parsed.args.json) == ("datasets", ("en", "chat"), True)
    assert "'modles' is not one of models" in problem("modles", command="list")


def test_underscores_in_commands() -> None:
    assert parse_argv("merge_lora", []).command == "merge-lora"
    with pytest.raises(ArgumentError, match="did you mean 'merge-lora'"):
        parse_argv("merge-lra", [])
