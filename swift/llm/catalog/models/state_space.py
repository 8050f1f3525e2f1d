"""Mamba and Nemotron-H: no attention, or little of it."""

from swift.llm.catalog.rows import ModelFamily, Size

MAMBA = ModelFamily(
    family="mamba",
    architectures=("MambaForCausalLM",),
    template="default-generation",
    lora_targets=("in_proj", "x_proj", "embeddings", "out_proj"),
    requires=("transformers>=4.39",),
    sizes=(
        Size(name="mamba-130m", ms="AI-ModelScope/mamba-130m-hf", hf="state-spaces/mamba-130m-hf", tags=("base",)),
        Size(name="mamba-370m", ms="AI-ModelScope/mamba-370m-hf", hf="state-spaces/mamba-370m-hf", tags=("base",)),
        Size(name="mamba-390m", ms="AI-ModelScope/mamba-390m-hf", hf="state-spaces/mamba-390m-hf", tags=("base",)),
        Size(name="mamba-790m", ms="AI-ModelScope/mamba-790m-hf", hf="state-spaces/mamba-790m-hf", tags=("base",)),
        Size(name="mamba-1.4b", ms="AI-ModelScope/mamba-1.4b-hf", hf="state-spaces/mamba-1.4b-hf", tags=("base",)),
        Size(name="mamba-2.8b", ms="AI-ModelScope/mamba-2.8b-hf", hf="state-spaces/mamba-2.8b-hf", tags=("base",)),
    ),
)

NEMOTRON3_5 = ModelFamily(
    family="nemotron3_5",
    architectures=("NemotronHForCausalLM",),
    template="nemotron_h",
    lora_targets=("ALL",),
    requires=("transformers>=5", "mamba-ssm", "causal-conv1d>=1.2.0"),
    tags=("moe",),
    sizes=(
        Size(name="nemotron3_5-lightning-30b-a3b-bf16", ms="nv-community/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16", hf="nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-BF16", tags=("chat",)),
        Size(name="nemotron3_5-lightning-30b-a3b-nvfp4", ms="nv-community/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", hf="nvidia/NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", tags=("chat",), quant=("nvfp4", 4)),
    ),
)

NEMOTRON_NANO_V2 = ModelFamily(
    family="nemotron-nano-v2",
    architectures=("NemotronHForCausalLM",),
    template="nemotron_nano_v2",
    lora_targets=("ALL",),
    requires=("transformers>=5", "mamba-ssm", "causal-conv1d>=1.2.0"),
    tags=("reasoning",),
    chat_templates=("6007dbdd6f66d77e",),
    sizes=(
        Size(name="nemotron-nano-9b-v2", hf="nvidia/NVIDIA-Nemotron-Nano-9B-v2", tags=("chat",)),
        Size(name="nemotron-nano-12b-v2", hf="nvidia/NVIDIA-Nemotron-Nano-12B-v2", tags=("chat",)),
    ),
)

FALCON_H1 = ModelFamily(
    family="falcon-h1",
    architectures=("FalconH1ForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    requires=("transformers>=4.53",),
    sizes=(
        Size(name="falcon-h1-0_5b-base", hf="tiiuae/Falcon-H1-0.5B-Base", template="default-generation", tags=("base",)),
        Size(name="falcon-h1-0_5b-instruct", hf="tiiuae/Falcon-H1-0.5B-Instruct", tags=("chat",)),
        Size(name="falcon-h1-1_5b-base", hf="tiiuae/Falcon-H1-1.5B-Base", template="default-generation", tags=("base",)),
        Size(name="falcon-h1-1_5b-instruct", hf="tiiuae/Falcon-H1-1.5B-Instruct", tags=("chat",)),
        Size(name="falcon-h1-3b-base", hf="tiiuae/Falcon-H1-3B-Base", template="default-generation", tags=("base",)),
        Size(name="falcon-h1-3b-instruct", hf="tiiuae/Falcon-H1-3B-Instruct", tags=("chat",)),
        Size(name="falcon-h1-7b-base", hf="tiiuae/Falcon-H1-7B-Base", template="default-generation", tags=("base",)),
        Size(name="falcon-h1-7b-instruct", hf="tiiuae/Falcon-H1-7B-Instruct", tags=("chat",)),
        Size(name="falcon-h1-34b-base", hf="tiiuae/Falcon-H1-34B-Base", template="default-generation", tags=("base",)),
        Size(name="falcon-h1-34b-instruct", hf="tiiuae/Falcon-H1-34B-Instruct", tags=("chat",)),
    ),
)
