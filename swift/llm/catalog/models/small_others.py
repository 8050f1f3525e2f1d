"""Granite, SmolLM, LFM2, OLMo, MiMo, Megrez, EXAONE and other small text models."""

from swift.llm.catalog.rows import ModelFamily, Size

MIMO = ModelFamily(
    family="mimo",
    architectures=("MiMoForCausalLM",),
    template="qwen",
    lora_targets=("ALL",),
    requires=("transformers>=4.37",),
    tags=("reasoning",),
    trust_remote_code=True,
    sizes=(
        Size(name="mimo-7b-base", ms="XiaomiMiMo/MiMo-7B-Base", hf="XiaomiMiMo/MiMo-7B-Base", template="default-generation", tags=("base",)),
        Size(name="mimo-7b-sft", ms="XiaomiMiMo/MiMo-7B-SFT", hf="XiaomiMiMo/MiMo-7B-SFT", tags=("chat",)),
        Size(name="mimo-7b-rl-zero", ms="XiaomiMiMo/MiMo-7B-RL-Zero", hf="XiaomiMiMo/MiMo-7B-RL-Zero", tags=("chat",)),
        Size(name="mimo-7b-rl", ms="XiaomiMiMo/MiMo-7B-RL", hf="XiaomiMiMo/MiMo-7B-RL", tags=("chat",)),
        Size(name="mimo-7b-rl-0530", ms="XiaomiMiMo/MiMo-7B-RL-0530", hf="XiaomiMiMo/MiMo-7B-RL-0530", template="mimo_rl", tags=("chat",)),
    ),
)

OLMOE = ModelFamily(
    family="olmoe",
    architectures=("OlmoeForCausalLM",),
    template="olmoe",
    lora_targets=("ALL",),
    requires=("transformers>=4.45",),
    tags=("moe",),
    sizes=(
        Size(name="olmoe-1b-7b-0125", ms="allenai/OLMoE-1B-7B-0125", hf="allenai/OLMoE-1B-7B-0125", template="default-generation", tags=("base",)),
        Size(name="olmoe-1b-7b-0125-instruct", ms="allenai/OLMoE-1B-7B-0125-Instruct", hf="allenai/OLMoE-1B-7B-0125-Instruct", tags=("chat",)),
        Size(name="olmoe-1b-7b-0924", ms="allenai/OLMoE-1B-7B-0924", hf="allenai/OLMoE-1B-7B-0924", template="default-generation", tags=("base",)),
        Size(name="olmoe-1b-7b-0924-instruct", ms="allenai/OLMoE-1B-7B-0924-Instruct", hf="allenai/OLMoE-1B-7B-0924-Instruct", template="olmoe_0924", tags=("chat",)),
        Size(name="olmoe-1b-7b-0924-sft", ms="allenai/OLMoE-1B-7B-0924-SFT", hf="allenai/OLMoE-1B-7B-0924-SFT", template="olmoe_0924", tags=("chat",)),
    ),
)

YOUTU_LLM = ModelFamily(
    family="youtu-llm",
    architectures=("YoutuForCausalLM",),
    template="youtu_llm",
    lora_targets=("ALL",),
    requires=("transformers>=4.56",),
    sizes=(
        Size(name="youtu-llm-2b", ms="Tencent-YouTu-Research/Youtu-LLM-2B", hf="tencent/Youtu-LLM-2B", tags=("chat",)),
        Size(name="youtu-llm-2b-base", ms="Tencent-YouTu-Research/Youtu-LLM-2B-Base", hf="tencent/Youtu-LLM-2B-Base", template="default-generation", tags=("base",)),
    ),
)

GRANITE3_1 = ModelFamily(
    family="granite3_1",
    architectures=("GraniteForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.45",),
    sizes=(
        Size(name="granite3_1-2b-instruct", hf="ibm-granite/granite-3.1-2b-instruct", tags=("chat",)),
        Size(name="granite3_1-8b-instruct", hf="ibm-granite/granite-3.1-8b-instruct", tags=("chat",)),
        Size(name="granite3_1-2b-base", hf="ibm-granite/granite-3.1-2b-base", template="default-generation", tags=("base",)),
        Size(name="granite3_1-8b-base", hf="ibm-granite/granite-3.1-8b-base", template="default-generation", tags=("base",)),
    ),
)

GRANITE3_2 = ModelFamily(
    family="granite3_2",
    architectures=("GraniteForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.45",),
    sizes=(
        Size(name="granite3_2-2b-instruct", hf="ibm-granite/granite-3.2-2b-instruct", tags=("chat",)),
        Size(name="granite3_2-8b-instruct", hf="ibm-granite/granite-3.2-8b-instruct", tags=("chat",)),
    ),
)

