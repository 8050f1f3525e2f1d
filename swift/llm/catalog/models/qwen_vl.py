"""Qwen-VL, Qwen2-VL, Qwen2.5-VL, Qwen3-VL, the audio and omni models, and what others trained from them."""

from swift.llm.catalog.rows import ModelFamily, Size

QWEN_VL = ModelFamily(
    family="qwen-vl",
    architectures=("QWenLMHeadModel",),
    template="qwen-vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("transformer.h",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="qwen-vl", size="9.6b", ms="Qwen/Qwen-VL", hf="Qwen/Qwen-VL", template="qwen-vl-generation", tags=("base",)),
        Size(name="qwen-vl-chat", size="9.6b", ms="Qwen/Qwen-VL-Chat", hf="Qwen/Qwen-VL-Chat", tags=("chat",)),
        Size(name="qwen-vl-chat-int4", size="9.6b", ms="Qwen/Qwen-VL-Chat-Int4", hf="Qwen/Qwen-VL-Chat-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
    ),
)

QWEN_AUDIO = ModelFamily(
    family="qwen-audio",
    architectures=("QWenLMHeadModel",),
    template="qwen-audio",
    lora_targets=("ALL",),
    modality=("text", "audio"),
    language_prefixes=("transformer.h",),
    tags=("multi-modal", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="qwen-audio", size="8.4b", ms="Qwen/Qwen-Audio", hf="Qwen/Qwen-Audio", template="qwen-audio-generation", tags=("base",)),
        Size(name="qwen-audio-chat", size="8.4b", ms="Qwen/Qwen-Audio-Chat", hf="Qwen/Qwen-Audio-Chat", tags=("chat",)),
    ),
)

