"""Phi-4 mini and multimodal."""

from swift.llm.catalog.rows import ModelFamily, Size

PHI4_MINI = ModelFamily(
    family="phi4-mini",
    architectures=("Phi3ForCausalLM",),
    template="phi4_mini",
    lora_targets=("ALL",),
    requires=("transformers>=4.49",),
    sizes=(
        Size(name="phi4-mini-instruct", size="3.8b", ms="LLM-Research/Phi-4-mini-instruct", hf="microsoft/Phi-4-mini-instruct", tags=("chat",)),
    ),
)

PHI4_REASONING = ModelFamily(
    family="phi4-reasoning",
    architectures=("Phi3ForCausalLM",),
    template="phi4_reasoning",
    lora_targets=("ALL",),
    requires=("transformers>=4.49",),
    tags=("reasoning",),
    sizes=(
        Size(name="phi4-reasoning", size="14b", hf="microsoft/Phi-4-reasoning", tags=("chat",)),
        Size(name="phi4-reasoning-plus", size="14b", hf="microsoft/Phi-4-reasoning-plus", tags=("chat",)),
    ),
)

PHI4_MULTIMODAL = ModelFamily(
    family="phi4-multimodal",
    architectures=("Phi4MMForCausalLM",),
    template="phi4_multimodal",
    lora_targets=("ALL",),
    modality=("text", "image", "audio"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.36,<4.49", "backoff", "soundfile"),
    tags=("multi-modal", "vision", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="phi4-multimodal-instruct", size="5.6b", ms="LLM-Research/Phi-4-multimodal-instruct", hf="microsoft/Phi-4-multimodal-instruct", tags=("chat",)),
    ),
)
