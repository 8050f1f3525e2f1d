"""Answering from a checkpoint: which one, over what, with which engine."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import Json, arg


@dataclass(frozen=True, kw_only=True)
class AnswerArguments:
    """What infer and the commands built on it share. Those without rows refuse what is for rows."""

    ckpt_dir: str | None = arg(
        None, "Checkpoint folder that training wrote, such as output/<model_type>/v0-.../checkpoint-100. "
        "Left out, the model answers untuned.", "infer", starred=True, path="always",
    )  # fmt: skip
    infer_backend: str = arg(
        "AUTO", "Engine. AUTO takes vllm where it is installed (`swift env add vllm`), there is a GPU and it can run the model, "
        "otherwise pt.", "infer",
        choices=("AUTO", "vllm", "pt", "lmdeploy", "sglang"), starred=True,
    )  # fmt: skip
    env_dir: str | None = arg(
        None, "Folder of the engines' environments. Left out, the variable SWIFT_ENV_DIR, or envs in swift's cache.", "infer",
        path="always",
    )  # fmt: skip
    load_args_from_ckpt_dir: bool = arg(True, "Take the model's settings from the checkpoint.", "infer")
    load_dataset_config: bool = arg(
        False, "Take the data settings from the checkpoint too.", "infer", starred=True,
    )  # fmt: skip
    eval_human: bool | None = arg(
        None, "Chat in the terminal (true) or answer the rows of a data set (false). Left out, rows if data "
        "is given.", "infer",
    )  # fmt: skip
    show_dataset_sample: int = arg(-1, "How many rows to answer; -1 is all.", "infer", starred=True)
    seed: int = arg(42, "Seed of all random numbers.", "infer")
    stream: bool = arg(True, "Show the answer while it is being written.", "infer")
    verbose: bool | None = arg(
        None, "Print each question and answer, not a progress bar. Left out, up to 99 rows are printed.",
        "infer", starred=True,
    )  # fmt: skip
    merge_lora: bool = arg(
        False, "Add the adapter into the model's weights and save them as <checkpoint>-merged.", "infer",
        starred=True, aliases=("merge_lora_and_save",),
    )  # fmt: skip
    merge_device_map: str | None = arg(
        None, "Where the weights are for that: cpu, auto or a device. Left out, auto in merge-lora and cpu "
        "elsewhere.", "infer",
    )  # fmt: skip
    save_safetensors: bool = arg(
        True, "Save weights as safetensors, not as .bin.", "infer", aliases=("safe_serialization",),
    )  # fmt: skip
    overwrite_generation_config: bool = arg(
        False, "Write the sampling settings into the generation_config.json of the checkpoint.", "infer",
    )  # fmt: skip
    save_result: bool = arg(True, "Write the answers to a jsonl file.", "infer")
    result_dir: str | None = arg(
        None, "Folder of that file; left out, infer_result in the checkpoint.", "infer", path="always",
    )  # fmt: skip
    max_batch_size: int = arg(16, "Rows that the engine pt answers at a time.", "infer")
    use_adapter: str | None = arg(
        None, "Adapter that answers, by its name in --lora_modules (default-lora: that of --ckpt_dir); base is the model "
        "without any. A chat begins with it.", "infer", metavar="NAME",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RowsArguments:
    """How the rows of a data set are answered: for commands that answer rows only."""

    best_of: int = arg(
        1, "Answers drawn for each row; one is chosen, all are in the result file. Needs sampling.", "infer",
    )  # fmt: skip
    best_by: str = arg(
        "logprob", "Which one is chosen. logprob: the highest mean log-probability of its tokens; majority: the commonest "
        "text.", "infer", choices=("logprob", "majority"),
    )  # fmt: skip
    result_logprobs: int | None = arg(
        None, "Write the log-probability of each token into the result file, with those of that many likeliest ones.", "infer",
    )  # fmt: skip
    resume: bool = arg(
        True, "Go on with the unfinished result file of the same rows and settings in the same folder, where there is one; "
        "false begins anew.", "infer",
    )  # fmt: skip
    score_labels: bool = arg(
        True, "Where rows have labels, also measure how likely the model finds them: perplexity, token accuracy.", "infer",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EngineArguments:
    """Settings of the engines vLLM and LMDeploy."""

    lora_modules: Sequence[str] = arg(
        (), "Adapters to serve, as name=path; ckpt_dir joins them as default-lora.", "vllm",
        aliases=("vllm_lora_modules",), metavar="NAME=PATH",
    )  # fmt: skip
    gpu_memory_utilization: float = arg(
        0.9, "Share of the GPU memory the engine may take.", "vllm", starred=True,
    )  # fmt: skip
    tensor_parallel_size: int = arg(1, "GPUs of one copy of the model.", "vllm", starred=True)
    max_num_seqs: int = arg(256, "Most answers under way at a time.", "vllm")
    max_model_len: int | None = arg(
        None, "Longest context in tokens; left out, the model's.", "vllm", starred=True,
    )  # fmt: skip
    disable_custom_all_reduce: bool = arg(True, "Let NCCL do the all-reduce, not vLLM's own kernel.", "vllm")
    enforce_eager: bool = arg(False, "No CUDA graphs: less memory, slower.", "vllm")
    limit_mm_per_prompt: Json = arg(
        None, 'Most media of one prompt, as JSON, such as {"image": 10, "video": 5}.', "vllm",
    )  # fmt: skip
    vllm_enable_lora: bool = arg(False, "Serve adapters without merging them.", "vllm")
    vllm_max_lora_rank: int = arg(16, "Highest rank of a served adapter.", "vllm")
    max_logprobs: int = arg(20, "Most log-probabilities that a request may ask for.", "vllm")
    tp: int = arg(1, "GPUs of one copy of the model.", "lmdeploy", starred=True)
    cache_max_entry_count: float = arg(0.8, "Share of the free GPU memory for keys and values.", "lmdeploy")
    quant_policy: int = arg(
        0, "Bits of keys and values; 0 does not quantize them.", "lmdeploy", choices=(0, 4, 8),
    )  # fmt: skip
    vision_batch_size: int = arg(1, "Images encoded at a time.", "lmdeploy")