GRANITE3_3 = ModelFamily(
    family="granite3_3",
    architectures=("GraniteForCausalLM",),
    template="granite3_3",
    lora_targets=("ALL",),
    requires=("transformers>=4.45",),
    chat_templates=("3acdb8cb8a5d5c70",),
    sizes=(
        Size(name="granite3_3-2b-instruct", hf="ibm-granite/granite-3.3-2b-instruct", tags=("chat",)),
        Size(name="granite3_3-8b-instruct", hf="ibm-granite/granite-3.3-8b-instruct", tags=("chat",)),
        Size(name="granite3_3-2b-base", hf="ibm-granite/granite-3.3-2b-base", template="default-generation", tags=("base",)),
        Size(name="granite3_3-8b-base", hf="ibm-granite/granite-3.3-8b-base", template="default-generation", tags=("base",)),
    ),
)

GRANITE3_0 = ModelFamily(
    family="granite3_0",
    architectures=("GraniteForCausalLM",),
    template="granite3_0",
    lora_targets=("ALL",),
    requires=("transformers>=4.45",),
    sizes=(
        Size(name="granite3_0-2b-instruct", hf="ibm-granite/granite-3.0-2b-instruct", tags=("chat",)),
        Size(name="granite3_0-8b-instruct", hf="ibm-granite/granite-3.0-8b-instruct", tags=("chat",)),
        Size(name="granite3_0-2b-base", hf="ibm-granite/granite-3.0-2b-base", template="default-generation", tags=("base",)),
        Size(name="granite3_0-8b-base", hf="ibm-granite/granite-3.0-8b-base", template="default-generation", tags=("base",)),
    ),
)

GRANITE4 = ModelFamily(
    family="granite4",
    architectures=("GraniteMoeHybridForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.56",),
    sizes=(
        Size(name="granite4_0-micro", size="3b", hf="ibm-granite/granite-4.0-micro", tags=("chat",)),
        Size(name="granite4_0-h-micro", size="3b", hf="ibm-granite/granite-4.0-h-micro", tags=("chat",)),
        Size(name="granite4_0-h-tiny", size="7b", hf="ibm-granite/granite-4.0-h-tiny", tags=("chat",)),
        Size(name="granite4_0-h-small", size="32b", hf="ibm-granite/granite-4.0-h-small", tags=("chat",)),
        Size(name="granite4_0-micro-base", size="3b", hf="ibm-granite/granite-4.0-micro-base", template="default-generation", tags=("base",)),
        Size(name="granite4_0-h-micro-base", size="3b", hf="ibm-granite/granite-4.0-h-micro-base", template="default-generation", tags=("base",)),
        Size(name="granite4_0-h-tiny-base", size="7b", hf="ibm-granite/granite-4.0-h-tiny-base", template="default-generation", tags=("base",)),
        Size(name="granite4_0-h-small-base", size="32b", hf="ibm-granite/granite-4.0-h-small-base", template="default-generation", tags=("base",)),
    ),
)

SMOLLM2 = ModelFamily(
    family="smollm2",
    architectures=("LlamaForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.40",),
    sizes=(
        Size(name="smollm2-135m", hf="HuggingFaceTB/SmolLM2-135M", template="default-generation", tags=("base",)),
        Size(name="smollm2-135m-instruct", hf="HuggingFaceTB/SmolLM2-135M-Instruct", tags=("chat",)),
        Size(name="smollm2-360m", hf="HuggingFaceTB/SmolLM2-360M", template="default-generation", tags=("base",)),
        Size(name="smollm2-360m-instruct", hf="HuggingFaceTB/SmolLM2-360M-Instruct", tags=("chat",)),
        Size(name="smollm2-1_7b", hf="HuggingFaceTB/SmolLM2-1.7B", template="default-generation", tags=("base",)),
        Size(name="smollm2-1_7b-instruct", hf="HuggingFaceTB/SmolLM2-1.7B-Instruct", tags=("chat",)),
    ),
)

SMOLLM3 = ModelFamily(
    family="smollm3",
    architectures=("SmolLM3ForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.53",),
    chat_templates=("56604473a1fda251",),
    sizes=(
        Size(name="smollm3-3b-base", hf="HuggingFaceTB/SmolLM3-3B-Base", template="default-generation", tags=("base",)),
        Size(name="smollm3-3b", hf="HuggingFaceTB/SmolLM3-3B", tags=("chat",)),
    ),
)

