"""DeepSeek V3 to V4, R1, the provers, and the models of Moonshot that share the architecture."""

from swift.llm.catalog.rows import ModelFamily, Size

DEEPSEEK_V3 = ModelFamily(
    family="deepseek-v3",
    architectures=("DeepseekV3ForCausalLM",),
    template="deepseek_v2_5",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe",),
    sizes=(
        Size(name="deepseek-v3-base", size="671b", ms="deepseek-ai/DeepSeek-V3-Base", hf="deepseek-ai/DeepSeek-V3-Base", template="default-generation", tags=("base",), quant=("fp8", 8)),
        Size(name="deepseek-v3", size="671b", ms="deepseek-ai/DeepSeek-V3", hf="deepseek-ai/DeepSeek-V3", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-v3-0324", size="671b", ms="deepseek-ai/DeepSeek-V3-0324", hf="deepseek-ai/DeepSeek-V3-0324", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-v3-awq", size="671b", ms="cognitivecomputations/DeepSeek-V3-awq", hf="cognitivecomputations/DeepSeek-V3-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="deepseek-v3-0324-awq", size="671b", ms="cognitivecomputations/DeepSeek-V3-0324-AWQ", hf="cognitivecomputations/DeepSeek-V3-0324-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="deepseek-v3-bf16", size="671b", ms="unsloth/DeepSeek-V3-bf16", hf="unsloth/DeepSeek-V3-bf16", tags=("chat",)),
        Size(name="deepseek-v3-0324-bf16", size="671b", ms="unsloth/DeepSeek-V3-0324-BF16", hf="unsloth/DeepSeek-V3-0324-BF16", tags=("chat",)),
        Size(name="deepseek-prover-v2-671b", ms="deepseek-ai/DeepSeek-Prover-V2-671B", hf="deepseek-ai/DeepSeek-Prover-V2-671B", tags=("chat", "math"), quant=("fp8", 8)),
        Size(name="deepseek-prover-v2-671b-bf16", ms="unsloth/DeepSeek-Prover-V2-671B-BF16", hf="unsloth/DeepSeek-Prover-V2-671B-BF16", tags=("chat", "math")),
    ),
)

