"""Yuan, XVERSE, Orion, BlueLM, Skywork, PolyLM, SeqGPT, TeleChat and Mengzi."""

from swift.llm.catalog.rows import ModelFamily, Size

YUAN2 = ModelFamily(
    family="yuan2",
    architectures=("YuanForCausalLM",),
    template="yuan",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    trust_remote_code=True,
    sizes=(
        Size(name="yuan2-2b-instruct", ms="YuanLLM/Yuan2.0-2B-hf", hf="IEITYuan/Yuan2-2B-hf", tags=("chat",)),
        Size(name="yuan2-2b-janus-instruct", ms="YuanLLM/Yuan2-2B-Janus-hf", hf="IEITYuan/Yuan2-2B-Janus-hf", tags=("chat",)),
        Size(name="yuan2-51b-instruct", ms="YuanLLM/Yuan2.0-51B-hf", hf="IEITYuan/Yuan2-51B-hf", tags=("chat",)),
        Size(name="yuan2-102b-instruct", ms="YuanLLM/Yuan2.0-102B-hf", hf="IEITYuan/Yuan2-102B-hf", tags=("chat",)),
        Size(name="yuan2-m32", size="40b", ms="YuanLLM/Yuan2-M32-hf", hf="IEITYuan/Yuan2-M32-hf", tags=("chat", "moe")),
    ),
)

XVERSE = ModelFamily(
    family="xverse",
    architectures=("XverseForCausalLM",),
    template="xverse",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    trust_remote_code=True,
    sizes=(
        Size(name="xverse-7b", ms="xverse/XVERSE-7B", hf="xverse/XVERSE-7B", template="default-generation", tags=("base",)),
        Size(name="xverse-7b-chat", ms="xverse/XVERSE-7B-Chat", hf="xverse/XVERSE-7B-Chat", tags=("chat",)),
        Size(name="xverse-13b", ms="xverse/XVERSE-13B", hf="xverse/XVERSE-13B", template="default-generation", tags=("base",)),
        Size(name="xverse-13b-chat", ms="xverse/XVERSE-13B-Chat", hf="xverse/XVERSE-13B-Chat", tags=("chat",)),
        Size(name="xverse-65b", ms="xverse/XVERSE-65B", hf="xverse/XVERSE-65B", template="default-generation", tags=("base",)),
        Size(name="xverse-65b-v2", ms="xverse/XVERSE-65B-2", hf="xverse/XVERSE-65B-2", template="default-generation", tags=("base",)),
        Size(name="xverse-65b-chat", ms="xverse/XVERSE-65B-Chat", hf="xverse/XVERSE-65B-Chat", tags=("chat",)),
        Size(name="xverse-13b-256k", ms="xverse/XVERSE-13B-256K", hf="xverse/XVERSE-13B-256K", template="default-generation", tags=("base",)),
    ),
)

XVERSE_MOE = ModelFamily(
    family="xverse-moe",
    architectures=("XverseForCausalLM",),
    template="xverse",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("moe",),
    trust_remote_code=True,
    sizes=(
        Size(name="xverse-moe-a4_2b", ms="xverse/XVERSE-MoE-A4.2B", hf="xverse/XVERSE-MoE-A4.2B", template="default-generation", tags=("base",)),
    ),
)

ORION = ModelFamily(
    family="orion",
    architectures=("OrionForCausalLM",),
    template="orion",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    trust_remote_code=True,
    sizes=(
        Size(name="orion-14b", ms="OrionStarAI/Orion-14B-Base", hf="OrionStarAI/Orion-14B-Base", template="default-generation", tags=("base",)),
        Size(name="orion-14b-chat", ms="OrionStarAI/Orion-14B-Chat", hf="OrionStarAI/Orion-14B-Chat", tags=("chat",)),
    ),
)

