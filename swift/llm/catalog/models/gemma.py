"""Gemma 1, 2 and 3 (text)."""

from swift.llm.catalog.rows import ModelFamily, Size

GEMMA = ModelFamily(
    family="gemma",
    architectures=("GemmaForCausalLM",),
    template="gemma",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.38",),
    chat_templates=("e2bee954371cf0e3",),
    sizes=(
        Size(name="gemma-2b", ms="AI-ModelScope/gemma-2b", hf="google/gemma-2b", template="default-generation", tags=("base",)),
        Size(name="gemma-2b-instruct", ms="AI-ModelScope/gemma-2b-it", hf="google/gemma-2b-it", tags=("chat",)),
        Size(name="gemma-7b", ms="AI-ModelScope/gemma-7b", hf="google/gemma-7b", template="default-generation", tags=("base",)),
        Size(name="gemma-7b-instruct", ms="AI-ModelScope/gemma-7b-it", hf="google/gemma-7b-it", tags=("chat",)),
    ),
)

GEMMA2 = ModelFamily(
    family="gemma2",
    architectures=("Gemma2ForCausalLM",),
    template="gemma",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.42",),
    chat_templates=("e2bee954371cf0e3",),
    sizes=(
        Size(name="gemma2-2b", ms="LLM-Research/gemma-2-2b", hf="google/gemma-2-2b", template="default-generation", tags=("base",)),
        Size(name="gemma2-2b-instruct", ms="LLM-Research/gemma-2-2b-it", hf="google/gemma-2-2b-it", tags=("chat",)),
        Size(name="gemma2-9b", ms="LLM-Research/gemma-2-9b", hf="google/gemma-2-9b", template="default-generation", tags=("base",)),
        Size(name="gemma2-9b-instruct", ms="LLM-Research/gemma-2-9b-it", hf="google/gemma-2-9b-it", tags=("chat",)),
        Size(name="gemma2-27b", ms="LLM-Research/gemma-2-27b", hf="google/gemma-2-27b", template="default-generation", tags=("base",)),
        Size(name="gemma2-27b-instruct", ms="LLM-Research/gemma-2-27b-it", hf="google/gemma-2-27b-it", tags=("chat",)),
    ),
)

GEMMA3_TEXT = ModelFamily(
    family="gemma3-text",
    architectures=("Gemma3ForCausalLM",),
    template="gemma3_text",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.49",),
    chat_templates=("1c1193119e155227",),
    sizes=(
        Size(name="gemma3-270m", ms="google/gemma-3-270m", hf="google/gemma-3-270m", template="default-generation", tags=("base",)),
        Size(name="gemma3-270m-instruct", ms="google/gemma-3-270m-it", hf="google/gemma-3-270m-it", tags=("chat",)),
        Size(name="gemma3-1b", ms="LLM-Research/gemma-3-1b-pt", hf="google/gemma-3-1b-pt", template="default-generation", tags=("base",)),
        Size(name="gemma3-1b-instruct", ms="LLM-Research/gemma-3-1b-it", hf="google/gemma-3-1b-it", tags=("chat",)),
        Size(name="medgemma-27b-text-instruct", ms="google/medgemma-27b-text-it", hf="google/medgemma-27b-text-it", tags=("chat", "medical")),
    ),
)
