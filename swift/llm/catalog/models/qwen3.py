"""Qwen 3, dense and mixture of experts, and their 2507 editions."""

from swift.llm.catalog.rows import ModelFamily, Size

QWEN3 = ModelFamily(
    family="qwen3",
    architectures=("Qwen3ForCausalLM",),
    template="qwen3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    chat_templates=("5922e70169a13b0e", "ccd61ecea6aa8406"),
    sizes=(
        Size(name="qwen3-0_6b-base", ms="Qwen/Qwen3-0.6B-Base", hf="Qwen/Qwen3-0.6B-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-1_7b-base", ms="Qwen/Qwen3-1.7B-Base", hf="Qwen/Qwen3-1.7B-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-4b-base", ms="Qwen/Qwen3-4B-Base", hf="Qwen/Qwen3-4B-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-8b-base", ms="Qwen/Qwen3-8B-Base", hf="Qwen/Qwen3-8B-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-14b-base", ms="Qwen/Qwen3-14B-Base", hf="Qwen/Qwen3-14B-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-0_6b", ms="Qwen/Qwen3-0.6B", hf="Qwen/Qwen3-0.6B", tags=("chat",)),
        Size(name="qwen3-0_6b-fp8", ms="Qwen/Qwen3-0.6B-FP8", hf="Qwen/Qwen3-0.6B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-1_7b", ms="Qwen/Qwen3-1.7B", hf="Qwen/Qwen3-1.7B", tags=("chat",)),
        Size(name="qwen3-1_7b-fp8", ms="Qwen/Qwen3-1.7B-FP8", hf="Qwen/Qwen3-1.7B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-4b", ms="Qwen/Qwen3-4B", hf="Qwen/Qwen3-4B", tags=("chat",)),
        Size(name="qwen3-4b-fp8", ms="Qwen/Qwen3-4B-FP8", hf="Qwen/Qwen3-4B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-4b-awq", ms="Qwen/Qwen3-4B-AWQ", hf="Qwen/Qwen3-4B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen3-8b", ms="Qwen/Qwen3-8B", hf="Qwen/Qwen3-8B", tags=("chat",)),
        Size(name="qwen3-8b-fp8", ms="Qwen/Qwen3-8B-FP8", hf="Qwen/Qwen3-8B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-8b-awq", ms="Qwen/Qwen3-8B-AWQ", hf="Qwen/Qwen3-8B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen3-14b", ms="Qwen/Qwen3-14B", hf="Qwen/Qwen3-14B", tags=("chat",)),
        Size(name="qwen3-14b-fp8", ms="Qwen/Qwen3-14B-FP8", hf="Qwen/Qwen3-14B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-14b-awq", ms="Qwen/Qwen3-14B-AWQ", hf="Qwen/Qwen3-14B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen3-32b", ms="Qwen/Qwen3-32B", hf="Qwen/Qwen3-32B", tags=("chat",)),
        Size(name="qwen3-32b-fp8", ms="Qwen/Qwen3-32B-FP8", hf="Qwen/Qwen3-32B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-32b-awq", ms="Qwen/Qwen3-32B-AWQ", hf="Qwen/Qwen3-32B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

QWEN3_MOE = ModelFamily(
    family="qwen3-moe",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    tags=("moe",),
    chat_templates=("5922e70169a13b0e", "ccd61ecea6aa8406"),
    sizes=(
        Size(name="qwen3-30b-a3b-base", ms="Qwen/Qwen3-30B-A3B-Base", hf="Qwen/Qwen3-30B-A3B-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-30b-a3b", ms="Qwen/Qwen3-30B-A3B", hf="Qwen/Qwen3-30B-A3B", tags=("chat",)),
        Size(name="qwen3-30b-a3b-fp8", ms="Qwen/Qwen3-30B-A3B-FP8", hf="Qwen/Qwen3-30B-A3B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-30b-a3b-awq", ms="swift/Qwen3-30B-A3B-AWQ", hf="cognitivecomputations/Qwen3-30B-A3B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen3-235b-a22b", ms="Qwen/Qwen3-235B-A22B", hf="Qwen/Qwen3-235B-A22B", tags=("chat",)),
        Size(name="qwen3-235b-a22b-fp8", ms="Qwen/Qwen3-235B-A22B-FP8", hf="Qwen/Qwen3-235B-A22B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-235b-a22b-awq", ms="swift/Qwen3-235B-A22B-AWQ", hf="cognitivecomputations/Qwen3-235B-A22B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

QWEN3_INSTRUCT_2507 = ModelFamily(
    family="qwen3-instruct-2507",
    architectures=("Qwen3ForCausalLM",),
    template="qwen3_nothinking",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    chat_templates=("4af846b85e557e1f",),
    sizes=(
        Size(name="qwen3-4b-instruct-2507", ms="Qwen/Qwen3-4B-Instruct-2507", hf="Qwen/Qwen3-4B-Instruct-2507", tags=("chat",)),
        Size(name="qwen3-4b-instruct-2507-fp8", ms="Qwen/Qwen3-4B-Instruct-2507-FP8", hf="Qwen/Qwen3-4B-Instruct-2507-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_INSTRUCT_2507_MOE = ModelFamily(
    family="qwen3-instruct-2507-moe",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3_nothinking",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    tags=("moe",),
    chat_templates=("4af846b85e557e1f",),
    sizes=(
        Size(name="qwen3-30b-a3b-instruct-2507", ms="Qwen/Qwen3-30B-A3B-Instruct-2507", hf="Qwen/Qwen3-30B-A3B-Instruct-2507", tags=("chat",)),
        Size(name="qwen3-30b-a3b-instruct-2507-fp8", ms="Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", hf="Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-235b-a22b-instruct-2507", ms="Qwen/Qwen3-235B-A22B-Instruct-2507", hf="Qwen/Qwen3-235B-A22B-Instruct-2507", tags=("chat",)),
        Size(name="qwen3-235b-a22b-instruct-2507-fp8", ms="Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", hf="Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-235b-a22b-instruct-2507-awq", ms="swift/Qwen3-235B-A22B-Instruct-2507-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

QWEN3_THINKING_2507 = ModelFamily(
    family="qwen3-thinking-2507",
    architectures=("Qwen3ForCausalLM",),
    template="qwen3_thinking",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    tags=("reasoning",),
    sizes=(
        Size(name="qwen3-4b-thinking-2507", ms="Qwen/Qwen3-4B-Thinking-2507", hf="Qwen/Qwen3-4B-Thinking-2507", tags=("chat",)),
        Size(name="qwen3-4b-thinking-2507-fp8", ms="Qwen/Qwen3-4B-Thinking-2507-FP8", hf="Qwen/Qwen3-4B-Thinking-2507-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_THINKING_2507_MOE = ModelFamily(
    family="qwen3-thinking-2507-moe",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3_thinking",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    tags=("moe", "reasoning"),
    sizes=(
        Size(name="qwen3-30b-a3b-thinking-2507", ms="Qwen/Qwen3-30B-A3B-Thinking-2507", hf="Qwen/Qwen3-30B-A3B-Thinking-2507", tags=("chat",)),
        Size(name="qwen3-30b-a3b-thinking-2507-fp8", ms="Qwen/Qwen3-30B-A3B-Thinking-2507-FP8", hf="Qwen/Qwen3-30B-A3B-Thinking-2507-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-235b-a22b-thinking-2507", ms="Qwen/Qwen3-235B-A22B-Thinking-2507", hf="Qwen/Qwen3-235B-A22B-Thinking-2507", tags=("chat",)),
        Size(name="qwen3-235b-a22b-thinking-2507-fp8", ms="Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", hf="Qwen/Qwen3-235B-A22B-Thinking-2507-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-235b-a22b-thinking-2507-awq", ms="swift/Qwen3-235B-A22B-Thinking-2507-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)
