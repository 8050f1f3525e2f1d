"""OpenBuddy, on the bases of others."""

from swift.llm.catalog.rows import ModelFamily, Size

OPENBUDDY_LLAMA = ModelFamily(
    family="openbuddy-llama",
    architectures=("LlamaForCausalLM",),
    template="openbuddy",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="openbuddy-llama-65b-chat", ms="OpenBuddy/openbuddy-llama-65b-v8-bf16", hf="OpenBuddy/openbuddy-llama-65b-v8-bf16", tags=("chat",)),
        Size(name="openbuddy-llama2-13b-chat", ms="OpenBuddy/openbuddy-llama2-13b-v8.1-fp16", hf="OpenBuddy/openbuddy-llama2-13b-v8.1-fp16", tags=("chat",)),
        Size(name="openbuddy-llama2-70b-chat", ms="OpenBuddy/openbuddy-llama2-70b-v10.1-bf16", hf="OpenBuddy/openbuddy-llama2-70b-v10.1-bf16", tags=("chat",)),
        Size(name="openbuddy-deepseek-67b-chat", ms="OpenBuddy/openbuddy-deepseek-67b-v15.2", hf="OpenBuddy/openbuddy-deepseek-67b-v15.2", tags=("chat",)),
    ),
)

OPENBUDDY_LLAMA3 = ModelFamily(
    family="openbuddy-llama3",
    architectures=("LlamaForCausalLM",),
    template="openbuddy2",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="openbuddy-llama3-8b-chat", ms="OpenBuddy/openbuddy-llama3-8b-v21.1-8k", hf="OpenBuddy/openbuddy-llama3-8b-v21.1-8k", tags=("chat",)),
        Size(name="openbuddy-llama3-70b-chat", ms="OpenBuddy/openbuddy-llama3-70b-v21.1-8k", hf="OpenBuddy/openbuddy-llama3-70b-v21.1-8k", tags=("chat",)),
        Size(name="openbuddy-llama3_1-8b-chat", ms="OpenBuddy/openbuddy-llama3.1-8b-v22.1-131k", hf="OpenBuddy/openbuddy-llama3.1-8b-v22.1-131k", requires=("transformers>=4.43",), tags=("chat",)),
    ),
)

OPENBUDDY_MISTRAL = ModelFamily(
    family="openbuddy-mistral",
    architectures=("MistralForCausalLM",),
    template="openbuddy",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.34",),
    sizes=(
        Size(name="openbuddy-mistral-7b-chat", ms="OpenBuddy/openbuddy-mistral-7b-v17.1-32k", hf="OpenBuddy/openbuddy-mistral-7b-v17.1-32k", tags=("chat",)),
        Size(name="openbuddy-zephyr-7b-chat", ms="OpenBuddy/openbuddy-zephyr-7b-v14.1", hf="OpenBuddy/openbuddy-zephyr-7b-v14.1", tags=("chat",)),
    ),
)

OPENBUDDY_MIXTRAL = ModelFamily(
    family="openbuddy-mixtral",
    architectures=("MixtralForCausalLM",),
    template="openbuddy",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.36",),
    tags=("moe",),
    sizes=(
        Size(name="openbuddy-mixtral-moe-7b-chat", ms="OpenBuddy/openbuddy-mixtral-7bx8-v18.1-32k", hf="OpenBuddy/openbuddy-mixtral-7bx8-v18.1-32k", tags=("chat",)),
    ),
)
