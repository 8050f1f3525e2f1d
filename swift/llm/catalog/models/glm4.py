"""GLM-4 0414, GLM-Z1, GLM-4.5 to GLM-5, dense, mixture of experts and vision."""

from swift.llm.catalog.rows import ModelFamily, Size

GLM4_0414 = ModelFamily(
    family="glm4-0414",
    architectures=("Glm4ForCausalLM",),
    template="glm4",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    sizes=(
        Size(name="glm4-9b-0414", ms="ZhipuAI/GLM-4-9B-0414", hf="zai-org/GLM-4-9B-0414", tags=("chat",)),
        Size(name="glm4-32b-0414", ms="ZhipuAI/GLM-4-32B-0414", hf="zai-org/GLM-4-32B-0414", tags=("chat",)),
        Size(name="glm4-32b-base-0414", ms="ZhipuAI/GLM-4-32B-Base-0414", hf="zai-org/GLM-4-32B-Base-0414", template="default-generation", tags=("base",)),
    ),
)

GLM_Z1 = ModelFamily(
    family="glm-z1",
    architectures=("Glm4ForCausalLM",),
    template="glm4",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("reasoning",),
    sizes=(
        Size(name="glm-z1-9b-0414", ms="ZhipuAI/GLM-Z1-9B-0414", hf="zai-org/GLM-Z1-9B-0414", tags=("chat",)),
        Size(name="glm-z1-32b-0414", ms="ZhipuAI/GLM-Z1-32B-0414", hf="zai-org/GLM-Z1-32B-0414", tags=("chat",)),
        Size(name="glm-z1-rumination-32b-0414", ms="ZhipuAI/GLM-Z1-Rumination-32B-0414", hf="zai-org/GLM-Z1-Rumination-32B-0414", template="glm4_z1_rumination", tags=("chat",)),
    ),
)

