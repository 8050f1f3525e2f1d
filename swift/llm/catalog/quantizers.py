"""The ways of holding weights in few bits, one row each. Rows only."""

from __future__ import annotations

from swift.llm.catalog.rows import QuantRow

QUANTIZERS = (
    QuantRow(
        name="bnb",
        title="bitsandbytes",
        spellings=("bitsandbytes",),
        bits=(4, 8),
        requires=("bitsandbytes>=0.50",),
        adapters=("lora", "longlora", "adalora", "ia3"),
        help="4 bits: NF4 or FP4 in blocks of 64 weights (QLoRA); 8 bits: LLM.int8(). Runs on CPUs too.",
    ),
    QuantRow(
        name="hqq",
        title="HQQ",
        bits=(1, 2, 3, 4, 8),
        requires=("hqq>=0.2.8",),
        adapters=("lora", "longlora"),
        help="Half-quadratic quantisation in groups of 64 weights, without calibration. Runs on CPUs too.",
    ),
    QuantRow(
        name="eetq",
        title="EETQ",
        bits=(8,),
        requires=("kernels>=0.11",),
        adapter_requires=("eetq>=1.0",),
        gpu=True,
        adapters=("lora",),
        help="8 bits per channel, with GPU kernels that `kernels` fetches.",
    ),
    QuantRow(
        name="gptq",
        title="GPTQ",
        requires=("optimum>=1.24", "gptqmodel>=5.0,<7.7"),
        adapters=("lora", "longlora", "adalora"),
    ),
    QuantRow(name="awq", title="AWQ", requires=("gptqmodel>=5.0,<7.7",), adapters=("lora", "longlora")),
    QuantRow(name="aqlm", title="AQLM", requires=("aqlm>=1.0.2",), gpu=True, adapters=("lora", "longlora")),
    QuantRow(
        name="compressed-tensors",
        title="compressed-tensors",
        spellings=("compressed_tensors",),
        requires=("compressed-tensors>=0.15",),
        expands=True,
    ),
    QuantRow(name="fp8", title="FP8 in blocks", expands=True),
    QuantRow(name="mxfp4", title="MXFP4", expands=True),
    QuantRow(name="fbgemm_fp8", title="FBGEMM FP8", requires=("fbgemm-gpu>=1.0",), gpu=True),
)
