"""Phi 2, 3, 3.5 and 4."""

from swift.llm.catalog.rows import ModelFamily, Size

PHI2 = ModelFamily(
    family="phi2",
    architectures=("PhiForCausalLM",),
    template="default-generation",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="phi2-3b", ms="AI-ModelScope/phi-2", hf="microsoft/phi-2", template="default-generation", tags=("base", "coding")),
    ),
)

PHI3 = ModelFamily(
    family="phi3",
    architectures=("Phi3ForCausalLM",),
    template="phi3",
    lora_targets=("qkv_proj",),
    requires=("transformers>=4.36",),
    chat_templates=("cfddee01f39314a2",),
    sizes=(
        Size(name="phi3-4b-4k-instruct", ms="LLM-Research/Phi-3-mini-4k-instruct", hf="microsoft/Phi-3-mini-4k-instruct", tags=("chat",)),
        Size(name="phi3-4b-128k-instruct", ms="LLM-Research/Phi-3-mini-128k-instruct", hf="microsoft/Phi-3-mini-128k-instruct", tags=("chat",)),
        Size(name="phi3-medium-4k-instruct", size="14b", ms="LLM-Research/Phi-3-medium-4k-instruct", hf="microsoft/Phi-3-medium-4k-instruct", tags=("chat",)),
        Size(name="phi3-medium-128k-instruct", size="14b", ms="LLM-Research/Phi-3-medium-128k-instruct", hf="microsoft/Phi-3-medium-128k-instruct", tags=("chat",)),
        Size(name="phi3_5-mini-instruct", size="3.8b", ms="LLM-Research/Phi-3.5-mini-instruct", hf="microsoft/Phi-3.5-mini-instruct", tags=("chat",)),
    ),
)

PHI3_SMALL = ModelFamily(
    family="phi3-small",
    architectures=("Phi3SmallForCausalLM",),
    template="phi3",
    lora_targets=("query_key_value",),
    requires=("transformers>=4.36", "tiktoken"),
    trust_remote_code=True,
    sizes=(
        Size(name="phi3-small-8k-instruct", size="7b", ms="LLM-Research/Phi-3-small-8k-instruct", hf="microsoft/Phi-3-small-8k-instruct", tags=("chat",)),
        Size(name="phi3-small-128k-instruct", size="7b", ms="LLM-Research/Phi-3-small-128k-instruct", hf="microsoft/Phi-3-small-128k-instruct", tags=("chat",)),
    ),
)

PHI3_MOE = ModelFamily(
    family="phi3-moe",
    architectures=("PhiMoEForCausalLM", "PhimoeForCausalLM"),
    template="phi3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.46",),
    tags=("moe",),
    sizes=(
        Size(name="phi3_5-moe-instruct", size="42b", ms="LLM-Research/Phi-3.5-MoE-instruct", hf="microsoft/Phi-3.5-MoE-instruct", tags=("chat",)),
    ),
)

PHI4 = ModelFamily(
    family="phi4",
    architectures=("Phi3ForCausalLM",),
    template="phi4",
    lora_targets=("qkv_proj",),
    requires=("transformers>=4.36",),
    sizes=(
        Size(name="phi4-14b-instruct", ms="LLM-Research/phi-4", hf="microsoft/phi-4", tags=("chat",)),
    ),
)
