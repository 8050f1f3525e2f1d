"""Export: quantize, convert, upload."""

from dataclasses import dataclass

from swift.llm.arguments.fields import arg


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
        False, "Rewrite an adapter of the swift backend the way PEFT has it.", "export",
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
