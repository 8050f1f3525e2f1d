"""One row a command. Rows name the arguments class and the verb as text; nothing is imported to list them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["COMMANDS", "CommandRow", "find_command"]

_ARGUMENTS = "swift.llm.arguments.commands"


class CommandRow(NamedTuple):
    """A command: `arguments` is `"module:Class"`; `verb` a module with `main(parsed) -> int`, None if not
    built yet.

    `presets` are values that the name itself stands for (`swift dpo` is `swift rlhf --rlhf_type dpo`).
    """

    name: str
    help: str
    about: str
    arguments: str
    verb: str | None
    examples: tuple[str, ...] = ()
    presets: tuple[tuple[str, str], ...] = ()
    heading: str = "Commands"


def _preference(name: str, title: str) -> CommandRow:
    return CommandRow(
        name,
        f"{title}: rlhf with --rlhf_type {name}",
        f"Align a model by {title}. The same as swift rlhf --rlhf_type {name}.",
        f"{_ARGUMENTS}.rlhf:RlhfArguments",
        None,
        (f"swift {name} --model_id_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset pairs.jsonl",),
        (("rlhf_type", name),),
        "Short for rlhf",
    )


_ROWS = (
    CommandRow(
        "sft",
        "fine-tune a model on instructions",
        "Fine-tune a model on instruction data: LoRA by default, or all weights with --sft_type full.",
        f"{_ARGUMENTS}.sft:SftArguments",
        "swift.llm.sft",
        (
            "swift sft --model_type demo-chat --dataset self-cognition --model_name Robin --model_author Pier9",
            "swift sft --model_id_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset my.jsonl#500 --lora_rank 16",
            "swift sft train.yaml --learning_rate 2e-4",
            "swift plan sft train.yaml",
        ),
    ),
    CommandRow(
        "pt",
        "go on with pre-training on plain text",
        'Go on with the pre-training of a model on plain text: rows {"text": ...}, or .txt files.',
        f"{_ARGUMENTS}.pt:PtArguments",
        "swift.llm.pt",
        ("swift pt --model_id_or_path Qwen/Qwen2.5-0.5B --dataset books.txt --max_length 1024 --packing",),
    ),
    CommandRow(
        "preprocess",
        "prepare data for training ahead of time",
        "Read, check and tokenize data ahead of time, and say what is in it. Training with the same data, template and "
        "limits finds the result by its content.",
        f"{_ARGUMENTS}.preprocess:PreprocessArguments",
        "swift.llm.preprocess",
        (
            "swift preprocess --model_id_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset my.jsonl --max_length 4096",
            "swift preprocess run.yaml --shard 1/2 --dataset_cache_dir /shared/prepared   # and 2/2 elsewhere",
        ),
    ),
    CommandRow(
        "rlhf",
        "align a model by preferences or rewards",
        "Align a model by preferences (dpo, orpo, simpo, kto, cpo) or by rewards (rm, ppo).",
        f"{_ARGUMENTS}.rlhf:RlhfArguments",
        None,
        ("swift rlhf --rlhf_type dpo --model_id_or_path Qwen/Qwen2.5-0.5B-Instruct --dataset pairs.jsonl",),
    ),
    CommandRow(
        "infer",
        "chat with a model, or answer a data set",
        "Chat with a model in the terminal, or let it answer the rows of a data set.",
        f"{_ARGUMENTS}.infer:InferArguments",
        "swift.llm.infer",
        (
            "swift infer --model_type demo-chat",
            "swift infer --ckpt_dir output/demo-chat/v0-20250101-120000/checkpoint-100",
            "swift infer --ckpt_dir output/... --val_dataset test.jsonl --max_new_tokens 256",
        ),
    ),
    CommandRow(
        "merge-lora",
        "add an adapter into its model",
        "Add a trained adapter into the weights of its model and save the result beside the checkpoint.",
        f"{_ARGUMENTS}.merge_lora:MergeLoraArguments",
        "swift.llm.merge_lora",
        ("swift merge-lora --ckpt_dir output/demo-chat/v0-20250101-120000/checkpoint-100",),
    ),
    CommandRow(
        "export",
        "quantize, convert, upload",
        "Merge, quantize, convert or upload a model.",
        f"{_ARGUMENTS}.export:ExportArguments",
        "swift.llm.export",
        (
            "swift export --ckpt_dir output/.../checkpoint-100 --merge_lora",
            "swift export --ckpt_dir output/.../checkpoint-100 --to_peft_format",
        ),
    ),
    CommandRow(
        "eval",
        "run benchmarks",
        "Run benchmarks on a model, or on a server with the OpenAI interface.",
        f"{_ARGUMENTS}.eval:EvalArguments",
        None,
        ("swift eval --model_type demo-chat --eval_dataset gsm8k --eval_limit 100",),
    ),
    CommandRow(
        "app-ui",
        "chat with one model on a page",
        "Open a page to chat with one model.",
        f"{_ARGUMENTS}.app_ui:AppUiArguments",
        "swift.llm.app_ui",
        (
            "swift app-ui --model_type demo-chat",
            "swift app-ui --ckpt_dir output/demo-chat/v0-20250101-120000/checkpoint-100 --host 0.0.0.0 --port 7861",
            "swift app-ui --api_base http://127.0.0.1:8000/v1   # a server of swift deploy, or any other",
        ),
    ),
    CommandRow(
        "deploy",
        "serve a model with the OpenAI interface",
        "Serve a model over HTTP, with the OpenAI interface.",
        f"{_ARGUMENTS}.deploy:DeployArguments",
        "swift.llm.deploy",
        (
            "swift deploy --model_type demo-chat --host 127.0.0.1 --port 8000",
            "swift deploy --ckpt_dir output/.../checkpoint-100 --api_key_file keys.txt",
        ),
    ),
    CommandRow(
        "web-ui",
        "a page for all commands",
        "Open a page from which to train, try, export and measure models.",
        f"{_ARGUMENTS}.web_ui:WebUiArguments",
        None,
        ("swift web-ui --lang en",),
    ),
    CommandRow(
        "plan",
        "show what a command would do, and why",
        "Print the plan of another command, every value with its reason, before any weights are loaded. The same as "
        "the command with --dry_run.",
        "",
        None,
        ("swift plan sft train.yaml --lora_rank 16", "swift plan infer --ckpt_dir output/.../checkpoint-100"),
        heading="Finding out",
    ),
    CommandRow(
        "list",
        "list models, templates, datasets, tuners",
        "List the models, templates, data sets or tuners that swift knows; words narrow the list.",
        "swift.llm.arguments.listing:ListArguments",
        "swift.llm.list",
        ("swift list models qwen2_5 instruct", "swift list datasets en"),
        heading="Finding out",
    ),
    CommandRow(
        "template",
        "compare a chat format with the tokenizer's own",
        "Render conversations by a template and by the tokenizer's own chat template, compare the tokens, and show what is "
        "trained. Exit code 1 where they differ.",
        f"{_ARGUMENTS}.template:TemplateCommandArguments",
        "swift.llm.template_check",
        (
            "swift template check --model demo-chat",
            "swift template check --model ./my-model --template_type qwen3 --conversations rows.jsonl",
            "swift template check --model ./my-model --template_type own --show 'tool call'",
        ),
        heading="Finding out",
    ),
    CommandRow(
        "env",
        "environments for engines that exclude each other",
        "Make, check, repair and remove environments for engines (vllm, lmdeploy, sglang) whose packages exclude those of swift. "
        "Exit code 1 where one is not as asked for.",
        "swift.llm.arguments.environments:EnvArguments",
        "swift.llm.env",
        (
            "swift env list",
            "swift env add vllm                      # its CPU build where there is no GPU",
            "swift env add vllm --env_dir /data/envs # or SWIFT_ENV_DIR=/data/envs, for every command",
            "swift env check vllm --json",
            "swift env remove vllm",
        ),
        heading="Finding out",
    ),
    CommandRow(
        "serve-check",
        "compare an engine with the training code",
        "Let the training code, the engine pt and the engine of --infer_backend answer the same prompts, and compare tokens and "
        "log-probabilities; with an adapter, show that it is applied. Exit code 1 where something differs.",
        "swift.llm.arguments.environments:ServeCheckArguments",
        "swift.llm.serve_check",
        (
            "swift serve-check --model_type demo-chat --infer_backend vllm",
            "swift serve-check --ckpt_dir output/.../checkpoint-100 --infer_backend vllm --vllm_enable_lora true --json",
        ),
        heading="Finding out",
    ),
    CommandRow(
        "completion",
        "completion of commands and options in a shell",
        "Write a script that completes commands, options and their values in bash, zsh or fish.",
        "swift.llm.arguments.listing:CompletionArguments",
        "swift.cli.completion",
        (
            "source <(swift completion bash)         # for good: the same line in ~/.bashrc",
            "swift completion zsh > ~/.zfunc/_swift  # with fpath+=~/.zfunc before compinit in ~/.zshrc",
            "swift completion fish > ~/.config/fish/completions/swift.fish",
        ),
        heading="Finding out",
    ),
    _preference("dpo", "direct preference optimization"),
    _preference("orpo", "odds ratio preference optimization"),
    _preference("simpo", "simple preference optimization"),
    _preference("kto", "Kahneman-Tversky optimization"),
    _preference("cpo", "contrastive preference optimization"),
)

COMMANDS: Mapping[str, CommandRow] = {row.name: row for row in _ROWS}


def find_command(name: str) -> CommandRow:
    """Return the row; dashes and underscores are alike. Raises ArgumentError with the nearest names."""
    row = COMMANDS.get(name.replace("_", "-"))
    if row is not None:
        return row
    from swift.utils.errors import ArgumentError
    from swift.utils.registry import unknown

    raise ArgumentError(f"{unknown('command', name, COMMANDS)} (swift --help lists all commands)")
