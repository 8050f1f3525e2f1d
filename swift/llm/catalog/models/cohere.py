"""Command R and Aya of Cohere."""

from swift.llm.catalog.rows import ModelFamily, Size

C4AI_COMMAND_R = ModelFamily(
    family="c4ai-command-r",
    architectures=("CohereForCausalLM",),
    template="c4ai",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.39.1",),
    sizes=(
        Size(name="c4ai-command-r-v01", size="35b", ms="AI-ModelScope/c4ai-command-r-v01", hf="CohereForAI/c4ai-command-r-v01", tags=("chat",)),
        Size(name="c4ai-command-r-plus", size="104b", ms="AI-ModelScope/c4ai-command-r-plus", hf="CohereForAI/c4ai-command-r-plus", tags=("chat",)),
    ),
)

AYA_EXPANSE = ModelFamily(
    family="aya-expanse",
    architectures=("CohereForCausalLM",),
    template="aya",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.44",),
    sizes=(
        Size(name="aya-expanse-8b", ms="AI-ModelScope/aya-expanse-8b", hf="CohereForAI/aya-expanse-8b", tags=("chat",)),
        Size(name="aya-expanse-32b", ms="AI-ModelScope/aya-expanse-32b", hf="CohereForAI/aya-expanse-32b", tags=("chat",)),
    ),
)
