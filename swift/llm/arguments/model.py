"""Which model, from where, loaded how."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import Json, arg


@dataclass(frozen=True, kw_only=True)
class ModelArguments:
    """The model of every command that has one."""

    model_type: str | None = arg(
        None, "Name of a model in the catalog; it decides the template, the default target modules and the "
        "hub id. Left out, it is found from the weights.", "model", registry="models", starred=True,
        inherit=True,
    )  # fmt: skip
    model_id_or_path: str | None = arg(
        None, "Hub id, or local folder, of the weights. Give this, or model_type, or both.", "model",
        starred=True, inherit=True, aliases=("model_cache_dir",), path="maybe", metavar="ID_OR_PATH",
    )  # fmt: skip
    model_revision: str | None = arg(
        None, "Branch, tag or commit on the hub; left out, the one of the catalog. No effect on a local "
        "folder.", "model", inherit=True,
    )  # fmt: skip
    local_repo_path: str | None = arg(
        None, "Checkout of the source repository that a few multimodal models take their code from.", "model",
        path="always", inherit=True,
    )  # fmt: skip
    dtype: str = arg(
        "AUTO", "Type of the arithmetic. AUTO: fp32 on a CPU, bf16 on a GPU that has it, else fp16. Weights that are trained "
        "themselves stay in fp32.", "model", choices=("AUTO", "bf16", "fp16", "fp32"), inherit=True,
    )  # fmt: skip
    attn_impl: str = arg(
        "AUTO", "Attention implementation. varlen works sample by sample over a flat batch, without padding "
        "or mask; AUTO takes it where the model allows.", "model", choices=("AUTO", "sdpa", "eager",
        "flash_attention_2", "flash_attention_3", "flex_attention", "varlen"),
    )  # fmt: skip
    use_flash_attn: bool | None = arg(
        None, "Use FlashAttention. Left out, it is used where it is installed and the model and the device "
        "support it.", "model", starred=True,
    )  # fmt: skip
    device_map_config: Json = arg(
        None, "Which layer goes to which device: a map of module names, or a strategy. JSON text or a JSON "
        "file.", "model", aliases=("device_map_config_path",), presets=("auto", "sequential", "balanced",
        "balanced_low_0", "cpu", "cuda", "cuda:<N>"),
    )  # fmt: skip
    device_max_memory: Sequence[str] = arg(
        (), "Memory limit of each visible GPU in turn, for instance 10GB 20GB.", "model", metavar="SIZE",
    )  # fmt: skip
    trust_remote_code: bool = arg(
        False, "Run Python code that comes with the model. Give model_revision with it, so that you know "
        "which code.", "model",
    )  # fmt: skip
    use_hf: bool | None = arg(
        None, "Download from the Hugging Face hub (true) or from ModelScope (false). Left out, the variable "
        "USE_HF decides.", "hub",
    )  # fmt: skip
    hub_token: str | None = arg(
        None, "Access token of the hub. Left out, MODELSCOPE_API_TOKEN or HF_TOKEN is read. Never written "
        "to a file.", "hub",
    )  # fmt: skip
    model_kwargs: Json = arg(
        None, 'Extra settings of a particular model, as JSON, such as {"max_pixels": 500000}; each is also '
        "set as an upper-case environment variable.", "multimodal", inherit=True,
    )  # fmt: skip
    rope_scaling: str | None = arg(
        None, "Stretch the positions when max_length exceeds what the model was made for.", "long-context",
        choices=("linear", "dynamic"), inherit=True,
    )  # fmt: skip
    custom_register_path: str | None = arg(
        None, "Python file that registers models, templates or data sets of your own; it runs first.", "misc",
        path="always", inherit=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunArguments:
    """How the command itself behaves."""

    dry_run: bool = arg(
        False, "Print the plan, every value with its reason, and stop before any weights are loaded. The "
        "same as swift plan <command>.", "misc",
    )  # fmt: skip
    debug: bool = arg(False, "Print encoded samples, and log in more detail.", "misc")
    ignore_args_error: bool = arg(
        False, "Skip arguments that are not known, with a note for each, in place of an error.", "misc",
    )  # fmt: skip