BLUELM = ModelFamily(
    family="bluelm",
    architectures=("BlueLMForCausalLM",),
    template="bluelm",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    trust_remote_code=True,
    sizes=(
        Size(name="bluelm-7b", ms="vivo-ai/BlueLM-7B-Base", hf="vivo-ai/BlueLM-7B-Base", template="default-generation", tags=("base",)),
        Size(name="bluelm-7b-32k", ms="vivo-ai/BlueLM-7B-Base-32K", hf="vivo-ai/BlueLM-7B-Base-32K", template="default-generation", tags=("base",)),
        Size(name="bluelm-7b-chat", ms="vivo-ai/BlueLM-7B-Chat", hf="vivo-ai/BlueLM-7B-Chat", tags=("chat",)),
        Size(name="bluelm-7b-chat-32k", ms="vivo-ai/BlueLM-7B-Chat-32K", hf="vivo-ai/BlueLM-7B-Chat-32K", tags=("chat",)),
    ),
)

SKYWORK = ModelFamily(
    family="skywork",
    architectures=("SkyworkForCausalLM",),
    template="skywork",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    trust_remote_code=True,
    sizes=(
        Size(name="skywork-13b", ms="skywork/Skywork-13B-base", hf="Skywork/Skywork-13B-base", template="default-generation", tags=("base",)),
        Size(name="skywork-13b-chat", ms="skywork/Skywork-13B-chat", tags=("chat",)),
    ),
)

POLYLM = ModelFamily(
    family="polylm",
    architectures=("GPT2LMHeadModel",),
    template="default-generation",
    lora_targets=("c_attn",),
    sizes=(
        Size(name="polylm-13b", ms="damo/nlp_polylm_13b_text_generation", hf="DAMO-NLP-MT/polylm-13b", tags=("base",)),
    ),
)

SEQGPT = ModelFamily(
    family="seqgpt",
    architectures=("BloomForCausalLM",),
    template="default-generation",
    lora_targets=("query_key_value",),
    sizes=(
        Size(name="seqgpt-560m", ms="damo/nlp_seqgpt-560m", hf="DAMO-NLP/SeqGPT-560M", tags=("base",)),
    ),
)

TELECHAT = ModelFamily(
    family="telechat",
    architectures=("TelechatForCausalLM",),
    template="telechat",
    lora_targets=("key_value", "query"),
    trust_remote_code=True,
    sizes=(
        Size(name="telechat-7b", ms="TeleAI/TeleChat-7B", hf="Tele-AI/telechat-7B", tags=("chat",)),
        Size(name="telechat-12b", ms="TeleAI/TeleChat-12B", hf="Tele-AI/TeleChat-12B", tags=("chat",)),
        Size(name="telechat-12b-v2", ms="TeleAI/TeleChat-12B-v2", hf="Tele-AI/TeleChat-12B-v2", tags=("chat",)),
        Size(name="telechat-12b-v2-gptq-int4", ms="swift/TeleChat-12B-V2-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
    ),
)

TELECHAT2 = ModelFamily(
    family="telechat2",
    architectures=("TeleChat2ForCausalLM", "TelechatForCausalLM"),
    template="telechat2",
    lora_targets=("key_value", "query"),
    trust_remote_code=True,
    sizes=(
        Size(name="telechat2-115b", ms="TeleAI/TeleChat2-115B", hf="Tele-AI/TeleChat2-115B", tags=("chat",), dtype="float16"),
        Size(name="telechat2-3b", ms="TeleAI/TeleChat2-3B", hf="Tele-AI/TeleChat2-3B", tags=("chat",)),
        Size(name="telechat2-7b-32k", ms="TeleAI/TeleChat2-7B-32K", hf="Tele-AI/TeleChat2-7B-32K", tags=("chat",)),
        Size(name="telechat2-35b-32k", ms="TeleAI/TeleChat2-35B-32K", hf="Tele-AI/TeleChat2-35B-32K", tags=("chat",)),
        Size(name="telechat2-35b-nov", ms="TeleAI/TeleChat2-35B-Nov", hf="Tele-AI/TeleChat2-35B-Nov", tags=("chat",)),
    ),
)