DEEPSEEK_R1 = ModelFamily(
    family="deepseek-r1",
    architectures=("DeepseekV3ForCausalLM",),
    template="deepseek_r1",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe", "reasoning"),
    sizes=(
        Size(name="deepseek-r1", size="671b", ms="deepseek-ai/DeepSeek-R1", hf="deepseek-ai/DeepSeek-R1", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-r1-zero", size="671b", ms="deepseek-ai/DeepSeek-R1-Zero", hf="deepseek-ai/DeepSeek-R1-Zero", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-r1-0528", size="671b", ms="deepseek-ai/DeepSeek-R1-0528", hf="deepseek-ai/DeepSeek-R1-0528", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-r1-awq", size="671b", ms="cognitivecomputations/DeepSeek-R1-awq", hf="cognitivecomputations/DeepSeek-R1-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="deepseek-r1-0528-awq", size="671b", ms="cognitivecomputations/DeepSeek-R1-0528-AWQ", hf="cognitivecomputations/DeepSeek-R1-0528-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="deepseek-r1-bf16", size="671b", ms="unsloth/DeepSeek-R1-BF16", hf="unsloth/DeepSeek-R1-BF16", tags=("chat",)),
        Size(name="deepseek-r1-zero-bf16", size="671b", ms="unsloth/DeepSeek-R1-Zero-BF16", hf="unsloth/DeepSeek-R1-Zero-BF16", tags=("chat",)),
        Size(name="deepseek-r1-0528-bf16", size="671b", ms="unsloth/DeepSeek-R1-0528-BF16", hf="unsloth/DeepSeek-R1-0528-BF16", tags=("chat",)),
    ),
)

DEEPSEEK_V3_1 = ModelFamily(
    family="deepseek-v3_1",
    architectures=("DeepseekV3ForCausalLM",),
    template="deepseek_v3_1",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe",),
    chat_templates=("0d581b8f4a7ab595",),
    sizes=(
        Size(name="deepseek-v3_1-base", size="671b", ms="deepseek-ai/DeepSeek-V3.1-Base", hf="deepseek-ai/DeepSeek-V3.1-Base", template="default-generation", tags=("base",), quant=("fp8", 8)),
        Size(name="deepseek-v3_1", size="671b", ms="deepseek-ai/DeepSeek-V3.1", hf="deepseek-ai/DeepSeek-V3.1", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-v3_1-terminus", size="671b", ms="deepseek-ai/DeepSeek-V3.1-Terminus", hf="deepseek-ai/DeepSeek-V3.1-Terminus", tags=("chat",), quant=("fp8", 8)),
    ),
)

DEEPSEEK_V3_2 = ModelFamily(
    family="deepseek-v3_2",
    architectures=("DeepseekV32ForCausalLM",),
    template="deepseek_v3_1",
    lora_targets=("ALL",),
    requires=("transformers>=5",),
    tags=("moe",),
    sizes=(
        Size(name="deepseek-v3_2", size="671b", ms="deepseek-ai/DeepSeek-V3.2", hf="deepseek-ai/DeepSeek-V3.2", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-v3_2-speciale", size="671b", ms="deepseek-ai/DeepSeek-V3.2-Speciale", hf="deepseek-ai/DeepSeek-V3.2-Speciale", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-v3_2-exp", size="671b", ms="deepseek-ai/DeepSeek-V3.2-Exp", hf="deepseek-ai/DeepSeek-V3.2-Exp", tags=("chat",), quant=("fp8", 8)),
        Size(name="deepseek-v3_2-exp-base", size="671b", ms="deepseek-ai/DeepSeek-V3.2-Exp-Base", hf="deepseek-ai/DeepSeek-V3.2-Exp-Base", template="default-generation", tags=("base",), quant=("fp8", 8)),
        Size(name="deepseek-math-v2", size="671b", ms="deepseek-ai/DeepSeek-Math-V2", hf="deepseek-ai/DeepSeek-Math-V2", tags=("chat", "math"), quant=("fp8", 8)),
    ),
)

DEEPSEEK_V4 = ModelFamily(
    family="deepseek-v4",
    architectures=("DeepseekV4ForCausalLM",),
    template="deepseek_v4",
    lora_targets=("ALL",),
    requires=("transformers>=5",),
    tags=("moe",),
    sizes=(
        Size(name="deepseek-v4-flash", ms="deepseek-ai/DeepSeek-V4-Flash", hf="deepseek-ai/DeepSeek-V4-Flash", tags=("chat",)),
        Size(name="deepseek-v4-flash-base", ms="deepseek-ai/DeepSeek-V4-Flash-Base", hf="deepseek-ai/DeepSeek-V4-Flash-Base", template="default-generation", tags=("base",)),
        Size(name="deepseek-v4-flash-0731", ms="deepseek-ai/DeepSeek-V4-Flash-0731", hf="deepseek-ai/DeepSeek-V4-Flash-0731", template="deepseek_v4_flash", tags=("chat",)),
        Size(name="deepseek-v4-pro", ms="deepseek-ai/DeepSeek-V4-Pro", hf="deepseek-ai/DeepSeek-V4-Pro", tags=("chat",)),
        Size(name="deepseek-v4-pro-base", ms="deepseek-ai/DeepSeek-V4-Pro-Base", hf="deepseek-ai/DeepSeek-V4-Pro-Base", template="default-generation", tags=("base",)),
    ),
)

MOONLIGHT = ModelFamily(
    family="moonlight",
    architectures=("DeepseekV3ForCausalLM",),
    template="moonlight",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe",),
    sizes=(
        Size(name="moonlight-16b-a3b", ms="moonshotai/Moonlight-16B-A3B", hf="moonshotai/Moonlight-16B-A3B", template="default-generation", tags=("base",)),
        Size(name="moonlight-16b-a3b-instruct", ms="moonshotai/Moonlight-16B-A3B-Instruct", hf="moonshotai/Moonlight-16B-A3B-Instruct", tags=("chat",)),
    ),
)

KIMI_K2 = ModelFamily(
    family="kimi-k2",
    architectures=("DeepseekV3ForCausalLM",),
    template="kimi_k2",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe",),
    chat_templates=("1c383f065642c8f6",),
    sizes=(
        Size(name="kimi-k2-base", size="1t", ms="moonshotai/Kimi-K2-Base", hf="moonshotai/Kimi-K2-Base", template="default-generation", tags=("base",), quant=("fp8", 8)),
        Size(name="kimi-k2-instruct", size="1t", ms="moonshotai/Kimi-K2-Instruct", hf="moonshotai/Kimi-K2-Instruct", tags=("chat",), quant=("fp8", 8)),
        Size(name="kimi-k2-instruct-0905", size="1t", ms="moonshotai/Kimi-K2-Instruct-0905", hf="moonshotai/Kimi-K2-Instruct-0905", tags=("chat",), quant=("fp8", 8)),
        Size(name="kimi-k2-thinking", size="1t", ms="moonshotai/Kimi-K2-Thinking", hf="moonshotai/Kimi-K2-Thinking", requires=("compressed-tensors",), tags=("chat", "reasoning"), quant=("compressed-tensors", 4)),
    ),
)
