"""Grok, DBRX, gpt-oss, Seed-OSS, Hunyuan, ERNIE, MiniMax, Kimi and other large text models."""

from swift.llm.catalog.rows import ModelFamily, Size

GROK = ModelFamily(
    family="grok",
    architectures=("Grok1ModelForCausalLM",),
    template="default-generation",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("moe",),
    trust_remote_code=True,
    sizes=(
        Size(name="grok-1", size="314b", ms="colossalai/grok-1-pytorch", hf="hpcai-tech/grok-1", tags=("base",)),
    ),
)

DBRX = ModelFamily(
    family="dbrx",
    architectures=("DbrxForCausalLM",),
    template="dbrx",
    lora_targets=("attn.Wqkv",),
    requires=("transformers>=4.40",),
    tags=("moe",),
    sizes=(
        Size(name="dbrx-base", size="132b", ms="AI-ModelScope/dbrx-base", hf="databricks/dbrx-base", template="default-generation", tags=("base",)),
        Size(name="dbrx-instruct", size="132b", ms="AI-ModelScope/dbrx-instruct", hf="databricks/dbrx-instruct", tags=("chat",)),
    ),
)

GPT_OSS = ModelFamily(
    family="gpt-oss",
    architectures=("GptOssForCausalLM",),
    template="gpt_oss",
    lora_targets=("ALL",),
    requires=("transformers>=4.55",),
    tags=("moe", "reasoning"),
    chat_templates=("0ae92c8bd737a4ee",),
    sizes=(
        Size(name="gpt-oss-20b", ms="openai-mirror/gpt-oss-20b", hf="openai/gpt-oss-20b", tags=("chat",), quant=("mxfp4", 4)),
        Size(name="gpt-oss-120b", ms="openai-mirror/gpt-oss-120b", hf="openai/gpt-oss-120b", tags=("chat",), quant=("mxfp4", 4)),
    ),
)

SEED_OSS = ModelFamily(
    family="seed-oss",
    architectures=("SeedOssForCausalLM",),
    template="seed_oss",
    lora_targets=("ALL",),
    requires=("transformers>=4.56",),
    chat_templates=("b7c894aaac0df0ee",),
    sizes=(
        Size(name="seed-oss-36b-instruct", ms="ByteDance-Seed/Seed-OSS-36B-Instruct", hf="ByteDance-Seed/Seed-OSS-36B-Instruct", tags=("chat",)),
        Size(name="seed-oss-36b-base", ms="ByteDance-Seed/Seed-OSS-36B-Base", hf="ByteDance-Seed/Seed-OSS-36B-Base", template="default-generation", tags=("base",)),
        Size(name="seed-oss-36b-base-wosyn", ms="ByteDance-Seed/Seed-OSS-36B-Base-woSyn", hf="ByteDance-Seed/Seed-OSS-36B-Base-woSyn", template="default-generation", tags=("base",)),
    ),
)

