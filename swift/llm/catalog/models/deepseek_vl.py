"""DeepSeek-VL, DeepSeek-VL2, Janus and DeepSeek-OCR."""

from swift.llm.catalog.rows import ModelFamily, Size

DEEPSEEK_VL = ModelFamily(
    family="deepseek-vl",
    architectures=("MultiModalityCausalLM",),
    template="deepseek-vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language_model",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-vl-1_3b-chat", ms="deepseek-ai/deepseek-vl-1.3b-chat", hf="deepseek-ai/deepseek-vl-1.3b-chat", tags=("chat",)),
        Size(name="deepseek-vl-7b-chat", ms="deepseek-ai/deepseek-vl-7b-chat", hf="deepseek-ai/deepseek-vl-7b-chat", tags=("chat",)),
    ),
)

JANUS = ModelFamily(
    family="janus",
    architectures=("MultiModalityCausalLM",),
    template="deepseek-janus",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language_model",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-janus-1_3b", ms="deepseek-ai/Janus-1.3B", hf="deepseek-ai/Janus-1.3B", tags=("chat",)),
    ),
)

JANUS_PRO = ModelFamily(
    family="janus-pro",
    architectures=("MultiModalityCausalLM",),
    template="deepseek_janus_pro",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language_model",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-janus-pro-1b", ms="deepseek-ai/Janus-Pro-1B", hf="deepseek-ai/Janus-Pro-1B", tags=("chat",)),
        Size(name="deepseek-janus-pro-7b", ms="deepseek-ai/Janus-Pro-7B", hf="deepseek-ai/Janus-Pro-7B", tags=("chat",)),
    ),
)

DEEPSEEK_VL2 = ModelFamily(
    family="deepseek-vl2",
    architectures=("DeepseekVLV2ForCausalLM",),
    template="deepseek_vl2",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language",),
    requires=("transformers<4.42",),
    tags=("moe", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-vl2-tiny", size="3b", ms="deepseek-ai/deepseek-vl2-tiny", hf="deepseek-ai/deepseek-vl2-tiny", tags=("chat",)),
        Size(name="deepseek-vl2-small", size="16b", ms="deepseek-ai/deepseek-vl2-small", hf="deepseek-ai/deepseek-vl2-small", tags=("chat",)),
        Size(name="deepseek-vl2", size="27b", ms="deepseek-ai/deepseek-vl2", hf="deepseek-ai/deepseek-vl2", tags=("chat",)),
    ),
)

DEEPSEEK_OCR = ModelFamily(
    family="deepseek-ocr",
    architectures=("DeepseekOCRForCausalLM",),
    template="deepseek_ocr",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers==4.46.3", "easydict"),
    tags=("moe", "ocr", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-ocr", size="3b", ms="deepseek-ai/DeepSeek-OCR", hf="deepseek-ai/DeepSeek-OCR", tags=("chat",)),
    ),
)

DEEPSEEK_OCR2 = ModelFamily(
    family="deepseek-ocr2",
    architectures=("DeepseekOCR2ForCausalLM",),
    template="deepseek_ocr2",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("easydict",),
    tags=("moe", "ocr", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="deepseek-ocr-2", size="3b", ms="deepseek-ai/DeepSeek-OCR-2", hf="deepseek-ai/DeepSeek-OCR-2", tags=("chat",)),
    ),
)