LFM2 = ModelFamily(
    family="lfm2",
    architectures=("Lfm2ForCausalLM",),
    template="lfm2",
    lora_targets=("ALL",),
    requires=("transformers>=4.54",),
    chat_templates=("9207b14779676b41",),
    sizes=(
        Size(name="lfm2-350m", hf="LiquidAI/LFM2-350M", tags=("chat",)),
        Size(name="lfm2-700m", hf="LiquidAI/LFM2-700M", tags=("chat",)),
        Size(name="lfm2-1_2b", hf="LiquidAI/LFM2-1.2B", tags=("chat",)),
        Size(name="lfm2-2_6b", hf="LiquidAI/LFM2-2.6B", tags=("chat",)),
    ),
)

LFM2_MOE = ModelFamily(
    family="lfm2-moe",
    architectures=("Lfm2MoeForCausalLM",),
    template="lfm2",
    lora_targets=("ALL",),
    requires=("transformers>=4.57",),
    tags=("moe",),
    chat_templates=("9207b14779676b41",),
    sizes=(
        Size(name="lfm2-8b-a1b", hf="LiquidAI/LFM2-8B-A1B", tags=("chat",)),
    ),
)

OLMO2 = ModelFamily(
    family="olmo2",
    architectures=("Olmo2ForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.48",),
    sizes=(
        Size(name="olmo2-0425-1b", hf="allenai/OLMo-2-0425-1B", template="default-generation", tags=("base",)),
        Size(name="olmo2-0425-1b-instruct", hf="allenai/OLMo-2-0425-1B-Instruct", tags=("chat",)),
        Size(name="olmo2-1124-7b", hf="allenai/OLMo-2-1124-7B", template="default-generation", tags=("base",)),
        Size(name="olmo2-1124-7b-instruct", hf="allenai/OLMo-2-1124-7B-Instruct", tags=("chat",)),
        Size(name="olmo2-1124-13b", hf="allenai/OLMo-2-1124-13B", template="default-generation", tags=("base",)),
        Size(name="olmo2-1124-13b-instruct", hf="allenai/OLMo-2-1124-13B-Instruct", tags=("chat",)),
        Size(name="olmo2-0325-32b", hf="allenai/OLMo-2-0325-32B", template="default-generation", tags=("base",)),
        Size(name="olmo2-0325-32b-instruct", hf="allenai/OLMo-2-0325-32B-Instruct", tags=("chat",)),
    ),
)

EXAONE4 = ModelFamily(
    family="exaone4",
    architectures=("Exaone4ForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.54",),
    chat_templates=("98b90599edd0ff90",),
    sizes=(
        Size(name="exaone4-1_2b", hf="LGAI-EXAONE/EXAONE-4.0-1.2B", tags=("chat",)),
        Size(name="exaone4-32b", hf="LGAI-EXAONE/EXAONE-4.0-32B", tags=("chat",)),
    ),
)

APERTUS = ModelFamily(
    family="apertus",
    architectures=("ApertusForCausalLM",),
    template="apertus",
    lora_targets=("ALL",),
    requires=("transformers>=4.56",),
    chat_templates=("6155de934ee94d44",),
    sizes=(
        Size(name="apertus-8b-2509", hf="swiss-ai/Apertus-8B-2509", template="default-generation", tags=("base",)),
        Size(name="apertus-8b-instruct-2509", hf="swiss-ai/Apertus-8B-Instruct-2509", tags=("chat",)),
        Size(name="apertus-70b-2509", hf="swiss-ai/Apertus-70B-2509", template="default-generation", tags=("base",)),
        Size(name="apertus-70b-instruct-2509", hf="swiss-ai/Apertus-70B-Instruct-2509", tags=("chat",)),
    ),
)

SOLAR_OPEN = ModelFamily(
    family="solar-open",
    architectures=("SolarOpenForCausalLM",),
    template="solar_open",
    lora_targets=("ALL",),
    requires=("transformers>=5",),
    tags=("moe",),
    chat_templates=("202d083c78ff871f",),
    sizes=(
        Size(name="solar-open-100b", hf="upstage/Solar-Open-100B", tags=("chat",)),
    ),
)

BIELIK_V3 = ModelFamily(
    family="bielik-v3",
    architectures=("LlamaForCausalLM",),
    template="bielik_v3",
    lora_targets=("ALL",),
    chat_templates=("a30148abcf3c00f1",),
    sizes=(
        Size(name="bielik-11b-v3_0-instruct", hf="speakleash/Bielik-11B-v3.0-Instruct", tags=("chat",)),
    ),
)

LAGUNA_XS2 = ModelFamily(
    family="laguna-xs2",
    architectures=("LagunaForCausalLM",),
    template="laguna_xs2",
    lora_targets=("ALL",),
    requires=("transformers>=5",),
    tags=("moe", "coding"),
    chat_templates=("f07d230350f74660",),
    sizes=(
        Size(name="laguna-xs_2", hf="poolside/Laguna-XS.2", tags=("chat",)),
    ),
)
