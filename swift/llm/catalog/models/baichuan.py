"""Baichuan, Baichuan 2 and Baichuan-M1."""

from swift.llm.catalog.rows import ModelFamily, Size

BAICHUAN = ModelFamily(
    family="baichuan",
    architectures=("BaiChuanForCausalLM", "BaichuanForCausalLM"),
    template="baichuan",
    lora_targets=("W_pack",),
    trust_remote_code=True,
    sizes=(
        Size(name="baichuan-7b", ms="baichuan-inc/baichuan-7B", hf="baichuan-inc/Baichuan-7B", template="default-generation", tags=("base",)),
        Size(name="baichuan-13b", ms="baichuan-inc/Baichuan-13B-Base", hf="baichuan-inc/Baichuan-13B-Base", template="default-generation", requires=("transformers<4.34",), tags=("base",)),
        Size(name="baichuan-13b-chat", ms="baichuan-inc/Baichuan-13B-Chat", hf="baichuan-inc/Baichuan-13B-Chat", requires=("transformers<4.34",), tags=("chat",)),
    ),
)

BAICHUAN2 = ModelFamily(
    family="baichuan2",
    architectures=("BaichuanForCausalLM",),
    template="baichuan",
    lora_targets=("W_pack",),
    trust_remote_code=True,
    sizes=(
        Size(name="baichuan2-7b", ms="baichuan-inc/Baichuan2-7B-Base", hf="baichuan-inc/Baichuan2-7B-Base", template="default-generation", tags=("base",)),
        Size(name="baichuan2-7b-chat", ms="baichuan-inc/Baichuan2-7B-Chat", hf="baichuan-inc/Baichuan2-7B-Chat", tags=("chat",)),
        Size(name="baichuan2-7b-chat-int4", ms="baichuan-inc/Baichuan2-7B-Chat-4bits", hf="baichuan-inc/Baichuan2-7B-Chat-4bits", requires=("bitsandbytes",), tags=("chat",), quant=("bnb", 4), dtype="bfloat16"),
        Size(name="baichuan2-13b", ms="baichuan-inc/Baichuan2-13B-Base", hf="baichuan-inc/Baichuan2-13B-Base", template="default-generation", tags=("base",)),
        Size(name="baichuan2-13b-chat", ms="baichuan-inc/Baichuan2-13B-Chat", hf="baichuan-inc/Baichuan2-13B-Chat", tags=("chat",)),
        Size(name="baichuan2-13b-chat-int4", ms="baichuan-inc/Baichuan2-13B-Chat-4bits", hf="baichuan-inc/Baichuan2-13B-Chat-4bits", requires=("bitsandbytes",), tags=("chat",), quant=("bnb", 4), dtype="bfloat16"),
    ),
)

BAICHUAN_M1 = ModelFamily(
    family="baichuan-m1",
    architectures=("BaichuanM1ForCausalLM",),
    template="baichuan_m1",
    lora_targets=("ALL",),
    requires=("transformers>=4.48",),
    tags=("medical",),
    trust_remote_code=True,
    sizes=(
        Size(name="baichuan-m1-14b-instruct", ms="baichuan-inc/Baichuan-M1-14B-Instruct", hf="baichuan-inc/Baichuan-M1-14B-Instruct", tags=("chat",)),
    ),
)