GLM4_5 = ModelFamily(
    family="glm4_5",
    architectures=("Glm4MoeForCausalLM",),
    template="glm4_5",
    lora_targets=("ALL",),
    requires=("transformers>=4.54",),
    tags=("moe",),
    chat_templates=("c633c2f6ade29376", "0645b99e90aa70e7"),
    sizes=(
        Size(name="glm4_5-air-base", size="106b", ms="ZhipuAI/GLM-4.5-Air-Base", hf="zai-org/GLM-4.5-Air-Base", template="default-generation", tags=("base",)),
        Size(name="glm4_5-air", size="106b", ms="ZhipuAI/GLM-4.5-Air", hf="zai-org/GLM-4.5-Air", tags=("chat",)),
        Size(name="glm4_5-air-fp8", size="106b", ms="ZhipuAI/GLM-4.5-Air-FP8", hf="zai-org/GLM-4.5-Air-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="glm4_5-base", size="355b", ms="ZhipuAI/GLM-4.5-Base", hf="zai-org/GLM-4.5-Base", template="default-generation", tags=("base",)),
        Size(name="glm4_5", size="355b", ms="ZhipuAI/GLM-4.5", hf="zai-org/GLM-4.5", tags=("chat",)),
        Size(name="glm4_5-fp8", size="355b", ms="ZhipuAI/GLM-4.5-FP8", hf="zai-org/GLM-4.5-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="glm4_6", size="355b", ms="ZhipuAI/GLM-4.6", hf="zai-org/GLM-4.6", tags=("chat",)),
        Size(name="glm4_6-fp8", size="355b", ms="ZhipuAI/GLM-4.6-FP8", hf="zai-org/GLM-4.6-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

GLM4_7 = ModelFamily(
    family="glm4_7",
    architectures=("Glm4MoeForCausalLM",),
    template="glm4_7",
    lora_targets=("ALL",),
    requires=("transformers>=4.54",),
    tags=("moe",),
    sizes=(
        Size(name="glm4_7", ms="ZhipuAI/GLM-4.7", hf="zai-org/GLM-4.7", tags=("chat",)),
        Size(name="glm4_7-fp8", ms="ZhipuAI/GLM-4.7-FP8", hf="zai-org/GLM-4.7-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

GLM4_7_FLASH = ModelFamily(
    family="glm4_7-flash",
    architectures=("Glm4MoeLiteForCausalLM",),
    template="glm4_7",
    lora_targets=("ALL",),
    requires=("transformers>=5",),
    tags=("moe",),
    sizes=(
        Size(name="glm4_7-flash", ms="ZhipuAI/GLM-4.7-Flash", hf="zai-org/GLM-4.7-Flash", tags=("chat",)),
    ),
)

GLM5 = ModelFamily(
    family="glm5",
    architectures=("GlmMoeDsaForCausalLM",),
    template="glm5_2",
    lora_targets=("ALL",),
    requires=("transformers>=5.2",),
    tags=("moe",),
    sizes=(
        Size(name="glm5", ms="ZhipuAI/GLM-5", hf="zai-org/GLM-5", template="glm4_7", tags=("chat",)),
        Size(name="glm5_1", ms="ZhipuAI/GLM-5.1", hf="zai-org/GLM-5.1", template="glm5_1", tags=("chat",)),
        Size(name="glm5_1-fp8", ms="ZhipuAI/GLM-5.1-FP8", hf="zai-org/GLM-5.1-FP8", template="glm5_1", tags=("chat",), quant=("fp8", 8)),
        Size(name="glm5_2", ms="ZhipuAI/GLM-5.2", hf="zai-org/GLM-5.2", tags=("chat",)),
        Size(name="glm5_2-fp8", ms="ZhipuAI/GLM-5.2-FP8", hf="zai-org/GLM-5.2-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

GLM4_1V = ModelFamily(
    family="glm4_1v",
    architectures=("Glm4vForConditionalGeneration",),
    template="glm4v",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.53",),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="glm4_1v-9b-base", ms="ZhipuAI/GLM-4.1V-9B-Base", hf="zai-org/GLM-4.1V-9B-Base", tags=("base",)),
        Size(name="glm4_1v-9b-thinking", ms="ZhipuAI/GLM-4.1V-9B-Thinking", hf="zai-org/GLM-4.1V-9B-Thinking", tags=("chat", "reasoning")),
        Size(name="autoglm-phone-9b", ms="ZhipuAI/AutoGLM-Phone-9B", hf="zai-org/AutoGLM-Phone-9B", tags=("chat",)),
    ),
)

GLM4_6V_FLASH = ModelFamily(
    family="glm4_6v-flash",
    architectures=("Glm4vForConditionalGeneration",),
    template="glm4_5v",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.57",),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="glyph", size="9b", ms="ZhipuAI/Glyph", hf="zai-org/Glyph", tags=("chat",)),
        Size(name="glm4_6v-flash", size="9b", ms="ZhipuAI/GLM-4.6V-Flash", hf="zai-org/GLM-4.6V-Flash", requires=("transformers>=5",), tags=("chat",)),
    ),
)

GLM4_5V = ModelFamily(
    family="glm4_5v",
    architectures=("Glm4vMoeForConditionalGeneration",),
    template="glm4_5v",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.56",),
    tags=("moe", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="glm4_5v", size="106b", ms="ZhipuAI/GLM-4.5V", hf="zai-org/GLM-4.5V", tags=("chat",)),
        Size(name="glm4_5v-fp8", size="106b", ms="ZhipuAI/GLM-4.5V-FP8", hf="zai-org/GLM-4.5V-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="glm4_6v", size="106b", ms="ZhipuAI/GLM-4.6V", hf="zai-org/GLM-4.6V", requires=("transformers>=5",), tags=("chat",)),
        Size(name="glm4_6v-fp8", size="106b", ms="ZhipuAI/GLM-4.6V-FP8", hf="zai-org/GLM-4.6V-FP8", requires=("transformers>=5",), tags=("chat",), quant=("fp8", 8)),
    ),
)

GLM_OCR = ModelFamily(
    family="glm-ocr",
    architectures=("GlmOcrForConditionalGeneration",),
    template="glm_ocr",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.0.1.dev0",),
    tags=("ocr", "multi-modal", "vision"),
    sizes=(
        Size(name="glm-ocr", size="0.9b", ms="ZhipuAI/GLM-OCR", hf="zai-org/GLM-OCR", tags=("chat",)),
    ),
)
