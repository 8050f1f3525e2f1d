"""DeepSeek LLM, MoE, Math, Coder, V2, V2.5 and the distillates of R1."""

from swift.llm.catalog.rows import ModelFamily, Size

DEEPSEEK = ModelFamily(
    family="deepseek",
    architectures=("LlamaForCausalLM",),
    template="deepseek",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="deepseek-7b", ms="deepseek-ai/deepseek-llm-7b-base", hf="deepseek-ai/deepseek-llm-7b-base", template="default-generation", tags=("base",)),
        Size(name="deepseek-7b-chat", ms="deepseek-ai/deepseek-llm-7b-chat", hf="deepseek-ai/deepseek-llm-7b-chat", tags=("chat",)),
        Size(name="deepseek-67b", ms="deepseek-ai/deepseek-llm-67b-base", hf="deepseek-ai/deepseek-llm-67b-base", template="default-generation", tags=("base",)),
        Size(name="deepseek-67b-chat", ms="deepseek-ai/deepseek-llm-67b-chat", hf="deepseek-ai/deepseek-llm-67b-chat", tags=("chat",)),
        Size(name="deepseek-math-7b", ms="deepseek-ai/deepseek-math-7b-base", hf="deepseek-ai/deepseek-math-7b-base", template="default-generation", tags=("base", "math")),
        Size(name="deepseek-math-7b-instruct", ms="deepseek-ai/deepseek-math-7b-instruct", hf="deepseek-ai/deepseek-math-7b-instruct", tags=("chat", "math")),
        Size(name="deepseek-math-7b-chat", ms="deepseek-ai/deepseek-math-7b-rl", hf="deepseek-ai/deepseek-math-7b-rl", tags=("chat", "math")),
    ),
)

DEEPSEEK_MOE = ModelFamily(
    family="deepseek-moe",
    architectures=("DeepseekForCausalLM",),
    template="deepseek",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("moe",),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-moe-16b", ms="deepseek-ai/deepseek-moe-16b-base", hf="deepseek-ai/deepseek-moe-16b-base", template="default-generation", tags=("base",)),
        Size(name="deepseek-moe-16b-chat", ms="deepseek-ai/deepseek-moe-16b-chat", hf="deepseek-ai/deepseek-moe-16b-chat", tags=("chat",)),
    ),
)

DEEPSEEK_CODER = ModelFamily(
    family="deepseek-coder",
    architectures=("LlamaForCausalLM",),
    template="deepseek-coder",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("coding",),
    chat_templates=("7773ee772fa64644",),
    sizes=(
        Size(name="deepseek-coder-1_3b", ms="deepseek-ai/deepseek-coder-1.3b-base", hf="deepseek-ai/deepseek-coder-1.3b-base", template="default-generation", tags=("base",)),
        Size(name="deepseek-coder-1_3b-instruct", ms="deepseek-ai/deepseek-coder-1.3b-instruct", hf="deepseek-ai/deepseek-coder-1.3b-instruct", tags=("chat",)),
        Size(name="deepseek-coder-6_7b", ms="deepseek-ai/deepseek-coder-6.7b-base", hf="deepseek-ai/deepseek-coder-6.7b-base", template="default-generation", tags=("base",)),
        Size(name="deepseek-coder-6_7b-instruct", ms="deepseek-ai/deepseek-coder-6.7b-instruct", hf="deepseek-ai/deepseek-coder-6.7b-instruct", tags=("chat",)),
        Size(name="deepseek-coder-33b", ms="deepseek-ai/deepseek-coder-33b-base", hf="deepseek-ai/deepseek-coder-33b-base", template="default-generation", tags=("base",)),
        Size(name="deepseek-coder-33b-instruct", ms="deepseek-ai/deepseek-coder-33b-instruct", hf="deepseek-ai/deepseek-coder-33b-instruct", tags=("chat",)),
    ),
)

