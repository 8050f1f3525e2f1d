"""The training loop: steps, optimizer, checkpoints, evaluation, logs, devices, upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import Json, arg


@dataclass(frozen=True, kw_only=True)
class LoopArguments:
    """Batches, steps and what a step costs."""

    batch_size: int = arg(
        1, "Samples of one device in one step.", "training", aliases=("per_device_train_batch_size",),
    )  # fmt: skip
    gradient_accumulation_steps: int | None = arg(
        None, "Batches of one update. Left out, as many as make 16 samples over all devices.", "training",
        starred=True,
    )  # fmt: skip
    num_train_epochs: float = arg(
        1.0, "Passes over the data; a fraction is allowed. No effect where max_steps is given.", "training",
        starred=True,
    )  # fmt: skip
    max_steps: int = arg(-1, "Number of updates; -1 leaves that to num_train_epochs.", "training")
    gradient_checkpointing: bool | None = arg(
        None, "Compute activations again in the backward pass, to save memory. Left out, on "
        "where the predicted memory would not fit without.", "training", starred=True,
    )  # fmt: skip
    seed: int = arg(42, "Seed of all random numbers.", "training")
    full_determinism: bool = arg(
        False, "Allow only operations that give the same result every time.", "training",
    )  # fmt: skip
    auto_find_batch_size: bool = arg(
        False, "Try the largest batch before the first step, and halve it until it fits the memory; accumulation grows, so "
        "an update has the same samples.", "training",
    )  # fmt: skip
    loss_watchdog_threshold: float | None = arg(
        None, "Stop a run whose loss stays above this.", "training",
    )  # fmt: skip
    loss_watchdog_patience: int = arg(3, "Steps in a row that the loss may be above it.", "training")
    torch_compile: bool = arg(
        False, "Compile each layer with torch.compile; the first steps are slow, later ones faster.", "training",
    )  # fmt: skip
    torch_compile_backend: str = arg("inductor", "Backend of torch.compile.", "training")
    test_oom_error: bool = arg(
        False, "Try the largest batch of the run before the first step, so that lack of memory shows at once; the run stays as it is.", "training",
    )  # fmt: skip
    neftune_noise_alpha: float | None = arg(
        None, "Size of the noise on embeddings (NEFTune); 5, 10 or 15 is usual.", "training",
        aliases=("neftune_alpha",),
    )  # fmt: skip
    neftune_backend: str | None = arg(
        None, "Kept for older commands: either value adds the same noise, by the length of each sample.", "training", choices=("transformers",
        "swift"),
    )  # fmt: skip
    use_liger: bool = arg(
        False, "Use the Liger kernels for norms, positions and MLPs; needs a GPU and the package liger-kernel.", "training",
    )  # fmt: skip
    loss_name: str | None = arg(None, "Name of a registered loss of your own.", "training")
    gpu_memory_fraction: float | None = arg(
        None, "Share of the GPU memory that may be used (0 to 1).", "training",
    )  # fmt: skip
    dataloader_num_workers: int | None = arg(
        None, "Processes that make batches. Left out, 1, or 0 on Windows.", "training",
    )  # fmt: skip
    dataloader_pin_memory: bool = arg(True, "Keep batches in memory that copies to a GPU faster.", "training")
    dataloader_drop_last: bool = arg(False, "Leave out a last batch that is not full.", "training")
    hf_args: Json = arg(
        None, "Further settings of transformers' TrainingArguments, as JSON; they win over the ones swift "
        "chooses.", "training",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class OptimizerArguments:
    """The optimizer and its learning rate."""

    learning_rate: float | None = arg(
        None, "Highest learning rate. Left out, 1e-5 for sft_type full and 1e-4 for adapters.", "optimizer",
        starred=True,
    )  # fmt: skip
    min_lr: float | None = arg(
        None, "Lowest learning rate of Megatron; left out, a tenth of learning_rate.", "optimizer",
    )  # fmt: skip
    embedding_learning_rate: float | None = arg(
        None, "Highest learning rate of the embeddings; left out, learning_rate.", "optimizer",
    )  # fmt: skip
    head_learning_rate: float | None = arg(
        None, "Highest learning rate of the output layer; left out, learning_rate.", "optimizer",
    )  # fmt: skip
    optim: str = arg(
        "adamw_torch", "Optimizer: a name of transformers, or muon, adam_mini, apollo_adamw, apollo_mini, schedule_free_adamw; "
        "docs/arguments.md has the table.", "optimizer",
    )  # fmt: skip
    optim_args: Json = arg(None, "Settings of the optimizer, as JSON: '{\"momentum\": 0.9}'.", "optimizer")
    adam_beta1: float = arg(0.9, "Decay of Adam's first moment.", "optimizer")
    adam_beta2: float = arg(0.95, "Decay of Adam's second moment.", "optimizer")
    adam_epsilon: float = arg(1e-8, "Small number in Adam's denominator.", "optimizer")
    weight_decay: float = arg(0.1, "Decay of the weights, apart from the gradient.", "optimizer")
    max_grad_norm: float = arg(1.0, "Longest gradient; a longer one is scaled down.", "optimizer")
    lr_scheduler_type: str = arg(
        "cosine", "Course of the learning rate: cosine, linear, constant and others of transformers; rex, one_cycle, "
        "log_sweep.", "optimizer",
    )  # fmt: skip
    lr_scheduler_kwargs: Json = arg(None, "Further settings of that course, as JSON.", "optimizer")
    cosine_min_lr_ratio: float | None = arg(
        None, "Share of the highest rate that the cosine ends at.", "optimizer",
    )  # fmt: skip
    cosine_constant_lr_ratio: float | None = arg(
        None, "Share of the steps after which the cosine has ended and the rate stays.", "optimizer",
    )  # fmt: skip
    lr_div_factor: float | None = arg(
        None, "How much lower than the highest rate one_cycle begins; left out, 25 times.", "optimizer",
    )  # fmt: skip
    lr_quadratic_warmup: bool = arg(False, "Let the rate rise as a square, slowly at first.", "optimizer")
    warmup_ratio: float = arg(0.05, "Share of the steps in which the learning rate rises.", "optimizer")
    warmup_steps: int = arg(
        0, "The same as a number of steps; above 0 it wins over warmup_ratio.", "optimizer",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class EvaluationArguments:
    """Evaluation during training."""

    eval_steps: int | None = arg(
        None, "Steps between evaluations. Left out, 50 for adapters and 200 for sft_type full.", "evaluation",
        starred=True,
    )  # fmt: skip
    evaluation_strategy: str = arg(
        "steps", "When the model is evaluated.", "evaluation", choices=("steps", "epoch", "no"),
        aliases=("eval_strategy",),
    )  # fmt: skip
    eval_batch_size: int | None = arg(
        None, "Samples of one device in an evaluation step. Left out, batch_size, or 1 with "
        "predict_with_generate.", "evaluation", aliases=("per_device_eval_batch_size",),
    )  # fmt: skip
    predict_with_generate: bool = arg(
        False, "Let the model answer and compare the answers (ROUGE, BLEU), in place of the loss. Slow.",
        "evaluation",
    )  # fmt: skip
    acc_strategy: str = arg(
        "token", "Whether accuracy counts tokens or whole answers.", "evaluation", choices=("token",
        "sentence"),
    )  # fmt: skip
    acc_steps: int = arg(1, "Steps between computations of the training accuracy.", "evaluation")
    early_stopping_patience: int | None = arg(
        None, "Stop after this many evaluations in a row without a better result.", "evaluation",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CheckpointArguments:
    """What is saved, where, and what a run continues from."""

    output_dir: str = arg(
        "output", "Folder of the results; each run makes a folder <model_type>/v<N>-<time> in it.",
        "checkpoint", starred=True, path="always",
    )  # fmt: skip
    add_output_dir_suffix: bool | None = arg(
        None, "Make that folder of its own for each run; false writes to output_dir itself. Left out, true "
        "except inside a PAI job.", "checkpoint",
    )  # fmt: skip
    resume_from_checkpoint: str | None = arg(
        None, "Checkpoint to continue from, exactly: weights, optimizer, random numbers, place in the data.",
        "checkpoint", starred=True, path="always",
    )  # fmt: skip
    auto_resume: bool = arg(
        False, "Continue from the newest whole checkpoint under output_dir, if there is one.", "checkpoint",
    )  # fmt: skip
    resume_only_model: bool = arg(
        False, "Take only the weights from the checkpoint and begin anew otherwise.", "checkpoint",
    )  # fmt: skip
    ignore_data_skip: bool = arg(
        False, "When resuming, begin with the first rows again, not where the run had stopped.", "checkpoint",
    )  # fmt: skip
    save_strategy: str = arg("steps", "When checkpoints are saved.", "checkpoint", choices=("steps", "epoch", "no"))
    save_steps: int | None = arg(None, "Steps between checkpoints; left out, eval_steps.", "checkpoint")
    save_total_limit: int = arg(
        2, "Checkpoints that are kept: 2 are the best and the last, -1 all.", "checkpoint",
    )  # fmt: skip
    save_only_model: bool = arg(
        False, "Save the weights without the state that resuming needs.", "checkpoint", starred=True,
        aliases=("only_save_model",),
    )  # fmt: skip
    save_safetensors: bool = arg(
        True, "Save weights as safetensors, not as .bin.", "checkpoint", aliases=("safe_serialization",),
    )  # fmt: skip
    save_on_each_node: bool = arg(
        False, "Save on every machine of a run over several machines.", "checkpoint",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LoggingArguments:
    """What a run tells, and to whom."""

    logging_steps: int = arg(5, "Steps between lines of the log.", "logging")
    logging_dir: str | None = arg(
        None, "Folder of the TensorBoard files; left out, runs in the folder of the run.", "logging",
        path="always",
    )  # fmt: skip
    report_to: Sequence[str] = arg(
        ("tensorboard",), "Trackers to report to, such as tensorboard, wandb or mlflow; all means every "
        "installed one, none no one.", "logging", metavar="TRACKER",
    )  # fmt: skip
    disable_tqdm: bool = arg(False, "Show no progress bar.", "logging")
    include_num_input_tokens_seen: bool = arg(False, "Log the number of tokens trained on so far.", "logging")
    metric_warmup_step: float = arg(0.0, "Steps that speed figures leave out (TorchAcc).", "logging")


@dataclass(frozen=True, kw_only=True)
class DistributedArguments:
    """Training on several devices or machines."""

    deepspeed: Json = arg(
        None, "DeepSpeed settings: a preset, a JSON file or JSON.", "distributed", starred=True,
        presets=("default-zero2", "default-zero3", "zero2-offload", "zero3-offload"),
        aliases=("deepspeed_config_path",),
    )  # fmt: skip
    fsdp: str = arg(
        "", 'FSDP mode as transformers takes it, for instance "full_shard auto_wrap".', "distributed",
    )  # fmt: skip
    fsdp_config: Json = arg(None, "FSDP settings: a JSON file or JSON.", "distributed")
    fsdp_num: int = arg(1, "Size of an FSDP group (TorchAcc).", "distributed")
    model_layer_cls_name: str | None = arg(None, "Class of a decoder layer (TorchAcc).", "distributed")
    sequence_parallel_size: int = arg(1, "Number of GPUs that share one sequence.", "distributed")
    ddp_backend: str | None = arg(
        None, "How processes talk to each other; left out, what suits the device.", "distributed",
        choices=("nccl", "gloo", "mpi", "ccl", "hccl"),
    )  # fmt: skip
    ddp_timeout: int = arg(1800, "Seconds to wait for the other processes.", "distributed")
    ddp_find_unused_parameters: bool | None = arg(
        None, "Look for parameters without a gradient in each step; left out, the opposite of "
        "gradient_checkpointing.", "distributed",
    )  # fmt: skip
    ddp_broadcast_buffers: bool | None = arg(
        None, "Copy buffers between processes in each step; left out, the opposite of "
        "gradient_checkpointing.", "distributed",
    )  # fmt: skip
    train_backend: str = arg(
        "transformers", "Training engine.", "distributed", choices=("transformers", "megatron"),
    )  # fmt: skip
    tp: int = arg(1, "Tensor-parallel size of Megatron.", "distributed")
    pp: int = arg(1, "Pipeline-parallel size of Megatron.", "distributed")
    sequence_parallel: bool = arg(False, "Sequence parallelism of Megatron.", "distributed")


@dataclass(frozen=True, kw_only=True)
class PushArguments:
    """Where a result is uploaded to."""

    push_to_hub: bool = arg(False, "Upload the result to the hub.", "hub")
    hub_model_id: str | None = arg(
        None, "Repository to upload to; it is made if it does not exist. Training gives it the name "
        "<model_type>-<sft_type> if left out.", "hub",
    )  # fmt: skip
    hub_private_repo: bool = arg(False, "Make that repository private.", "hub")


@dataclass(frozen=True, kw_only=True)
class TrainPushArguments(PushArguments):
    """When training uploads."""

    hub_strategy: str = arg(
        "every_save", "When checkpoints are uploaded.", "hub", choices=("end", "every_save", "checkpoint",
        "all_checkpoints"), aliases=("push_hub_strategy",),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainModelArguments:
    """What only training asks of a model."""

    check_model_is_latest: bool = arg(
        True, "Ask the hub whether the downloaded model is still the newest; false works without a network.",
        "model", starred=True,
    )  # fmt: skip
    vit_use_gc: bool = arg(True, "Gradient checkpointing in the vision part as well.", "multimodal")
