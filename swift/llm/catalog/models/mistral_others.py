"""Mistral Small, Ministral 3, Devstral, Pixtral, and Zephyr and WizardLM 2 on the bases of Mistral."""

from swift.llm.catalog.rows import ModelFamily, Size

ZEPHYR = ModelFamily(
    family="zephyr",
    architectures=("MistralForCausalLM",),
    template="zephyr",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.34",),
    sizes=(
        Size(name="zephyr-7b-beta-chat", ms="modelscope/zephyr-7b-beta", hf="HuggingFaceH4/zephyr-7b-beta", tags=("chat",)),
    ),
)

WIZARDLM2 = ModelFamily(
    family="wizardlm2",
    architectures=("MistralForCausalLM",),
    template="wizardlm2-awq",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.34",),
    sizes=(
        Size(name="wizardlm2-7b-awq", ms="AI-ModelScope/WizardLM-2-7B-AWQ", hf="MaziyarPanahi/WizardLM-2-7B-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

WIZARDLM2_MOE = ModelFamily(
    family="wizardlm2-moe",
    architectures=("MixtralForCausalLM",),
    template="wizardlm2",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.36",),
    tags=("moe",),
    sizes=(
        Size(name="wizardlm2-8x22b", ms="AI-ModelScope/WizardLM-2-8x22B", hf="alpindale/WizardLM-2-8x22B", tags=("chat",)),
    ),
)

MISTRAL_SMALL_3 = ModelFamily(
    family="mistral-small-3",
    architectures=("MistralForCausalLM",),
    template="mistral_2501",
    lora_targets=("ALL",),
    sizes=(
        Size(name="mistral-small-base-2501", ms="mistralai/Mistral-Small-24B-Base-2501", hf="mistralai/Mistral-Small-24B-Base-2501", template="default-generation", tags=("base",)),
        Size(name="mistral-small-2501", ms="mistralai/Mistral-Small-24B-Instruct-2501", hf="mistralai/Mistral-Small-24B-Instruct-2501", tags=("chat",)),
    ),
)

DEVSTRAL = ModelFamily(
    family="devstral",
    architectures=("MistralForCausalLM",),
    template="devstral",
    lora_targets=("ALL",),
    requires=("transformers>=4.43", "mistral-common>=1.5.5"),
    tags=("coding",),
    sizes=(
        Size(name="devstral-small-2505", size="24b", ms="mistralai/Devstral-Small-2505", hf="mistralai/Devstral-Small-2505", tags=("chat",)),
    ),
)

MISTRAL_SMALL_3_1 = ModelFamily(
    family="mistral-small-3_1",
    architectures=("Mistral3ForConditionalGeneration",),
    template="mistral_2503",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="mistral-small-base-2503", ms="mistralai/Mistral-Small-3.1-24B-Base-2503", hf="mistralai/Mistral-Small-3.1-24B-Base-2503", tags=("base",)),
        Size(name="mistral-small-2503", ms="mistralai/Mistral-Small-3.1-24B-Instruct-2503", hf="mistralai/Mistral-Small-3.1-24B-Instruct-2503", tags=("chat",)),
    ),
)

MISTRAL_SMALL_3_2 = ModelFamily(
    family="mistral-small-3_2",
    architectures=("Mistral3ForConditionalGeneration",),
    template="mistral_2506",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49",),
    tags=("multi-modal", "vision"),
    chat_templates=("d4b8a8af48a63ef7",),
    sizes=(
        Size(name="mistral-small-2506", ms="mistralai/Mistral-Small-3.2-24B-Instruct-2506", hf="mistralai/Mistral-Small-3.2-24B-Instruct-2506", tags=("chat",)),
    ),
)

MINISTRAL3 = ModelFamily(
    family="ministral3",
    architectures=("Mistral3ForConditionalGeneration",),
    template="mistral_2512",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5", "mistral-common>=1.8.6"),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="ministral3-3b-base-2512", ms="mistralai/Ministral-3-3B-Base-2512", hf="mistralai/Ministral-3-3B-Base-2512", tags=("base",)),
        Size(name="ministral3-3b-instruct-2512", ms="mistralai/Ministral-3-3B-Instruct-2512", hf="mistralai/Ministral-3-3B-Instruct-2512", tags=("chat",), quant=("fp8", 8)),
        Size(name="ministral3-3b-instruct-2512-bf16", ms="mistralai/Ministral-3-3B-Instruct-2512-BF16", hf="mistralai/Ministral-3-3B-Instruct-2512-BF16", tags=("chat",)),
        Size(name="ministral3-8b-base-2512", ms="mistralai/Ministral-3-8B-Base-2512", hf="mistralai/Ministral-3-8B-Base-2512", tags=("base",)),
        Size(name="ministral3-8b-instruct-2512", ms="mistralai/Ministral-3-8B-Instruct-2512", hf="mistralai/Ministral-3-8B-Instruct-2512", tags=("chat",), quant=("fp8", 8)),
        Size(name="ministral3-8b-instruct-2512-bf16", ms="mistralai/Ministral-3-8B-Instruct-2512-BF16", hf="mistralai/Ministral-3-8B-Instruct-2512-BF16", tags=("chat",)),
        Size(name="ministral3-14b-base-2512", ms="mistralai/Ministral-3-14B-Base-2512", hf="mistralai/Ministral-3-14B-Base-2512", tags=("base",)),
        Size(name="ministral3-14b-instruct-2512", ms="mistralai/Ministral-3-14B-Instruct-2512", hf="mistralai/Ministral-3-14B-Instruct-2512", tags=("chat",), quant=("fp8", 8)),
        Size(name="ministral3-14b-instruct-2512-bf16", ms="mistralai/Ministral-3-14B-Instruct-2512-BF16", hf="mistralai/Ministral-3-14B-Instruct-2512-BF16", tags=("chat",)),
    ),
)

MINISTRAL3_REASONING = ModelFamily(
    family="ministral3-reasoning",
    architectures=("Mistral3ForConditionalGeneration",),
    template="mistral_2512_thinking",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5", "mistral-common>=1.8.6"),
    tags=("reasoning", "multi-modal", "vision"),
    sizes=(
        Size(name="ministral3-3b-reasoning-2512", ms="mistralai/Ministral-3-3B-Reasoning-2512", hf="mistralai/Ministral-3-3B-Reasoning-2512", tags=("chat",)),
        Size(name="ministral3-8b-reasoning-2512", ms="mistralai/Ministral-3-8B-Reasoning-2512", hf="mistralai/Ministral-3-8B-Reasoning-2512", tags=("chat",)),
        Size(name="ministral3-14b-reasoning-2512", ms="mistralai/Ministral-3-14B-Reasoning-2512", hf="mistralai/Ministral-3-14B-Reasoning-2512", tags=("chat",)),
    ),
)

PIXTRAL = ModelFamily(
    family="pixtral",
    architectures=("LlavaForConditionalGeneration",),
    template="pixtral",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="pixtral-12b", ms="AI-ModelScope/pixtral-12b", hf="mistral-community/pixtral-12b", tags=("chat",)),
    ),
)