HUNYUAN = ModelFamily(
    family="hunyuan",
    architectures=("HunYuanDenseV1ForCausalLM",),
    template="hunyuan",
    lora_targets=("ALL",),
    requires=("transformers>=4.56",),
    sizes=(
        Size(name="hunyuan-0_5b-pretrain", ms="Tencent-Hunyuan/Hunyuan-0.5B-Pretrain", hf="tencent/Hunyuan-0.5B-Pretrain", template="default-generation", tags=("base",)),
        Size(name="hunyuan-0_5b-instruct", ms="Tencent-Hunyuan/Hunyuan-0.5B-Instruct", hf="tencent/Hunyuan-0.5B-Instruct", tags=("chat",)),
        Size(name="hunyuan-0_5b-instruct-fp8", ms="Tencent-Hunyuan/Hunyuan-0.5B-Instruct-FP8", hf="tencent/Hunyuan-0.5B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="hunyuan-0_5b-instruct-awq-int4", ms="Tencent-Hunyuan/Hunyuan-0.5B-Instruct-AWQ-Int4", hf="tencent/Hunyuan-0.5B-Instruct-AWQ-Int4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="hunyuan-0_5b-instruct-gptq-int4", ms="Tencent-Hunyuan/Hunyuan-0.5B-Instruct-GPTQ-Int4", hf="tencent/Hunyuan-0.5B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="hunyuan-1_8b-pretrain", ms="Tencent-Hunyuan/Hunyuan-1.8B-Pretrain", hf="tencent/Hunyuan-1.8B-Pretrain", template="default-generation", tags=("base",)),
        Size(name="hunyuan-1_8b-instruct", ms="Tencent-Hunyuan/Hunyuan-1.8B-Instruct", hf="tencent/Hunyuan-1.8B-Instruct", tags=("chat",)),
        Size(name="hunyuan-1_8b-instruct-fp8", ms="Tencent-Hunyuan/Hunyuan-1.8B-Instruct-FP8", hf="tencent/Hunyuan-1.8B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="hunyuan-1_8b-instruct-awq-int4", ms="Tencent-Hunyuan/Hunyuan-1.8B-Instruct-AWQ-Int4", hf="tencent/Hunyuan-1.8B-Instruct-AWQ-Int4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="hunyuan-1_8b-instruct-gptq-int4", ms="Tencent-Hunyuan/Hunyuan-1.8B-Instruct-GPTQ-Int4", hf="tencent/Hunyuan-1.8B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="hunyuan-4b-pretrain", ms="Tencent-Hunyuan/Hunyuan-4B-Pretrain", hf="tencent/Hunyuan-4B-Pretrain", template="default-generation", tags=("base",)),
        Size(name="hunyuan-4b-instruct", ms="Tencent-Hunyuan/Hunyuan-4B-Instruct", hf="tencent/Hunyuan-4B-Instruct", tags=("chat",)),
        Size(name="hunyuan-4b-instruct-fp8", ms="Tencent-Hunyuan/Hunyuan-4B-Instruct-FP8", hf="tencent/Hunyuan-4B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="hunyuan-4b-instruct-awq-int4", ms="Tencent-Hunyuan/Hunyuan-4B-Instruct-AWQ-Int4", hf="tencent/Hunyuan-4B-Instruct-AWQ-Int4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="hunyuan-4b-instruct-gptq-int4", ms="Tencent-Hunyuan/Hunyuan-4B-Instruct-GPTQ-Int4", hf="tencent/Hunyuan-4B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="hunyuan-7b-pretrain", ms="Tencent-Hunyuan/Hunyuan-7B-Pretrain", hf="tencent/Hunyuan-7B-Pretrain", template="default-generation", tags=("base",)),
        Size(name="hunyuan-7b-instruct", ms="Tencent-Hunyuan/Hunyuan-7B-Instruct", hf="tencent/Hunyuan-7B-Instruct", tags=("chat",)),
        Size(name="hunyuan-7b-instruct-fp8", ms="Tencent-Hunyuan/Hunyuan-7B-Instruct-FP8", hf="tencent/Hunyuan-7B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="hunyuan-7b-instruct-awq-int4", ms="Tencent-Hunyuan/Hunyuan-7B-Instruct-AWQ-Int4", hf="tencent/Hunyuan-7B-Instruct-AWQ-Int4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="hunyuan-7b-instruct-gptq-int4", ms="Tencent-Hunyuan/Hunyuan-7B-Instruct-GPTQ-Int4", hf="tencent/Hunyuan-7B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
    ),
)

HUNYUAN_MOE = ModelFamily(
    family="hunyuan-moe",
    architectures=("HunYuanMoEV1ForCausalLM",),
    template="hunyuan_moe",
    lora_targets=("ALL",),
    requires=("transformers>=4.56",),
    tags=("moe",),
    sizes=(
        Size(name="hunyuan-a13b-instruct", ms="Tencent-Hunyuan/Hunyuan-A13B-Instruct", hf="tencent/Hunyuan-A13B-Instruct", tags=("chat",)),
    ),
)

ERNIE4_5 = ModelFamily(
    family="ernie4_5",
    architectures=("Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"),
    template="ernie",
    lora_targets=("ALL",),
    requires=("transformers>=4.54",),
    sizes=(
        Size(name="ernie4_5-0_3b-base", ms="PaddlePaddle/ERNIE-4.5-0.3B-Base-PT", hf="baidu/ERNIE-4.5-0.3B-Base-PT", template="default-generation", tags=("base",)),
        Size(name="ernie4_5-0_3b", ms="PaddlePaddle/ERNIE-4.5-0.3B-PT", hf="baidu/ERNIE-4.5-0.3B-PT", tags=("chat",)),
    ),
)

ERNIE4_5_MOE = ModelFamily(
    family="ernie4_5-moe",
    architectures=("Ernie4_5_MoeForCausalLM",),
    template="ernie",
    lora_targets=("ALL",),
    requires=("transformers>=4.54",),
    tags=("moe",),
    sizes=(
        Size(name="ernie4_5-21b-a3b-base", ms="PaddlePaddle/ERNIE-4.5-21B-A3B-Base-PT", hf="baidu/ERNIE-4.5-21B-A3B-Base-PT", template="default-generation", tags=("base",)),
        Size(name="ernie4_5-21b-a3b", ms="PaddlePaddle/ERNIE-4.5-21B-A3B-PT", hf="baidu/ERNIE-4.5-21B-A3B-PT", tags=("chat",)),
        Size(name="ernie4_5-300b-a47b-base", ms="PaddlePaddle/ERNIE-4.5-300B-A47B-Base-PT", hf="baidu/ERNIE-4.5-300B-A47B-Base-PT", template="default-generation", tags=("base",)),
        Size(name="ernie4_5-300b-a47b", ms="PaddlePaddle/ERNIE-4.5-300B-A47B-PT", hf="baidu/ERNIE-4.5-300B-A47B-PT", tags=("chat",)),
        Size(name="ernie4_5-21b-a3b-thinking", ms="PaddlePaddle/ERNIE-4.5-21B-A3B-Thinking", hf="baidu/ERNIE-4.5-21B-A3B-Thinking", template="ernie_thinking", tags=("chat", "reasoning")),
    ),
)

MINIMAX_TEXT_01 = ModelFamily(
    family="minimax-text-01",
    architectures=("MiniMaxText01ForCausalLM",),
    template="minimax",
    lora_targets=("ALL",),
    tags=("moe",),
    trust_remote_code=True,
    sizes=(
        Size(name="minimax-text-01", size="456b", ms="MiniMax/MiniMax-Text-01", hf="MiniMaxAI/MiniMax-Text-01", tags=("chat",)),
    ),
)

MINIMAX_M1 = ModelFamily(
    family="minimax-m1",
    architectures=("MiniMaxM1ForCausalLM",),
    template="minimax_m1",
    lora_targets=("ALL",),
    tags=("moe", "reasoning"),
    trust_remote_code=True,
    sizes=(
        Size(name="minimax-m1-40k", size="456b", ms="MiniMax/MiniMax-M1-40k", hf="MiniMaxAI/MiniMax-M1-40k", tags=("chat",)),
        Size(name="minimax-m1-80k", size="456b", ms="MiniMax/MiniMax-M1-80k", hf="MiniMaxAI/MiniMax-M1-80k", tags=("chat",)),
    ),
)

MINIMAX_M2 = ModelFamily(
    family="minimax-m2",
    architectures=("MiniMaxM2ForCausalLM",),
    template="minimax_m2",
    lora_targets=("ALL",),
    requires=("transformers>=4.57.1",),
    tags=("moe", "reasoning"),
    chat_templates=("36bc73f74a294e18",),
    sizes=(
        Size(name="minimax-m2", size="230b", ms="MiniMax/MiniMax-M2", hf="MiniMaxAI/MiniMax-M2", tags=("chat",), quant=("fp8", 8)),
    ),
)

MINIMAX_M2_1 = ModelFamily(
    family="minimax-m2_1",
    architectures=("MiniMaxM2ForCausalLM",),
    template="minimax_m2_1",
    lora_targets=("ALL",),
    requires=("transformers>=4.57.1",),
    tags=("moe", "reasoning"),
    sizes=(
        Size(name="minimax-m2_1", size="230b", ms="MiniMax/MiniMax-M2.1", hf="MiniMaxAI/MiniMax-M2.1", tags=("chat",), quant=("fp8", 8)),
        Size(name="minimax-m2_5", ms="MiniMax/MiniMax-M2.5", hf="MiniMaxAI/MiniMax-M2.5", template="minimax_m2_5", tags=("chat",), quant=("fp8", 8)),
        Size(name="minimax-m2_7", ms="MiniMax/MiniMax-M2.7", hf="MiniMaxAI/MiniMax-M2.7", template="minimax_m2_7", tags=("chat",), quant=("fp8", 8)),
    ),
)

DOTS1 = ModelFamily(
    family="dots1",
    architectures=("Dots1ForCausalLM",),
    template="dots1",
    lora_targets=("ALL",),
    requires=("transformers>=4.53",),
    tags=("moe",),
    sizes=(
        Size(name="dots1-base", size="142b", ms="rednote-hilab/dots.llm1.base", hf="rednote-hilab/dots.llm1.base", template="default-generation", tags=("base",)),
        Size(name="dots1-instruct", size="142b", ms="rednote-hilab/dots.llm1.inst", hf="rednote-hilab/dots.llm1.inst", tags=("chat",)),
    ),
)

LING = ModelFamily(
    family="ling",
    architectures=("BailingMoeForCausalLM",),
    template="ling",
    lora_targets=("ALL",),
    tags=("moe",),
    trust_remote_code=True,
    sizes=(
        Size(name="ling-lite", size="16.8b", ms="inclusionAI/Ling-lite", hf="inclusionAI/Ling-lite", tags=("chat",)),
        Size(name="ling-plus", size="290b", ms="inclusionAI/Ling-plus", hf="inclusionAI/Ling-plus", tags=("chat",)),
        Size(name="ling-lite-base", size="16.8b", ms="inclusionAI/Ling-lite-base", hf="inclusionAI/Ling-lite-base", template="default-generation", tags=("base",)),
        Size(name="ling-plus-base", size="290b", ms="inclusionAI/Ling-plus-base", hf="inclusionAI/Ling-plus-base", template="default-generation", tags=("base",)),
    ),
)

LING2 = ModelFamily(
    family="ling2",
    architectures=("BailingMoeV2ForCausalLM",),
    template="ling2",
    lora_targets=("ALL",),
    tags=("moe",),
    trust_remote_code=True,
    sizes=(
        Size(name="ling-mini-2_0", size="16b", ms="inclusionAI/Ling-mini-2.0", hf="inclusionAI/Ling-mini-2.0", tags=("chat",)),
        Size(name="ling-mini-base-2_0", size="16b", ms="inclusionAI/Ling-mini-base-2.0", hf="inclusionAI/Ling-mini-base-2.0", template="default-generation", tags=("base",)),
        Size(name="ling-1t", ms="inclusionAI/Ling-1T", hf="inclusionAI/Ling-1T", tags=("chat",)),
        Size(name="ring-mini-2_0", size="16b", ms="inclusionAI/Ring-mini-2.0", hf="inclusionAI/Ring-mini-2.0", template="ring2", tags=("chat", "reasoning")),
    ),
)
