"""Several adapters into one model; export: quantize, convert, upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class CombineArguments:
    """How several adapters of one base become one."""

    more_ckpt_dirs: Sequence[str] = arg(
        (), "Further adapters of the same base, of any method that merges, added into it together with ckpt_dir; the "
        "result is <ckpt_dir>-combined.", "export", path="always",
    )  # fmt: skip
    adapter_weights: Sequence[float] = arg(
        (), "Weight of each adapter, that of ckpt_dir first; negative ones subtract. Left out, equal shares of 1.", "export",
    )  # fmt: skip
    combination: str = arg(
        "linear", "How what the adapters change in the weights becomes one: linear (the weighted sum, exactly), ties, "
        "dare_linear, dare_ties or magnitude_prune. LoRA also as PEFT has it: svd and ..._svd cut the result to the largest "
        "rank, ..._factors work on the factors.", "export",
        choices=("linear", "ties", "dare_linear", "dare_ties", "magnitude_prune", "svd", "ties_svd", "dare_linear_svd",
        "dare_ties_svd", "magnitude_prune_svd", "ties_factors", "dare_linear_factors", "dare_ties_factors",
        "magnitude_prune_factors"), renamed={"cat": "linear"},
    )  # fmt: skip
    combination_density: float | None = arg(
        None, "Share of the values of each change that ties and magnitude_prune (the largest) and the dare ways (random "
        "ones) keep; left out, 0.2.", "export",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ConvertArguments:
    """What export makes."""

    quant_bits: int = arg(
        0, "Bits to quantize the weights to; 0 is off. awq takes 4; gptq 2, 3, 4 or 8.", "export",
        starred=True,
    )  # fmt: skip
    quant_n_samples: int = arg(256, "Rows of the calibration; fewer take less memory.", "export")
    quant_seqlen: int = arg(2048, "Tokens of a calibration row; fewer take less memory.", "export")
    quant_batch_size: int = arg(1, "Calibration rows at a time.", "export")
    quant_device_map: str | None = arg(
        None, "Where the model is while it is quantized: cuda:0, auto, cpu and so on.", "export",
    )  # fmt: skip
    quant_output_dir: str | None = arg(
        None, "Folder of the quantized model, which must not exist yet. Left out, a name with the method "
        "and the bits.", "export", path="always",
    )  # fmt: skip
    to_peft_format: bool = arg(
        False, "Rewrite an adapter of the older own layout (tuner_backend swift) the way PEFT has it, as <ckpt_dir>-peft.",
        "export",
    )  # fmt: skip
    to_ollama: bool = arg(False, "Write an Ollama Modelfile with the merged weights.", "export")
    ollama_output_dir: str | None = arg(
        None, "Folder of that, which must not exist yet; left out, <model_type>-ollama.", "export",
        path="always",
    )  # fmt: skip
    gguf_file: str | None = arg(None, "GGUF file that the Modelfile names.", "export", path="always")
    to_megatron: bool = arg(False, "Convert the weights for Megatron.", "export")
    to_hf: bool = arg(False, "Convert Megatron weights back.", "export")
    megatron_output_dir: str | None = arg(
        None, "Folder of the Megatron weights; left out, <model_type>-tp<tp>-pp<pp>.", "export",
        path="always",
    )  # fmt: skip
    hf_output_dir: str | None = arg(
        None, "Folder of the weights converted back; left out, <ckpt_dir>/<model_type>-hf.", "export",
        path="always",
    )  # fmt: skip
    pp: int = arg(1, "Pipeline-parallel size of Megatron.", "distributed")
    commit_message: str = arg("update files", "Commit message of the upload.", "hub")
