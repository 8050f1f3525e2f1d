"""A file drives a command: native keys, the other dialect's, and mistakes with their lines."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from swift.cli.parser import Parsed, parse_argv
from swift.utils.errors import ArgumentError


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, *argv: str, command: str = "sft", name: str = "c.yaml") -> Parsed:
    Path(name).write_text(text, encoding="utf-8")
    return parse_argv(command, [name, *argv])


def problem(text: str, *argv: str, name: str = "c.yaml", command: str = "sft") -> str:
    with pytest.raises(ArgumentError) as caught:
        read(text, *argv, name=name, command=command)
    return str(caught.value)


def test_flags_are_stronger_than_the_file_and_both_say_where_they_are_from() -> None:
    parsed = read("lora_rank: 4\nlearning_rate: 1e-4\n", "--lora_rank", "16")
    assert (parsed.args.lora_rank, parsed.args.learning_rate) == (16, 1e-4)
    assert parsed.sources == {"lora_rank": "flag --lora_rank", "learning_rate": "file c.yaml:2"}


def test_values_are_read_by_the_kind_of_the_argument() -> None:
    parsed = read(
        "system: yes\nmodel_revision: 1.10\ninit_lora_weights: true\nmax_steps: 1e3\nmodel_type:\ndataset: a,b\n"
        "report_to: [wandb]\nlr_scheduler_kwargs: {rate: 1e-3, flag: yes, text: '1e-3'}\nlora-dropout: .1\n"
    )
    args = parsed.args
    assert (args.system, args.model_revision, args.init_lora_weights) == ("yes", "1.10", "true")
    assert (args.max_steps, args.dataset, args.report_to, args.lora_dropout) == (1000, ("a", "b"), ("wandb",), 0.1)
    assert args.lr_scheduler_kwargs == {"rate": 1e-3, "flag": True, "text": "1e-3"}
    assert "model_type" not in parsed.sources


def test_json_is_a_configuration_too() -> None:
    parsed = read('{"lora_rank": 4,\n "dataset": ["a"],\n "deepspeed": {"x": 1}}', name="c.json")
    assert (parsed.args.lora_rank, parsed.args.dataset, parsed.args.deepspeed) == (4, ("a",), {"x": 1})
    assert parsed.sources["dataset"] == "file c.json:2"


def test_config_flag_names_the_file() -> None:
    Path("c.yml").write_text("lora_rank: 4")
    assert parse_argv("sft", ["--lora_alpha", "8", "--config", "c.yml"]).args.lora_rank == 4


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("lora_rank: 4\nlora_rnk: 5\n", "c.yaml", "c.yaml:2: lora_rnk: unknown key; did you mean lora_rank"),
        ("\nlora_rank: eight\n", "c.yaml", "c.yaml:2: lora_rank: 'eight' is not an integer"),
        ("lora_rank: 4\nlora_rank: 5\n", "c.yaml", "c.yaml:2: key 'lora_rank' is there already in line 1"),
        ("deepspeed:\n  a: 1\n  a: 2\n", "c.yaml", "c.yaml:3: key 'a' is there already in line 2"),
        ("lora_rank: [4\n", "c.yaml", "c.yaml: line 2, column 1: not valid YAML"),
        ("\tlora_rank: 4\n", "c.yaml", "line 1, column 1"),
        ("- a\n", "c.yaml", "expected lines of the form 'key: value'"),
        ("lora_rank: [4, 5]\n", "c.yaml", "is not a single value"),
        ("dataset: {a: b}\n", "c.yaml", "is not a list"),
        ('{"lora_rank": 4,\n}', "c.json", "c.json: line 2, column 1: not valid JSON"),
        ('{"lora_rank": 4,\n "lora_rank": 5}', "c.json", "c.json:2: key 'lora_rank' is there twice"),
        ('{"lora_rank": 4,\n "lora_rnk": 5}', "c.json", "c.json:2: lora_rnk: unknown key"),
        ("[1]", "c.json", "expected an object of options"),
        ("lora_rank: 4", "c.toml", "a configuration file ends in .yaml, .yml or .json"),
        ("strict: perhaps", "c.yaml", "'perhaps' is not true or false"),
    ],
)
def test_mistakes_have_their_line(text: str, name: str, said: str) -> None:
    assert said in problem(text, name=name)


def test_a_missing_file_names_the_nearest_one() -> None:
    Path("train.yaml").write_text("")
    with pytest.raises(ArgumentError, match=r"trian.yaml: there is no such file; did you mean train.yaml\?"):
        parse_argv("sft", ["trian.yaml"])


def test_a_strict_file_can_be_overridden_and_not_be_added_to() -> None:
    assert read("strict: true\nlora_rank: 4\n", "--lora_rank", "8").args.lora_rank == 8
    assert "--dtype: c.yaml is strict" in problem("strict: true\nlora_rank: 4\n", "--dtype", "bf16")


@pytest.fixture
def server() -> Iterator[str]:
    class Pages(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/missing.yaml":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path == "/page.yaml" else "text/plain")
            self.end_headers()
            self.wfile.write(b"x" * (3 * 2**20) if self.path == "/big.yaml" else b"lora_rank: 4\n")

        def log_message(self, *args: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def test_a_file_can_be_an_address(server: str) -> None:
    parsed = parse_argv("sft", [f"{server}/c.yaml"])
    assert parsed.args.lora_rank == 4
    for page, said in (("missing", "the server says 404 Not Found"), ("page", "raw file"), ("big", "too much")):
        with pytest.raises(ArgumentError, match=said):
            parse_argv("sft", [f"{server}/{page}.yaml"])


QLORA = """\
base_model: mistralai/Mistral-7B-v0.1
model_type: MistralForCausalLM
tokenizer_type: AutoTokenizer
is_mistral_derived_model: true
load_in_8bit: false
load_in_4bit: true
strict: false
datasets:
  - path: acme/faq
    name: short
    type: alpaca
