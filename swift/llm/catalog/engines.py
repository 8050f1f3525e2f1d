"""The engines that answer, one row each. Rows only."""

from __future__ import annotations

from swift.llm.catalog.rows import EngineRow

ENGINES = (
    EngineRow(
        name="pt",
        title="PyTorch",
        arguments=("lora_modules", "max_model_len", "max_batch_size"),
        adapters=True,
        grammars=True,
        help="In this process, with transformers' model classes and continuous batching. Every model, every tuning method.",
    ),
    EngineRow(
        name="vllm",
        title="vLLM",
        environment="vllm",
        module="swift.llm.engine.vllm",
        dialect="swift.llm.engine.vllm:VllmDialect",
        arguments=(
            "lora_modules",
            "gpu_memory_utilization",
            "tensor_parallel_size",
            "max_num_seqs",
            "max_model_len",
            "disable_custom_all_reduce",
            "enforce_eager",
            "limit_mm_per_prompt",
            "vllm_enable_lora",
            "vllm_max_lora_rank",
            "max_logprobs",
        ),
        adapters=True,
        grammars=True,
        keyed=True,
        help="A process of its own, for many requests at a time. GPUs; on CPUs it starts slowly and answers fast.",
    ),
    EngineRow(
        name="lmdeploy",
        title="LMDeploy",
        environment="lmdeploy",
        module="swift.llm.engine.lmdeploy",
        dialect="swift.llm.engine.lmdeploy:LmdeployDialect",
        arguments=(
            "max_model_len",
            "max_num_seqs",
            "tp",
            "cache_max_entry_count",
            "quant_policy",
            "vision_batch_size",
        ),
        gpu=True,
        help="A process of its own (TurboMind), for GPUs. No adapters by name, no grammars, no seed of a request.",
    ),
    EngineRow(
        name="sglang",
        title="SGLang",
        environment="sglang",
        module="swift.llm.engine.sglang",
        dialect="swift.llm.engine.sglang:SglangDialect",
        arguments=(
            "lora_modules",
            "gpu_memory_utilization",
            "tensor_parallel_size",
            "max_num_seqs",
            "max_model_len",
            "disable_custom_all_reduce",
            "enforce_eager",
            "vllm_enable_lora",
            "vllm_max_lora_rank",
        ),
        gpu=True,
        adapters=True,
        grammars=True,
        help="A process of its own, for GPUs.",
    ),
)