DEEPSEEK_V2 = ModelFamily(
    family="deepseek-v2",
    architectures=("DeepseekV2ForCausalLM",),
    template="deepseek2",
    lora_targets=("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"),
    requires=("transformers>=4.39.3",),
    tags=("moe",),
    sizes=(
        Size(name="deepseek-v2", size="236b", ms="deepseek-ai/DeepSeek-V2", hf="deepseek-ai/DeepSeek-V2", template="default-generation", tags=("base",)),
        Size(name="deepseek-v2-chat", size="236b", ms="deepseek-ai/DeepSeek-V2-Chat", hf="deepseek-ai/DeepSeek-V2-Chat", tags=("chat",)),
        Size(name="deepseek-v2-lite", size="16b", ms="deepseek-ai/DeepSeek-V2-Lite", hf="deepseek-ai/DeepSeek-V2-Lite", template="default-generation", lora_targets=("q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"), tags=("base",)),
        Size(name="deepseek-v2-lite-chat", size="16b", ms="deepseek-ai/DeepSeek-V2-Lite-Chat", hf="deepseek-ai/DeepSeek-V2-Lite-Chat", lora_targets=("q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"), tags=("chat",)),
        Size(name="deepseek-coder-v2", size="236b", ms="deepseek-ai/DeepSeek-Coder-V2-Base", hf="deepseek-ai/DeepSeek-Coder-V2-Base", template="default-generation", tags=("base", "coding")),
        Size(name="deepseek-coder-v2-instruct", size="236b", ms="deepseek-ai/DeepSeek-Coder-V2-Instruct", hf="deepseek-ai/DeepSeek-Coder-V2-Instruct", tags=("chat", "coding")),
        Size(name="deepseek-coder-v2-lite", size="16b", ms="deepseek-ai/DeepSeek-Coder-V2-Lite-Base", hf="deepseek-ai/DeepSeek-Coder-V2-Lite-Base", template="default-generation", lora_targets=("q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"), tags=("base", "coding")),
        Size(name="deepseek-coder-v2-lite-instruct", size="16b", ms="deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct", hf="deepseek-ai/DeepSeek-Coder-V2-Lite-Instruct", lora_targets=("q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"), tags=("chat", "coding")),
    ),
)

DEEPSEEK_V2_5 = ModelFamily(
    family="deepseek-v2_5",
    architectures=("DeepseekV2ForCausalLM",),
    template="deepseek2_5",
    lora_targets=("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"),
    requires=("transformers>=4.39.3",),
    tags=("moe",),
    sizes=(
        Size(name="deepseek-v2_5", size="236b", ms="deepseek-ai/DeepSeek-V2.5", hf="deepseek-ai/DeepSeek-V2.5", tags=("chat",)),
        Size(name="deepseek-v2_5-1210", size="236b", ms="deepseek-ai/DeepSeek-V2.5-1210", hf="deepseek-ai/DeepSeek-V2.5-1210", tags=("chat",)),
    ),
)

DEEPSEEK_R1_DISTILL_QWEN = ModelFamily(
    family="deepseek-r1-distill-qwen",
    architectures=("Qwen2ForCausalLM",),
    template="deepseek_r1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.37",),
    tags=("reasoning",),
    chat_templates=("f4b991b4d6c68db1",),
    sizes=(
        Size(name="deepseek-r1-distill-qwen-1_5b", ms="deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", hf="deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", tags=("chat",)),
        Size(name="deepseek-r1-distill-qwen-7b", ms="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", hf="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", tags=("chat",)),
        Size(name="deepseek-r1-distill-qwen-14b", ms="deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", hf="deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", tags=("chat",)),
        Size(name="deepseek-r1-distill-qwen-32b", ms="deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", hf="deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", tags=("chat",)),
    ),
)

DEEPSEEK_R1_DISTILL_LLAMA = ModelFamily(
    family="deepseek-r1-distill-llama",
    architectures=("LlamaForCausalLM",),
    template="deepseek_r1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.43",),
    tags=("reasoning",),
    chat_templates=("f4b991b4d6c68db1",),
    sizes=(
        Size(name="deepseek-r1-distill-llama-8b", ms="deepseek-ai/DeepSeek-R1-Distill-Llama-8B", hf="deepseek-ai/DeepSeek-R1-Distill-Llama-8B", tags=("chat",)),
        Size(name="deepseek-r1-distill-llama-70b", ms="deepseek-ai/DeepSeek-R1-Distill-Llama-70B", hf="deepseek-ai/DeepSeek-R1-Distill-Llama-70B", tags=("chat",)),
    ),
)

DEEPSEEK_R1_QWEN3 = ModelFamily(
    family="deepseek-r1-qwen3",
    architectures=("Qwen3ForCausalLM",),
    template="deepseek_r1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.51",),
    tags=("reasoning",),
    sizes=(
        Size(name="deepseek-r1-0528-qwen3-8b", ms="deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", hf="deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", tags=("chat",)),
    ),
)
