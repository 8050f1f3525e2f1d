"""Llama 3.2 Vision, Llama 4 and Llama 3.1 Omni."""

from swift.llm.catalog.rows import ModelFamily, Size

LLAMA3_2_VISION = ModelFamily(
    family="llama3_2-vision",
    architectures=("MllamaForConditionalGeneration",),
    template="llama3_2-vision",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="llama3_2-11b-vision", ms="LLM-Research/Llama-3.2-11B-Vision", hf="meta-llama/Llama-3.2-11B-Vision", template="llama3_2-vision-generation", tags=("base",)),
        Size(name="llama3_2-11b-vision-instruct", ms="LLM-Research/Llama-3.2-11B-Vision-Instruct", hf="meta-llama/Llama-3.2-11B-Vision-Instruct", tags=("chat",)),
        Size(name="llama3_2-90b-vision", ms="LLM-Research/Llama-3.2-90B-Vision", hf="meta-llama/Llama-3.2-90B-Vision", template="llama3_2-vision-generation", tags=("base",)),
        Size(name="llama3_2-90b-vision-instruct", ms="LLM-Research/Llama-3.2-90B-Vision-Instruct", hf="meta-llama/Llama-3.2-90B-Vision-Instruct", tags=("chat",)),
    ),
)

LLAMA4 = ModelFamily(
    family="llama4",
    architectures=("Llama4ForConditionalGeneration",),
    template="llama4",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("language_model",),
    requires=("transformers>=4.51",),
    tags=("moe", "multi-modal", "vision"),
    sizes=(
        Size(name="llama4-scout-17b-16e", ms="LLM-Research/Llama-4-Scout-17B-16E", hf="meta-llama/Llama-4-Scout-17B-16E", tags=("base",)),
        Size(name="llama4-scout-17b-16e-instruct", ms="LLM-Research/Llama-4-Scout-17B-16E-Instruct", hf="meta-llama/Llama-4-Scout-17B-16E-Instruct", tags=("chat",)),
        Size(name="llama4-maverick-17b-128e", ms="LLM-Research/Llama-4-Maverick-17B-128E", hf="meta-llama/Llama-4-Maverick-17B-128E", tags=("base",)),
        Size(name="llama4-maverick-17b-128e-instruct", ms="LLM-Research/Llama-4-Maverick-17B-128E-Instruct", hf="meta-llama/Llama-4-Maverick-17B-128E-Instruct", tags=("chat",)),
        Size(name="llama4-maverick-17b-128e-instruct-fp8", ms="LLM-Research/Llama-4-Maverick-17B-128E-Instruct-FP8", hf="meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

LLAMA3_1_OMNI = ModelFamily(
    family="llama3_1-omni",
    architectures=("OmniSpeech2SLlamaForCausalLM",),
    template="llama3_1-omni",
    lora_targets=("ALL",),
    modality=("text", "audio"),
    language_prefixes=("model.layers",),
    requires=("openai-whisper",),
    tags=("multi-modal", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="llama3_1-8b-omni", ms="ICTNLP/Llama-3.1-8B-Omni", hf="ICTNLP/Llama-3.1-8B-Omni", tags=("chat",)),
    ),
)
