"""LLaVA 1.5, 1.6, NeXT, NeXT-Video and OneVision, and LLaVA of xtuner."""

from swift.llm.catalog.rows import ModelFamily, Size

LLAVA1_5 = ModelFamily(
    family="llava1_5",
    architectures=("LlavaForConditionalGeneration",),
    template="llava1_5",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.36",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="llava1_5-7b-instruct", ms="swift/llava-1.5-7b-hf", hf="llava-hf/llava-1.5-7b-hf", tags=("chat",)),
        Size(name="llava1_5-13b-instruct", ms="swift/llava-1.5-13b-hf", hf="llava-hf/llava-1.5-13b-hf", tags=("chat",)),
    ),
)

LLAVA_LLAMA3 = ModelFamily(
    family="llava-llama3",
    architectures=("LlavaForConditionalGeneration",),
    template="llava-llama-instruct",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.36",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="llava1_6-llama3_1-8b-instruct", ms="DaozeZhang/llava-llama3.1-8b", requires=("transformers>=4.41",), tags=("chat",)),
        Size(name="llava-llama3-8b-v1_1", ms="AI-ModelScope/llava-llama-3-8b-v1_1-transformers", hf="xtuner/llava-llama-3-8b-v1_1-transformers", tags=("chat",)),
    ),
)

LLAVA1_6 = ModelFamily(
    family="llava1_6",
    architectures=("LlavaNextForConditionalGeneration",),
    template="llava-mistral",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.39",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="llava1_6-mistral-7b-instruct", ms="swift/llava-v1.6-mistral-7b-hf", hf="llava-hf/llava-v1.6-mistral-7b-hf", tags=("chat",)),
        Size(name="llava1_6-vicuna-7b-instruct", ms="swift/llava-v1.6-vicuna-7b-hf", hf="llava-hf/llava-v1.6-vicuna-7b-hf", template="llava-vicuna", tags=("chat",)),
        Size(name="llava1_6-vicuna-13b-instruct", ms="swift/llava-v1.6-vicuna-13b-hf", hf="llava-hf/llava-v1.6-vicuna-13b-hf", template="llava-vicuna", tags=("chat",)),
        Size(name="llava1_6-yi-34b-instruct", ms="swift/llava-v1.6-34b-hf", hf="llava-hf/llava-v1.6-34b-hf", template="llava-yi", tags=("chat",)),
    ),
)

LLAVA_NEXT_LLAMA3 = ModelFamily(
    family="llava-next-llama3",
    architectures=("LlavaNextForConditionalGeneration",),
    template="llama-llava-next-hf",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.39",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="llama3-llava-next-8b-hf", ms="swift/llama3-llava-next-8b-hf", hf="llava-hf/llama3-llava-next-8b-hf", tags=("chat",)),
    ),
)

LLAVA_NEXT_QWEN = ModelFamily(
    family="llava-next-qwen",
    architectures=("LlavaNextForConditionalGeneration",),
    template="llama-qwen-hf",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.39",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="llava-next-72b-hf", ms="AI-ModelScope/llava-next-72b-hf", hf="llava-hf/llava-next-72b-hf", tags=("chat",)),
        Size(name="llava-next-110b-hf", ms="AI-ModelScope/llava-next-110b-hf", hf="llava-hf/llava-next-110b-hf", tags=("chat",)),
    ),
)

LLAVA_ONEVISION = ModelFamily(
    family="llava-onevision",
    architectures=("LlavaOnevisionForConditionalGeneration",),
    template="llava-onevision-qwen",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.45",),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="llava-onevision-qwen2-0_5b-ov", ms="AI-ModelScope/llava-onevision-qwen2-0.5b-ov-hf", hf="llava-hf/llava-onevision-qwen2-0.5b-ov-hf", tags=("chat",)),
        Size(name="llava-onevision-qwen2-7b-ov", ms="AI-ModelScope/llava-onevision-qwen2-7b-ov-hf", hf="llava-hf/llava-onevision-qwen2-7b-ov-hf", tags=("chat",)),
        Size(name="llava-onevision-qwen2-72b-ov", ms="AI-ModelScope/llava-onevision-qwen2-72b-ov-hf", hf="llava-hf/llava-onevision-qwen2-72b-ov-hf", tags=("chat",)),
    ),
)

LLAVA_NEXT_VIDEO = ModelFamily(
    family="llava-next-video",
    architectures=("LlavaNextVideoForConditionalGeneration",),
    template="llava-next-video",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.42", "av"),
    tags=("multi-modal", "video"),
    sizes=(
        Size(name="llava-next-video-7b-instruct", ms="swift/LLaVA-NeXT-Video-7B-hf", hf="llava-hf/LLaVA-NeXT-Video-7B-hf", tags=("chat",)),
        Size(name="llava-next-video-7b-32k-instruct", ms="swift/LLaVA-NeXT-Video-7B-32K-hf", hf="llava-hf/LLaVA-NeXT-Video-7B-32K-hf", tags=("chat",)),
        Size(name="llava-next-video-7b-dpo-instruct", ms="swift/LLaVA-NeXT-Video-7B-DPO-hf", hf="llava-hf/LLaVA-NeXT-Video-7B-DPO-hf", tags=("chat",)),
        Size(name="llava-next-video-34b-instruct", ms="swift/LLaVA-NeXT-Video-34B-hf", hf="llava-hf/LLaVA-NeXT-Video-34B-hf", template="llava-next-video-yi", tags=("chat",)),
    ),
)

LLAVA_NEXT_OWN = ModelFamily(
    family="llava-next-own",
    architectures=("LlavaLlamaForCausalLM",),
    template="llama3-llava-next",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.42", "av"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="llama3-llava-next-8b", ms="AI-Modelscope/llama3-llava-next-8b", hf="lmms-lab/llama3-llava-next-8b", tags=("chat",)),
    ),
)

LLAVA_NEXT_OWN_QWEN = ModelFamily(
    family="llava-next-own-qwen",
    architectures=("LlavaQwenForCausalLM",),
    template="llava-qwen",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.42", "av"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="llava-next-72b", ms="AI-Modelscope/llava-next-72b", hf="lmms-lab/llava-next-72b", tags=("chat",)),
        Size(name="llava-next-110b", ms="AI-Modelscope/llava-next-110b", hf="lmms-lab/llava-next-110b", tags=("chat",)),
    ),
)

LLAVA_ONEVISION1_5 = ModelFamily(
    family="llava-onevision1_5",
    architectures=("LLaVAOneVision1_5_ForConditionalGeneration",),
    template="llava_onevision1_5",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.53", "qwen_vl_utils"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="llava-onevision-1_5-4b-instruct", ms="lmms-lab/LLaVA-OneVision-1.5-4B-Instruct", hf="lmms-lab/LLaVA-OneVision-1.5-4B-Instruct", tags=("chat",)),
        Size(name="llava-onevision-1_5-8b-instruct", ms="lmms-lab/LLaVA-OneVision-1.5-8B-Instruct", hf="lmms-lab/LLaVA-OneVision-1.5-8B-Instruct", tags=("chat",)),
        Size(name="llava-onevision-1_5-4b-base", ms="lmms-lab/LLaVA-OneVision-1.5-4B-Base", hf="lmms-lab/LLaVA-OneVision-1.5-4B-Base", tags=("base",)),
        Size(name="llava-onevision-1_5-8b-base", ms="lmms-lab/LLaVA-OneVision-1.5-8B-Base", hf="lmms-lab/LLaVA-OneVision-1.5-8B-Base", tags=("base",)),
    ),
)