QWEN2_AUDIO = ModelFamily(
    family="qwen2-audio",
    architectures=("Qwen2AudioForConditionalGeneration",),
    template="qwen2-audio",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:multimodal_lm",
    modality=("text", "audio"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45", "librosa"),
    tags=("multi-modal", "audio"),
    sizes=(
        Size(name="qwen2-audio-7b", ms="Qwen/Qwen2-Audio-7B", hf="Qwen/Qwen2-Audio-7B", template="qwen2-audio-generation", tags=("base",)),
        Size(name="qwen2-audio-7b-instruct", ms="Qwen/Qwen2-Audio-7B-Instruct", hf="Qwen/Qwen2-Audio-7B-Instruct", tags=("chat",)),
    ),
)

QWEN2_VL = ModelFamily(
    family="qwen2-vl",
    architectures=("Qwen2VLForConditionalGeneration",),
    template="qwen2-vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("multi-modal", "vision", "video"),
    chat_templates=("acd98fc1f6c6235f",),
    sizes=(
        Size(name="qwen2-vl-2b", ms="Qwen/Qwen2-VL-2B", hf="Qwen/Qwen2-VL-2B", template="qwen2-vl-generation", tags=("base",)),
        Size(name="qwen2-vl-2b-instruct", ms="Qwen/Qwen2-VL-2B-Instruct", hf="Qwen/Qwen2-VL-2B-Instruct", tags=("chat",)),
        Size(name="qwen2-vl-2b-instruct-gptq-int4", ms="Qwen/Qwen2-VL-2B-Instruct-GPTQ-Int4", hf="Qwen/Qwen2-VL-2B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="qwen2-vl-2b-instruct-gptq-int8", ms="Qwen/Qwen2-VL-2B-Instruct-GPTQ-Int8", hf="Qwen/Qwen2-VL-2B-Instruct-GPTQ-Int8", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
        Size(name="qwen2-vl-2b-instruct-awq", ms="Qwen/Qwen2-VL-2B-Instruct-AWQ", hf="Qwen/Qwen2-VL-2B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen2-vl-7b", ms="Qwen/Qwen2-VL-7B", hf="Qwen/Qwen2-VL-7B", template="qwen2-vl-generation", tags=("base",)),
        Size(name="qwen2-vl-7b-instruct", ms="Qwen/Qwen2-VL-7B-Instruct", hf="Qwen/Qwen2-VL-7B-Instruct", tags=("chat",)),
        Size(name="qwen2-vl-7b-instruct-gptq-int4", ms="Qwen/Qwen2-VL-7B-Instruct-GPTQ-Int4", hf="Qwen/Qwen2-VL-7B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="qwen2-vl-7b-instruct-gptq-int8", ms="Qwen/Qwen2-VL-7B-Instruct-GPTQ-Int8", hf="Qwen/Qwen2-VL-7B-Instruct-GPTQ-Int8", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
        Size(name="qwen2-vl-7b-instruct-awq", ms="Qwen/Qwen2-VL-7B-Instruct-AWQ", hf="Qwen/Qwen2-VL-7B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen2-vl-72b", ms="Qwen/Qwen2-VL-72B", hf="Qwen/Qwen2-VL-72B", template="qwen2-vl-generation", tags=("base",)),
        Size(name="qwen2-vl-72b-instruct", ms="Qwen/Qwen2-VL-72B-Instruct", hf="Qwen/Qwen2-VL-72B-Instruct", tags=("chat",)),
        Size(name="qwen2-vl-72b-instruct-gptq-int4", ms="Qwen/Qwen2-VL-72B-Instruct-GPTQ-Int4", hf="Qwen/Qwen2-VL-72B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="qwen2-vl-72b-instruct-gptq-int8", ms="Qwen/Qwen2-VL-72B-Instruct-GPTQ-Int8", hf="Qwen/Qwen2-VL-72B-Instruct-GPTQ-Int8", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
        Size(name="qwen2-vl-72b-instruct-awq", ms="Qwen/Qwen2-VL-72B-Instruct-AWQ", hf="Qwen/Qwen2-VL-72B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

QVQ = ModelFamily(
    family="qvq",
    architectures=("Qwen2VLForConditionalGeneration",),
    template="qvq",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("reasoning", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="qvq-72b-preview", ms="Qwen/QVQ-72B-Preview", hf="Qwen/QVQ-72B-Preview", tags=("chat",)),
    ),
)

UI_TARS = ModelFamily(
    family="ui-tars",
    architectures=("Qwen2VLForConditionalGeneration",),
    template="qwen2_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="ui-tars-2b-sft", ms="bytedance-research/UI-TARS-2B-SFT", hf="bytedance-research/UI-TARS-2B-SFT", tags=("chat",)),
        Size(name="ui-tars-7b-sft", ms="bytedance-research/UI-TARS-7B-SFT", hf="bytedance-research/UI-TARS-7B-SFT", tags=("chat",)),
        Size(name="ui-tars-7b-dpo", ms="bytedance-research/UI-TARS-7B-DPO", hf="bytedance-research/UI-TARS-7B-DPO", tags=("chat",)),
        Size(name="ui-tars-72b-sft", ms="bytedance-research/UI-TARS-72B-SFT", hf="bytedance-research/UI-TARS-72B-SFT", tags=("chat",)),
        Size(name="ui-tars-72b-dpo", ms="bytedance-research/UI-TARS-72B-DPO", hf="bytedance-research/UI-TARS-72B-DPO", tags=("chat",)),
    ),
)

QWEN2_VL_OCR = ModelFamily(
    family="qwen2-vl-ocr",
    architectures=("Qwen2VLForConditionalGeneration",),
    template="qwen2_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("ocr", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="olmocr-7b-0225-preview", ms="allenai/olmOCR-7B-0225-preview", hf="allenai/olmOCR-7B-0225-preview", tags=("chat",)),
        Size(name="mineru2_5-pro-2604-1_2b", ms="OpenDataLab/MinerU2.5-Pro-2604-1.2B", hf="opendatalab/MinerU2.5-Pro-2604-1.2B", tags=("chat",)),
    ),
)

QWEN2_5_VL = ModelFamily(
    family="qwen2_5-vl",
    architectures=("Qwen2_5_VLForConditionalGeneration",),
    template="qwen2_5_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("multi-modal", "vision", "video"),
    chat_templates=("acd98fc1f6c6235f",),
    sizes=(
        Size(name="qwen2_5-vl-3b-instruct", ms="Qwen/Qwen2.5-VL-3B-Instruct", hf="Qwen/Qwen2.5-VL-3B-Instruct", tags=("chat",)),
        Size(name="qwen2_5-vl-3b-instruct-awq", ms="Qwen/Qwen2.5-VL-3B-Instruct-AWQ", hf="Qwen/Qwen2.5-VL-3B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen2_5-vl-7b-instruct", ms="Qwen/Qwen2.5-VL-7B-Instruct", hf="Qwen/Qwen2.5-VL-7B-Instruct", tags=("chat",)),
        Size(name="qwen2_5-vl-7b-instruct-awq", ms="Qwen/Qwen2.5-VL-7B-Instruct-AWQ", hf="Qwen/Qwen2.5-VL-7B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen2_5-vl-32b-instruct", ms="Qwen/Qwen2.5-VL-32B-Instruct", hf="Qwen/Qwen2.5-VL-32B-Instruct", tags=("chat",)),
        Size(name="qwen2_5-vl-32b-instruct-awq", ms="Qwen/Qwen2.5-VL-32B-Instruct-AWQ", hf="Qwen/Qwen2.5-VL-32B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="qwen2_5-vl-72b-instruct", ms="Qwen/Qwen2.5-VL-72B-Instruct", hf="Qwen/Qwen2.5-VL-72B-Instruct", tags=("chat",)),
        Size(name="qwen2_5-vl-72b-instruct-awq", ms="Qwen/Qwen2.5-VL-72B-Instruct-AWQ", hf="Qwen/Qwen2.5-VL-72B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

MIMO_VL = ModelFamily(
    family="mimo-vl",
    architectures=("Qwen2_5_VLForConditionalGeneration",),
    template="mimo_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("reasoning", "multi-modal", "vision", "video"),
    chat_templates=("a2f6a36200cc4a50",),
    sizes=(
        Size(name="mimo-vl-7b-sft", ms="XiaomiMiMo/MiMo-VL-7B-SFT", hf="XiaomiMiMo/MiMo-VL-7B-SFT", tags=("chat",)),
        Size(name="mimo-vl-7b-rl", ms="XiaomiMiMo/MiMo-VL-7B-RL", hf="XiaomiMiMo/MiMo-VL-7B-RL", tags=("chat",)),
    ),
)

QWEN3_VL = ModelFamily(
    family="qwen3-vl",
    architectures=("Qwen3VLForConditionalGeneration",),
    template="qwen3_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.57", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3-vl-2b-instruct", ms="Qwen/Qwen3-VL-2B-Instruct", hf="Qwen/Qwen3-VL-2B-Instruct", tags=("chat",)),
        Size(name="qwen3-vl-2b-instruct-fp8", ms="Qwen/Qwen3-VL-2B-Instruct-FP8", hf="Qwen/Qwen3-VL-2B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-vl-2b-thinking", ms="Qwen/Qwen3-VL-2B-Thinking", hf="Qwen/Qwen3-VL-2B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-vl-2b-thinking-fp8", ms="Qwen/Qwen3-VL-2B-Thinking-FP8", hf="Qwen/Qwen3-VL-2B-Thinking-FP8", tags=("chat", "reasoning"), quant=("fp8", 8)),
        Size(name="qwen3-vl-4b-instruct", ms="Qwen/Qwen3-VL-4B-Instruct", hf="Qwen/Qwen3-VL-4B-Instruct", tags=("chat",)),
        Size(name="qwen3-vl-4b-instruct-fp8", ms="Qwen/Qwen3-VL-4B-Instruct-FP8", hf="Qwen/Qwen3-VL-4B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-vl-4b-thinking", ms="Qwen/Qwen3-VL-4B-Thinking", hf="Qwen/Qwen3-VL-4B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-vl-4b-thinking-fp8", ms="Qwen/Qwen3-VL-4B-Thinking-FP8", hf="Qwen/Qwen3-VL-4B-Thinking-FP8", tags=("chat", "reasoning"), quant=("fp8", 8)),
        Size(name="qwen3-vl-8b-instruct", ms="Qwen/Qwen3-VL-8B-Instruct", hf="Qwen/Qwen3-VL-8B-Instruct", tags=("chat",)),
        Size(name="qwen3-vl-8b-instruct-fp8", ms="Qwen/Qwen3-VL-8B-Instruct-FP8", hf="Qwen/Qwen3-VL-8B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-vl-8b-thinking", ms="Qwen/Qwen3-VL-8B-Thinking", hf="Qwen/Qwen3-VL-8B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-vl-8b-thinking-fp8", ms="Qwen/Qwen3-VL-8B-Thinking-FP8", hf="Qwen/Qwen3-VL-8B-Thinking-FP8", tags=("chat", "reasoning"), quant=("fp8", 8)),
        Size(name="qwen3-vl-32b-instruct", ms="Qwen/Qwen3-VL-32B-Instruct", hf="Qwen/Qwen3-VL-32B-Instruct", tags=("chat",)),
        Size(name="qwen3-vl-32b-instruct-fp8", ms="Qwen/Qwen3-VL-32B-Instruct-FP8", hf="Qwen/Qwen3-VL-32B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-vl-32b-thinking", ms="Qwen/Qwen3-VL-32B-Thinking", hf="Qwen/Qwen3-VL-32B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-vl-32b-thinking-fp8", ms="Qwen/Qwen3-VL-32B-Thinking-FP8", hf="Qwen/Qwen3-VL-32B-Thinking-FP8", tags=("chat", "reasoning"), quant=("fp8", 8)),
    ),
)

QWEN3_VL_MOE = ModelFamily(
    family="qwen3-vl-moe",
    architectures=("Qwen3VLMoeForConditionalGeneration",),
    template="qwen3_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.57", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("moe", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3-vl-30b-a3b-instruct", ms="Qwen/Qwen3-VL-30B-A3B-Instruct", hf="Qwen/Qwen3-VL-30B-A3B-Instruct", tags=("chat",)),
        Size(name="qwen3-vl-30b-a3b-instruct-fp8", ms="Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", hf="Qwen/Qwen3-VL-30B-A3B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-vl-30b-a3b-thinking", ms="Qwen/Qwen3-VL-30B-A3B-Thinking", hf="Qwen/Qwen3-VL-30B-A3B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-vl-30b-a3b-thinking-fp8", ms="Qwen/Qwen3-VL-30B-A3B-Thinking-FP8", hf="Qwen/Qwen3-VL-30B-A3B-Thinking-FP8", tags=("chat", "reasoning"), quant=("fp8", 8)),
        Size(name="qwen3-vl-235b-a22b-instruct", ms="Qwen/Qwen3-VL-235B-A22B-Instruct", hf="Qwen/Qwen3-VL-235B-A22B-Instruct", tags=("chat",)),
        Size(name="qwen3-vl-235b-a22b-instruct-fp8", ms="Qwen/Qwen3-VL-235B-A22B-Instruct-FP8", hf="Qwen/Qwen3-VL-235B-A22B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-vl-235b-a22b-thinking", ms="Qwen/Qwen3-VL-235B-A22B-Thinking", hf="Qwen/Qwen3-VL-235B-A22B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-vl-235b-a22b-thinking-fp8", ms="Qwen/Qwen3-VL-235B-A22B-Thinking-FP8", hf="Qwen/Qwen3-VL-235B-A22B-Thinking-FP8", tags=("chat", "reasoning"), quant=("fp8", 8)),
    ),
)

QWEN3_5 = ModelFamily(
    family="qwen3_5",
    architectures=("Qwen3_5ForConditionalGeneration",),
    template="qwen3_5",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.2", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3_5-0_8b", ms="Qwen/Qwen3.5-0.8B", hf="Qwen/Qwen3.5-0.8B", tags=("chat",)),
        Size(name="qwen3_5-0_8b-base", ms="Qwen/Qwen3.5-0.8B-Base", hf="Qwen/Qwen3.5-0.8B-Base", tags=("base",)),
        Size(name="qwen3_5-2b", ms="Qwen/Qwen3.5-2B", hf="Qwen/Qwen3.5-2B", tags=("chat",)),
        Size(name="qwen3_5-2b-base", ms="Qwen/Qwen3.5-2B-Base", hf="Qwen/Qwen3.5-2B-Base", tags=("base",)),
        Size(name="qwen3_5-4b", ms="Qwen/Qwen3.5-4B", hf="Qwen/Qwen3.5-4B", tags=("chat",)),
        Size(name="qwen3_5-4b-base", ms="Qwen/Qwen3.5-4B-Base", hf="Qwen/Qwen3.5-4B-Base", tags=("base",)),
        Size(name="qwen3_5-9b", ms="Qwen/Qwen3.5-9B", hf="Qwen/Qwen3.5-9B", tags=("chat",)),
        Size(name="qwen3_5-9b-base", ms="Qwen/Qwen3.5-9B-Base", hf="Qwen/Qwen3.5-9B-Base", tags=("base",)),
        Size(name="qwen3_5-27b", ms="Qwen/Qwen3.5-27B", hf="Qwen/Qwen3.5-27B", tags=("chat",)),
        Size(name="qwen3_5-27b-fp8", ms="Qwen/Qwen3.5-27B-FP8", hf="Qwen/Qwen3.5-27B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3_6-27b", ms="Qwen/Qwen3.6-27B", hf="Qwen/Qwen3.6-27B", tags=("chat",)),
        Size(name="qwen3_6-27b-fp8", ms="Qwen/Qwen3.6-27B-FP8", hf="Qwen/Qwen3.6-27B-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_8 = ModelFamily(
    family="qwen3_8",
    architectures=("Qwen3_5ForConditionalGeneration",),
    template="qwen3_8",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.2", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3_8-27b", ms="Qwen/Qwen3.8-27B", hf="Qwen/Qwen3.8-27B", tags=("chat",)),
        Size(name="qwen3_8-27b-fp8", ms="Qwen/Qwen3.8-27B-FP8", hf="Qwen/Qwen3.8-27B-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_5_MOE = ModelFamily(
    family="qwen3_5-moe",
    architectures=("Qwen3_5MoeForConditionalGeneration",),
    template="qwen3_5",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.2", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("moe", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3_5-35b-a3b-base", ms="Qwen/Qwen3.5-35B-A3B-Base", hf="Qwen/Qwen3.5-35B-A3B-Base", tags=("base",)),
        Size(name="qwen3_5-35b-a3b", ms="Qwen/Qwen3.5-35B-A3B", hf="Qwen/Qwen3.5-35B-A3B", tags=("chat",)),
        Size(name="qwen3_5-35b-a3b-fp8", ms="Qwen/Qwen3.5-35B-A3B-FP8", hf="Qwen/Qwen3.5-35B-A3B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3_5-122b-a10b", ms="Qwen/Qwen3.5-122B-A10B", hf="Qwen/Qwen3.5-122B-A10B", tags=("chat",)),
        Size(name="qwen3_5-122b-a10b-fp8", ms="Qwen/Qwen3.5-122B-A10B-FP8", hf="Qwen/Qwen3.5-122B-A10B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3_5-397b-a17b", ms="Qwen/Qwen3.5-397B-A17B", hf="Qwen/Qwen3.5-397B-A17B", tags=("chat",)),
        Size(name="qwen3_5-397b-a17b-fp8", ms="Qwen/Qwen3.5-397B-A17B-FP8", hf="Qwen/Qwen3.5-397B-A17B-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3_6-35b-a3b", ms="Qwen/Qwen3.6-35B-A3B", hf="Qwen/Qwen3.6-35B-A3B", tags=("chat",)),
        Size(name="qwen3_6-35b-a3b-fp8", ms="Qwen/Qwen3.6-35B-A3B-FP8", hf="Qwen/Qwen3.6-35B-A3B-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_8_MOE = ModelFamily(
    family="qwen3_8-moe",
    architectures=("Qwen3_5MoeForConditionalGeneration",),
    template="qwen3_8",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.2", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("moe", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3_8-2_4t-a95b", ms="Qwen/Qwen3.8-2.4T-A95B", hf="Qwen/Qwen3.8-2.4T-A95B", tags=("chat",)),
        Size(name="qwen3_8-2_4t-a95b-fp8", ms="Qwen/Qwen3.8-2.4T-A95B-FP8", hf="Qwen/Qwen3.8-2.4T-A95B-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN2_5_OMNI = ModelFamily(
    family="qwen2_5-omni",
    architectures=("Qwen2_5OmniForConditionalGeneration", "Qwen2_5OmniModel"),
    template="qwen2_5_omni",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:multimodal_lm",
    modality=("text", "image", "video", "audio"),
    language_prefixes=("thinker.model",),
    requires=("transformers>=4.52", "soundfile", "qwen_omni_utils", "decord"),
    tags=("multi-modal", "vision", "video", "audio"),
    sizes=(
        Size(name="qwen2_5-omni-3b", ms="Qwen/Qwen2.5-Omni-3B", hf="Qwen/Qwen2.5-Omni-3B", tags=("chat",)),
        Size(name="qwen2_5-omni-7b", ms="Qwen/Qwen2.5-Omni-7B", hf="Qwen/Qwen2.5-Omni-7B", tags=("chat",)),
    ),
)

QWEN3_OMNI = ModelFamily(
    family="qwen3-omni",
    architectures=("Qwen3OmniMoeForConditionalGeneration",),
    template="qwen3_omni",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:multimodal_lm",
    modality=("text", "image", "video", "audio"),
    language_prefixes=("thinker.model",),
    requires=("transformers>=4.57", "soundfile", "decord", "qwen_omni_utils>=0.0.9"),
    tags=("moe", "multi-modal", "vision", "video", "audio"),
    sizes=(
        Size(name="qwen3-omni-30b-a3b-instruct", ms="Qwen/Qwen3-Omni-30B-A3B-Instruct", hf="Qwen/Qwen3-Omni-30B-A3B-Instruct", tags=("chat",)),
        Size(name="qwen3-omni-30b-a3b-thinking", ms="Qwen/Qwen3-Omni-30B-A3B-Thinking", hf="Qwen/Qwen3-Omni-30B-A3B-Thinking", tags=("chat", "reasoning")),
        Size(name="qwen3-omni-30b-a3b-captioner", ms="Qwen/Qwen3-Omni-30B-A3B-Captioner", hf="Qwen/Qwen3-Omni-30B-A3B-Captioner", tags=("chat",)),
    ),
)

QWEN3_ASR = ModelFamily(
    family="qwen3-asr",
    architectures=("Qwen3ASRForConditionalGeneration",),
    template="qwen3_asr",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:multimodal_lm",
    task="speech_to_text",
    modality=("text", "audio"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5",),
    tags=("multi-modal", "audio"),
    sizes=(
        Size(name="qwen3-asr-0_6b", ms="Qwen/Qwen3-ASR-0.6B", hf="Qwen/Qwen3-ASR-0.6B"),
        Size(name="qwen3-asr-1_7b", ms="Qwen/Qwen3-ASR-1.7B", hf="Qwen/Qwen3-ASR-1.7B"),
    ),
)
