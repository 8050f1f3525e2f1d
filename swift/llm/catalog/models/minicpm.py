"""MiniCPM, MiniCPM-V and MiniCPM-o."""

from swift.llm.catalog.rows import ModelFamily, Size

MINICPM = ModelFamily(
    family="minicpm",
    architectures=("MiniCPMForCausalLM",),
    template="minicpm",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.36",),
    trust_remote_code=True,
    sizes=(
        Size(name="minicpm-1b-sft-chat", ms="OpenBMB/MiniCPM-1B-sft-bf16", hf="openbmb/MiniCPM-1B-sft-bf16", tags=("chat",)),
        Size(name="minicpm-2b-sft-chat", ms="OpenBMB/MiniCPM-2B-sft-fp32", hf="openbmb/MiniCPM-2B-sft-fp32", tags=("chat",)),
        Size(name="minicpm-2b-chat", ms="OpenBMB/MiniCPM-2B-dpo-fp32", hf="openbmb/MiniCPM-2B-dpo-fp32", tags=("chat",)),
        Size(name="minicpm-2b-128k", ms="OpenBMB/MiniCPM-2B-128k", hf="openbmb/MiniCPM-2B-128k", template="chatml", requires=("transformers<4.42",), tags=("chat",)),
        Size(name="minicpm-moe-8x2b", ms="OpenBMB/MiniCPM-MoE-8x2B", hf="openbmb/MiniCPM-MoE-8x2B", tags=("chat", "moe")),
    ),
)

MINICPM3 = ModelFamily(
    family="minicpm3",
    architectures=("MiniCPM3ForCausalLM",),
    template="chatml",
    lora_targets=("q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj"),
    requires=("transformers>=4.36",),
    sizes=(
        Size(name="minicpm3-4b", ms="OpenBMB/MiniCPM3-4B", hf="openbmb/MiniCPM3-4B", tags=("chat",)),
    ),
)

MINICPM4 = ModelFamily(
    family="minicpm4",
    architectures=("MiniCPMForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.46",),
    trust_remote_code=True,
    sizes=(
        Size(name="minicpm4-0_5b", ms="OpenBMB/MiniCPM4-0.5B", hf="openbmb/MiniCPM4-0.5B", tags=("chat",)),
        Size(name="minicpm4-8b", ms="OpenBMB/MiniCPM4-8B", hf="openbmb/MiniCPM4-8B", tags=("chat",)),
        Size(name="minicpm4_1-8b", ms="OpenBMB/MiniCPM4.1-8B", hf="openbmb/MiniCPM4.1-8B", tags=("chat", "reasoning")),
    ),
)

MINICPM5 = ModelFamily(
    family="minicpm5",
    architectures=("LlamaForCausalLM",),
    template="minicpm5",
    lora_targets=("ALL",),
    requires=("transformers>=5.6",),
    sizes=(
        Size(name="minicpm5-1b", ms="OpenBMB/MiniCPM5-1B", hf="openbmb/MiniCPM5-1B", tags=("chat",)),
        Size(name="minicpm5-1b-base", ms="OpenBMB/MiniCPM5-1B-Base", hf="openbmb/MiniCPM5-1B-Base", template="default-generation", tags=("base",)),
        Size(name="minicpm5-1b-sft", ms="OpenBMB/MiniCPM5-1B-SFT", hf="openbmb/MiniCPM5-1B-SFT", tags=("chat",)),
    ),
)

MINICPM_V = ModelFamily(
    family="minicpm-v",
    architectures=("MiniCPMV",),
    template="minicpm-v",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("llm",),
    requires=("timm",),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="minicpm-v-3b-chat", ms="OpenBMB/MiniCPM-V", hf="openbmb/MiniCPM-V", requires=("transformers<4.42",), tags=("chat",)),
        Size(name="minicpm-v-v2-chat", size="3b", ms="OpenBMB/MiniCPM-V-2", hf="openbmb/MiniCPM-V-2", requires=("transformers<4.42",), tags=("chat",)),
        Size(name="minicpm-v-v2_5-chat", size="8b", ms="OpenBMB/MiniCPM-Llama3-V-2_5", hf="openbmb/MiniCPM-Llama3-V-2_5", template="minicpm-v-v2_5", requires=("transformers>=4.36",), tags=("chat",)),
        Size(name="minicpm-v-v2_6-chat", size="8b", ms="OpenBMB/MiniCPM-V-2_6", hf="openbmb/MiniCPM-V-2_6", template="minicpm-v-v2_6", requires=("transformers>=4.36", "decord"), tags=("chat",)),
        Size(name="minicpm-v-4", size="4b", ms="OpenBMB/MiniCPM-V-4", hf="openbmb/MiniCPM-V-4", template="minicpmv4", requires=("transformers>=4.36", "decord"), tags=("chat",)),
        Size(name="minicpm-v-4_5", size="8b", ms="OpenBMB/MiniCPM-V-4_5", hf="openbmb/MiniCPM-V-4_5", template="minicpmv4_5", requires=("transformers>=4.36", "decord"), tags=("chat",)),
    ),
)

MINICPM_O = ModelFamily(
    family="minicpm-o",
    architectures=("MiniCPMO",),
    template="minicpmo",
    lora_targets=("ALL",),
    modality=("text", "image", "video", "audio"),
    language_prefixes=("llm",),
    requires=("timm", "decord", "soundfile"),
    tags=("multi-modal", "vision", "video", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="minicpm-o-2_6", size="8b", ms="OpenBMB/MiniCPM-o-2_6", hf="openbmb/MiniCPM-o-2_6", requires=("transformers>=4.36",), tags=("chat",)),
        Size(name="minicpm-o-4_5", size="9b", ms="OpenBMB/MiniCPM-o-4_5", hf="openbmb/MiniCPM-o-4_5", template="minicpmo4_5", requires=("transformers==4.51.3", "minicpmo-utils==1.0.6"), tags=("chat",)),
    ),
)
