"""Mistral 7B, Small, Large, Nemo, Ministral, Codestral and Mixtral."""

from swift.llm.catalog.rows import ModelFamily, Size

MISTRAL = ModelFamily(
    family="mistral",
    architectures=("MistralForCausalLM",),
    template="mistral_v3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.34",),
    sizes=(
        Size(name="mistral-7b", ms="AI-ModelScope/Mistral-7B-v0.1", hf="mistralai/Mistral-7B-v0.1", template="default-generation", tags=("base",)),
        Size(name="mistral-7b-v2", ms="AI-ModelScope/Mistral-7B-v0.2-hf", hf="alpindale/Mistral-7B-v0.2-hf", template="default-generation", tags=("base",)),
        Size(name="mistral-7b-v3", hf="mistralai/Mistral-7B-v0.3", template="default-generation", tags=("base",)),
        Size(name="mistral-7b-instruct", ms="AI-ModelScope/Mistral-7B-Instruct-v0.1", hf="mistralai/Mistral-7B-Instruct-v0.1", template="mistral_v1", tags=("chat",)),
        Size(name="mistral-7b-instruct-v2", ms="AI-ModelScope/Mistral-7B-Instruct-v0.2", hf="mistralai/Mistral-7B-Instruct-v0.2", template="mistral_v1", tags=("chat",)),
        Size(name="mistral-7b-instruct-v3", ms="LLM-Research/Mistral-7B-Instruct-v0.3", hf="mistralai/Mistral-7B-Instruct-v0.3", tags=("chat",)),
        Size(name="mistral-small-instruct-2409", size="22b", ms="AI-ModelScope/Mistral-Small-Instruct-2409", hf="mistralai/Mistral-Small-Instruct-2409", tags=("chat",)),
        Size(name="mistral-large-instruct-2407", size="123b", ms="LLM-Research/Mistral-Large-Instruct-2407", hf="mistralai/Mistral-Large-Instruct-2407", tags=("chat",)),
        Size(name="mistral-large-instruct-2411", size="123b", hf="mistralai/Mistral-Large-Instruct-2411", template="mistral_v7", tags=("chat",)),
        Size(name="codestral-22b", ms="swift/Codestral-22B-v0.1", hf="mistralai/Codestral-22B-v0.1", tags=("chat", "coding")),
    ),
)

MISTRAL_NEMO = ModelFamily(
    family="mistral-nemo",
    architectures=("MistralForCausalLM",),
    template="mistral-nemo",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.46",),
    chat_templates=("edc2b71010347aa2",),
    sizes=(
        Size(name="mistral-nemo-base-2407", size="12b", ms="AI-ModelScope/Mistral-Nemo-Base-2407", hf="mistralai/Mistral-Nemo-Base-2407", template="default-generation", tags=("base",)),
        Size(name="mistral-nemo-instruct-2407", size="12b", ms="AI-ModelScope/Mistral-Nemo-Instruct-2407", hf="mistralai/Mistral-Nemo-Instruct-2407", tags=("chat",)),
        Size(name="ministral-8b-instruct-2410", ms="AI-ModelScope/Ministral-8B-Instruct-2410", hf="mistralai/Ministral-8B-Instruct-2410", tags=("chat",)),
    ),
)

MIXTRAL = ModelFamily(
    family="mixtral",
    architectures=("MixtralForCausalLM",),
    template="mistral_v1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.36",),
    tags=("moe",),
    sizes=(
        Size(name="mixtral-moe-7b", ms="AI-ModelScope/Mixtral-8x7B-v0.1", hf="mistralai/Mixtral-8x7B-v0.1", template="default-generation", tags=("base",)),
        Size(name="mixtral-moe-7b-instruct", ms="AI-ModelScope/Mixtral-8x7B-Instruct-v0.1", hf="mistralai/Mixtral-8x7B-Instruct-v0.1", tags=("chat",)),
        Size(name="mixtral-moe-7b-aqlm-2bit-1x16", ms="AI-ModelScope/Mixtral-8x7b-AQLM-2Bit-1x16-hf", hf="ISTA-DASLab/Mixtral-8x7b-AQLM-2Bit-1x16-hf", template="default-generation", requires=("aqlm",), tags=("base",), quant=("aqlm", 2)),
        Size(name="mixtral-moe-8x22b-v1", ms="AI-ModelScope/Mixtral-8x22B-v0.1", hf="mistral-community/Mixtral-8x22B-v0.1", template="default-generation", tags=("base",)),
        Size(name="mixtral-moe-8x22b-instruct", hf="mistralai/Mixtral-8x22B-Instruct-v0.1", template="mistral_v3", tags=("chat",)),
    ),
)
