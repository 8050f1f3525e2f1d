"""Quantization of the weights while they are loaded."""

from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class QuantArguments:
    """Weights in few bits, under an adapter or for answers."""

    quant_method: str | None = arg(
        None, "Library that quantizes. Left out, bnb for 4 and 8 bits, hqq for other numbers. awq, gptq and "
        "aqlm only say how the weights are quantized already.", "quantization", choices=("bnb", "hqq", "eetq",
        "awq", "gptq", "aqlm"), inherit=True,
    )  # fmt: skip
    quantization_bit: int = arg(
        0, "Bits of a weight; 0 is off. bnb takes 4 or 8; hqq 1, 2, 3, 4 or 8; eetq 8. The embeddings and the head "
        "stay as they are.", "quantization", choices=(0, 1, 2, 3, 4, 8), inherit=True,
    )  # fmt: skip
    hqq_axis: int = arg(
        0, "Axis along which hqq groups weights.", "quantization", choices=(0, 1), inherit=True,
    )  # fmt: skip
    hqq_dynamic_config_path: str | None = arg(
        None, "JSON file with hqq settings of single layers: {\"self_attn.q_proj\": {\"nbits\": 8, \"group_size\": 64}}; "
        "layers that it does not name stay as they are.", "quantization", path="always", inherit=True,
    )  # fmt: skip
    bnb_4bit_comp_dtype: str = arg(
        "AUTO", "Type that 4-bit weights are computed in; AUTO follows dtype.", "quantization",
        choices=("AUTO", "fp16", "bf16", "fp32"), inherit=True,
    )  # fmt: skip
    bnb_4bit_quant_type: str = arg(
        "nf4", "Number format of 4-bit weights.", "quantization", choices=("nf4", "fp4"), inherit=True,
    )  # fmt: skip
    bnb_4bit_use_double_quant: bool = arg(
        True, "Quantize the scales of 4-bit weights as well.", "quantization", inherit=True,
    )  # fmt: skip
    bnb_4bit_quant_storage: str | None = arg(
        None, "Type that packed 4-bit weights are stored as (uint8, fp16, bf16 or fp32; left out, uint8); FSDP needs the type "
        "of the other weights.", "quantization", inherit=True,
    )  # fmt: skip