val_set_size: 0.05
output_dir: ./out
adapter: qlora
lora_r: 32
lora_alpha: 16
lora_target_linear: true
lora_target_modules: [gate_proj]
sequence_len: 1024
sample_packing: true
wandb_project: trial
wandb_entity:
micro_batch_size: 2
num_epochs: 0.5
optimizer: adamw_bnb_8bit
lr_scheduler: cosine
learning_rate: 2e-4
bf16: auto
fp16:
tf32: true
flash_attention: true
saves_per_epoch: 1
special_tokens:
"""


def test_a_file_of_the_other_dialect() -> None:
    parsed = read(QLORA)
    wanted = {
        "model_id_or_path": "mistralai/Mistral-7B-v0.1",
        "model_type": None,
        "quantization_bit": 4,
        "quant_method": "bnb",
        "dataset": ("HF::acme/faq:short",),
        "dataset_test_ratio": 0.05,
        "output_dir": str(Path("out").absolute()),
        "add_output_dir_suffix": False,
        "sft_type": "lora",
        "lora_rank": 32,
        "lora_alpha": 16,
        "target_modules": ("ALL",),
        "max_length": 1024,
        "packing": True,
        "report_to": ("wandb",),
        "batch_size": 2,
        "num_train_epochs": 0.5,
        "optim": "adamw_bnb_8bit",
        "lr_scheduler_type": "cosine",
        "learning_rate": 2e-4,
        "dtype": "AUTO",
        "hf_args": {"tf32": True},
        "use_flash_attn": True,
        "save_strategy": "epoch",
        "evaluation_strategy": "epoch",
    }
    assert {name: getattr(parsed.args, name) for name in wanted} == wanted
    assert parsed.environment == {"WANDB_PROJECT": "trial"}
    assert parsed.sources["lora_rank"] == "file c.yaml:15"


def test_both_names_work_at_the_prompt() -> None:
    parsed = read(QLORA, "--lora_r", "4", "--max_length", "64", "--adapter", "lora", "--micro_batch_size", "3")
    assert (parsed.args.lora_rank, parsed.args.max_length, parsed.args.batch_size) == (4, 64, 3)
    assert parsed.sources["lora_rank"] == "flag --lora_r"


def test_native_names_win() -> None:
    assert read("lora_rank: 3\nlora_r: 9\nbase_model: x\n").args.lora_rank == 3


def test_without_an_adapter_all_weights_are_trained() -> None:
    parsed = read("base_model: x\nadapter:\n")
    assert parsed.args.sft_type == "full"
    assert any("sft_type full" in note for note in parsed.notes)


def test_keys_without_a_counterpart_are_reported_together() -> None:
    said = problem(
        "base_model: x\npad_to_sequence_len: true\nrelora_cpu_offload: true\ntokens:\nlora_fan_in_fan_out: false\n"
    )
    assert said.startswith("2 problems")
    assert "c.yaml:2: pad_to_sequence_len: this key has no counterpart in this version yet" in said
    assert "c.yaml:3: relora_cpu_offload" in said


@pytest.mark.parametrize(
    ("text", "command", "note"),
    [
        ("rl: ipo\n", "rlhf", "c.yaml holds rl: swift rlhf runs"),
        ("pretraining_dataset: acme/books\nmax_steps: 5\n", "pt", "swift pt runs"),
    ],
)
def test_keys_can_ask_for_another_command(text: str, command: str, note: str) -> None:
    parsed = read(text)
    assert parsed.command == command
    assert note in parsed.notes[0]


@pytest.mark.parametrize(
    "text",
    [
        "warmup_ratio: 0.1\nwarmup_steps: 5\n",
        "test_datasets: [{path: a}]\nval_set_size: 0.1\n",
        "eval_steps: 5\nevals_per_epoch: 1\n",
        "save_steps: 5\nsaves_per_epoch: 1\n",
    ],
)
def test_pairs_that_exclude_each_other(text: str) -> None:
    assert "cannot stand beside" in problem(text)


def test_entries_with_options_become_rows_of_a_dataset_info() -> None:
    Path("d.jsonl").write_text("")
    parsed = read(
        "datasets:\n"
        "  - {path: d.jsonl, type: sharegpt.load_role, field_human: me}\n"
        "  - {path: acme/qa, type: alpaca_chat.load_qa, train_on_split: test, name: [a, b]}\n"
        "  - {path: json, data_files: [d.jsonl], type: alpaca}\n"
    )
    assert parsed.args.dataset == ("dataset-1", "dataset-2", "d.jsonl")
    assert parsed.args.custom_dataset_info == {
        "dataset-1": {
            "dataset_path": str(Path("d.jsonl").absolute()),
            "type": "sharegpt.load_role",
            "conversations": {"user_role": "me"},
        },
        "dataset-2": {
            "hf_dataset_id": "acme/qa",
            "subsets": ["a", "b"],
            "type": "alpaca_chat.load_qa",
            "split": ["test"],
        },
    }


def test_formats_of_entries() -> None:
    parsed = read(
        "datasets:\n"
        "  - {path: 's3://bucket/a.jsonl', type: 'gpteacher:chat'}\n"
        "  - {path: acme/books, type: completion, field: body}\n"
        "  - {path: acme/talk, type: sharegpt, roles: {input: [guest], output: [host, cook]}}\n"
        "  - path: acme/own\n"
        "    type:\n"
        "      field_instruction: q\n"
        "      field_output: a\n"
        "      format: 'Q: {instruction} {input}'\n"
        "      no_input_format:\n"
        "  - {path: 'https://example.org/plain.jsonl'}\n"
    )
    assert parsed.args.dataset[-1] == "https://example.org/plain.jsonl"
    info = parsed.args.custom_dataset_info
    assert info == {
        "dataset-1": {"dataset_path": "s3://bucket/a.jsonl", "type": "gpteacher:chat"},
        "dataset-2": {"hf_dataset_id": "acme/books", "type": "completion", "field": "body"},
        "dataset-3": {
            "hf_dataset_id": "acme/talk",
            "conversations": {"roles": {"input": ["guest"], "output": ["host", "cook"]}},
        },
        "dataset-4": {
            "hf_dataset_id": "acme/own",
            "type": {"field_instruction": "q", "field_output": "a", "format": "Q: {instruction} {input}"},
        },
    }
    assert "entry 1: type 3 is neither" in problem("datasets: [{path: a, type: 3}]")
    assert "roles" in problem("datasets: [{path: a, roles: [x]}]")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("bf16: true", {"dtype": "bf16"}),
        ("bf16: full", {"dtype": "bf16", "hf_args": {"bf16_full_eval": True}}),
        ("bf16: false\nfp16: false", {"dtype": "fp32"}),
        ("fp16: true\nbf16: false", {"dtype": "fp16"}),
        ("load_in_8bit: true", {"quantization_bit": 8, "quant_method": "bnb"}),
        ("gptq: true", {"quant_method": "gptq"}),
        ("chat_template: inst", {"template_type": "mistral_v1"}),
        ("max_memory: {0: 20GiB, 1: 10}", {"device_max_memory": ("20GiB", "10GiB")}),
        ("device_map: auto", {"device_map_config": "auto"}),
        ("lora_model_dir: a", {"resume_only_model": True}),
        ("optimizer: galore_adamw_layerwise\noptim_args: {rank: 4}",
         {"use_galore": True, "optim": "adamw_torch", "galore_optim_per_parameter": True, "galore_rank": 4}),
        ("lr_scheduler: cosine\ncosine_min_lr_ratio: 0.1",
         {"lr_scheduler_type": "cosine", "cosine_min_lr_ratio": 0.1}),
        ("lr_scheduler: one_cycle\nlr_div_factor: 6", {"lr_scheduler_type": "one_cycle", "lr_div_factor": 6.0}),
        ("optimizer: sgd\noptim_args: {momentum: 0.9}", {"optim": "sgd", "optim_args": {"momentum": 0.9}}),
        ("loss_watchdog_threshold: 5\nloss_watchdog_patience: 2", {"loss_watchdog_threshold": 5.0, "loss_watchdog_patience": 2}),
        ("sdp_attention: true", {"attn_impl": "sdpa"}),
        ("fsdp: [full_shard, auto_wrap]\nfsdp_config: {a: 1}", {"fsdp": "full_shard auto_wrap", "fsdp_config": {"a": 1}}),
        ("s2_attention: true", {"sft_type": "longlora"}),
        ("adapter: lora\nrelora_steps: 150\nrelora_warmup_steps: 20\nrelora_anneal_steps: 5\nrelora_prune_ratio: 0.99",
         {"relora_steps": 150, "relora_warmup_steps": 20, "relora_anneal_steps": 5, "relora_prune_ratio": 0.99}),
        ("auto_resume_from_checkpoints: true", {"auto_resume": True}),
        ("flash_attn_rms_norm: true", {"use_liger": True}),
        ("evals_per_epoch: 0", {"evaluation_strategy": "no"}),
        ("bnb_config_kwargs: {bnb_4bit_quant_type: fp4}", {"bnb_4bit_quant_type": "fp4"}),
        ("overrides_of_model_config: {rope_scaling: {type: linear}}", {"rope_scaling": "linear"}),
    ],
)  # fmt: skip
def test_single_keys(text: str, values: dict[str, object]) -> None:
    args = read(text).args
    assert {name: getattr(args, name) for name in values} == values


@pytest.mark.parametrize(
    "text",
    ["val_set_size: 100", "tokenizer_type: LlamaTokenizer", "model_type: AutoModelForSeq2SeqLM", "rl: kto_pair",
     "evals_per_epoch: 4", "datasets: [{path: a, shards: 4}]", "lora_on_cpu: true",
     "overrides_of_model_config: {rope_scaling: {factor: 2}}", "peft: {loftq_config: {loftq_bits: 4}}"],
)  # fmt: skip
def test_what_cannot_be_translated_yet_says_so(text: str) -> None:
    assert "no counterpart in this version yet" in problem(text)


def test_an_adapter_to_answer_with() -> None:
    assert read("lora_model_dir: a\nmicro_batch_size: 3\n", command="infer").args.ckpt_dir == str(Path("a").absolute())


def test_every_key_of_the_dialect_page_is_read_in_some_way() -> None:
    page = Path(__file__).parents[4] / "shared" / "spec" / "config-yaml.md"
    if not page.exists():
        pytest.skip(f"the page is not there: {page}")
    from swift.cli.dialect import KEYS
    from swift.llm.arguments.commands import SftArguments
    from swift.llm.arguments.fields import specs

    known = set(KEYS) | {word for name, spec in specs(SftArguments).items() for word in (name, *spec.aliases)}
    keys: set[str] = {"strict"}
    for line in page.read_text(encoding="utf-8").partition("## Defaults that differ")[0].splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1] not in ("YAML", "---"):
            names = cells[1].partition(" (")[0].split(", ")
            keys |= {name.partition(".")[0].partition("[")[0] for name in names}
    # the continuations of "datasets[].type.…, field_system, …" are entries of `datasets`
    inside = {
        "system_format",
        "field_system",
        "field_instruction",
        "field_input",
        "field_output",
        "format",
        "no_input_format",
    }
    assert keys - inside - known - {"strict"} == set()
