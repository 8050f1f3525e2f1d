"""PaliGemma, Gemma 3 and 4 with vision, Gemma 3n, and the embedding model."""

from swift.llm.catalog.rows import ModelFamily, Size

PALIGEMMA = ModelFamily(
    family="paligemma",
    architectures=("PaliGemmaForConditionalGeneration",),
    template="paligemma",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.41",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="paligemma-3b-pt-224", ms="AI-ModelScope/paligemma-3b-pt-224", hf="google/paligemma-3b-pt-224", tags=("base",)),
        Size(name="paligemma-3b-pt-448", ms="AI-ModelScope/paligemma-3b-pt-448", hf="google/paligemma-3b-pt-448", tags=("base",)),
        Size(name="paligemma-3b-pt-896", ms="AI-ModelScope/paligemma-3b-pt-896", hf="google/paligemma-3b-pt-896", tags=("base",)),
        Size(name="paligemma-3b-mix-224", ms="AI-ModelScope/paligemma-3b-mix-224", hf="google/paligemma-3b-mix-224", tags=("base",)),
        Size(name="paligemma-3b-mix-448", ms="AI-ModelScope/paligemma-3b-mix-448", hf="google/paligemma-3b-mix-448", tags=("base",)),
        Size(name="paligemma2-3b-pt-224", ms="AI-ModelScope/paligemma2-3b-pt-224", hf="google/paligemma2-3b-pt-224", tags=("base",)),
        Size(name="paligemma2-3b-pt-448", ms="AI-ModelScope/paligemma2-3b-pt-448", hf="google/paligemma2-3b-pt-448", tags=("base",)),
        Size(name="paligemma2-3b-pt-896", ms="AI-ModelScope/paligemma2-3b-pt-896", hf="google/paligemma2-3b-pt-896", tags=("base",)),
        Size(name="paligemma2-10b-pt-224", ms="AI-ModelScope/paligemma2-10b-pt-224", hf="google/paligemma2-10b-pt-224", tags=("base",)),
        Size(name="paligemma2-10b-pt-448", ms="AI-ModelScope/paligemma2-10b-pt-448", hf="google/paligemma2-10b-pt-448", tags=("base",)),
        Size(name="paligemma2-10b-pt-896", ms="AI-ModelScope/paligemma2-10b-pt-896", hf="google/paligemma2-10b-pt-896", tags=("base",)),
        Size(name="paligemma2-28b-pt-224", ms="AI-ModelScope/paligemma2-28b-pt-224", hf="google/paligemma2-28b-pt-224", tags=("base",)),
        Size(name="paligemma2-28b-pt-448", ms="AI-ModelScope/paligemma2-28b-pt-448", hf="google/paligemma2-28b-pt-448", tags=("base",)),
        Size(name="paligemma2-28b-pt-896", ms="AI-ModelScope/paligemma2-28b-pt-896", hf="google/paligemma2-28b-pt-896", tags=("base",)),
        Size(name="paligemma2-3b-ft-docci-448", ms="AI-ModelScope/paligemma2-3b-ft-docci-448", hf="google/paligemma2-3b-ft-docci-448", tags=("chat",)),
        Size(name="paligemma2-10b-ft-docci-448", ms="AI-ModelScope/paligemma2-10b-ft-docci-448", hf="google/paligemma2-10b-ft-docci-448", tags=("chat",)),
    ),
)

GEMMA3 = ModelFamily(
    family="gemma3",
    architectures=("Gemma3ForConditionalGeneration",),
    template="gemma3_vision",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="gemma3-4b", ms="LLM-Research/gemma-3-4b-pt", hf="google/gemma-3-4b-pt", tags=("base",)),
        Size(name="gemma3-4b-it", ms="LLM-Research/gemma-3-4b-it", hf="google/gemma-3-4b-it", tags=("chat",)),
        Size(name="gemma3-12b", ms="LLM-Research/gemma-3-12b-pt", hf="google/gemma-3-12b-pt", tags=("base",)),
        Size(name="gemma3-12b-it", ms="LLM-Research/gemma-3-12b-it", hf="google/gemma-3-12b-it", tags=("chat",)),
        Size(name="gemma3-27b", ms="LLM-Research/gemma-3-27b-pt", hf="google/gemma-3-27b-pt", tags=("base",)),
        Size(name="gemma3-27b-it", ms="LLM-Research/gemma-3-27b-it", hf="google/gemma-3-27b-it", tags=("chat",)),
    ),
)

MEDGEMMA = ModelFamily(
    family="medgemma",
    architectures=("Gemma3ForConditionalGeneration",),
    template="gemma3_vision",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49",),
    tags=("medical", "multi-modal", "vision"),
    sizes=(
        Size(name="medgemma-4b", ms="google/medgemma-4b-pt", hf="google/medgemma-4b-pt", tags=("base",)),
        Size(name="medgemma-4b-it", ms="google/medgemma-4b-it", hf="google/medgemma-4b-it", tags=("chat",)),
        Size(name="medgemma-27b-it", ms="google/medgemma-27b-it", hf="google/medgemma-27b-it", tags=("chat",)),
    ),
)

GEMMA3N = ModelFamily(
    family="gemma3n",
    architectures=("Gemma3nForConditionalGeneration",),
    template="gemma3n",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video", "audio"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.53.1", "timm"),
    tags=("multi-modal", "vision", "video", "audio"),
    sizes=(
        Size(name="gemma3n-e2b", ms="google/gemma-3n-E2B", hf="google/gemma-3n-E2B", tags=("base",)),
        Size(name="gemma3n-e4b", ms="google/gemma-3n-E4B", hf="google/gemma-3n-E4B", tags=("base",)),
        Size(name="gemma3n-e2b-it", ms="google/gemma-3n-E2B-it", hf="google/gemma-3n-E2B-it", tags=("chat",)),
        Size(name="gemma3n-e4b-it", ms="google/gemma-3n-E4B-it", hf="google/gemma-3n-E4B-it", tags=("chat",)),
    ),
)

GEMMA4_SMALL = ModelFamily(
    family="gemma4-small",
    architectures=("Gemma4ForConditionalGeneration",),
    template="gemma4_nothinking",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video", "audio"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.5",),
    tags=("multi-modal", "vision", "video", "audio"),
    sizes=(
        Size(name="gemma4-e2b", ms="google/gemma-4-E2B", hf="google/gemma-4-E2B", tags=("base",)),
        Size(name="gemma4-e2b-it", ms="google/gemma-4-E2B-it", hf="google/gemma-4-E2B-it", tags=("chat",)),
        Size(name="gemma4-e4b", ms="google/gemma-4-E4B", hf="google/gemma-4-E4B", tags=("base",)),
        Size(name="gemma4-e4b-it", ms="google/gemma-4-E4B-it", hf="google/gemma-4-E4B-it", tags=("chat",)),
    ),
)

GEMMA4 = ModelFamily(
    family="gemma4",
    architectures=("Gemma4ForConditionalGeneration",),
    template="gemma4",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5.5",),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="gemma4-31b", ms="google/gemma-4-31B", hf="google/gemma-4-31B", tags=("base",)),
        Size(name="gemma4-31b-it", ms="google/gemma-4-31B-it", hf="google/gemma-4-31B-it", tags=("chat",)),
        Size(name="gemma4-26b-a4b", ms="google/gemma-4-26B-A4B", hf="google/gemma-4-26B-A4B", tags=("base", "moe")),
        Size(name="gemma4-26b-a4b-it", ms="google/gemma-4-26B-A4B-it", hf="google/gemma-4-26B-A4B-it", tags=("chat", "moe")),
    ),
)
