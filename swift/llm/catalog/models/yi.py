"""Yi, Yi 1.5 and Yi Coder."""

from swift.llm.catalog.rows import ModelFamily, Size

YI = ModelFamily(
    family="yi",
    architectures=("LlamaForCausalLM",),
    template="yi",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="yi-6b", ms="01ai/Yi-6B", hf="01-ai/Yi-6B", template="default-generation", tags=("base",)),
        Size(name="yi-6b-200k", ms="01ai/Yi-6B-200K", hf="01-ai/Yi-6B-200K", template="default-generation", tags=("base",)),
        Size(name="yi-6b-chat", ms="01ai/Yi-6B-Chat", hf="01-ai/Yi-6B-Chat", tags=("chat",)),
        Size(name="yi-6b-chat-awq", ms="01ai/Yi-6B-Chat-4bits", hf="01-ai/Yi-6B-Chat-4bits", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="yi-6b-chat-int8", ms="01ai/Yi-6B-Chat-8bits", hf="01-ai/Yi-6B-Chat-8bits", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
        Size(name="yi-9b", ms="01ai/Yi-9B", hf="01-ai/Yi-9B", template="default-generation", tags=("base",)),
        Size(name="yi-9b-200k", ms="01ai/Yi-9B-200K", hf="01-ai/Yi-9B-200K", template="default-generation", tags=("base",)),
        Size(name="yi-34b", ms="01ai/Yi-34B", hf="01-ai/Yi-34B", template="default-generation", tags=("base",)),
        Size(name="yi-34b-200k", ms="01ai/Yi-34B-200K", hf="01-ai/Yi-34B-200K", template="default-generation", tags=("base",)),
        Size(name="yi-34b-chat", ms="01ai/Yi-34B-Chat", hf="01-ai/Yi-34B-Chat", tags=("chat",)),
        Size(name="yi-34b-chat-awq", ms="01ai/Yi-34B-Chat-4bits", hf="01-ai/Yi-34B-Chat-4bits", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="yi-34b-chat-int8", ms="01ai/Yi-34B-Chat-8bits", hf="01-ai/Yi-34B-Chat-8bits", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
    ),
)

YI1_5 = ModelFamily(
    family="yi-1_5",
    architectures=("LlamaForCausalLM",),
    template="yi1_5",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="yi-1_5-6b", ms="01ai/Yi-1.5-6B", hf="01-ai/Yi-1.5-6B", template="default-generation", tags=("base",)),
        Size(name="yi-1_5-6b-chat", ms="01ai/Yi-1.5-6B-Chat", hf="01-ai/Yi-1.5-6B-Chat", tags=("chat",)),
        Size(name="yi-1_5-6b-chat-awq-int4", ms="AI-ModelScope/Yi-1.5-6B-Chat-AWQ", hf="modelscope/Yi-1.5-6B-Chat-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="yi-1_5-6b-chat-gptq-int4", ms="AI-ModelScope/Yi-1.5-6B-Chat-GPTQ", hf="modelscope/Yi-1.5-6B-Chat-GPTQ", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="yi-1_5-9b", ms="01ai/Yi-1.5-9B", hf="01-ai/Yi-1.5-9B", template="default-generation", tags=("base",)),
        Size(name="yi-1_5-9b-chat", ms="01ai/Yi-1.5-9B-Chat", hf="01-ai/Yi-1.5-9B-Chat", tags=("chat",)),
        Size(name="yi-1_5-9b-chat-16k", ms="01ai/Yi-1.5-9B-Chat-16K", hf="01-ai/Yi-1.5-9B-Chat-16K", tags=("chat",)),
        Size(name="yi-1_5-9b-chat-awq-int4", ms="AI-ModelScope/Yi-1.5-9B-Chat-AWQ", hf="modelscope/Yi-1.5-9B-Chat-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="yi-1_5-9b-chat-gptq-int4", ms="AI-ModelScope/Yi-1.5-9B-Chat-GPTQ", hf="modelscope/Yi-1.5-9B-Chat-GPTQ", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="yi-1_5-34b", ms="01ai/Yi-1.5-34B", hf="01-ai/Yi-1.5-34B", template="default-generation", tags=("base",)),
        Size(name="yi-1_5-34b-chat", ms="01ai/Yi-1.5-34B-Chat", hf="01-ai/Yi-1.5-34B-Chat", tags=("chat",)),
        Size(name="yi-1_5-34b-chat-16k", ms="01ai/Yi-1.5-34B-Chat-16K", hf="01-ai/Yi-1.5-34B-Chat-16K", tags=("chat",)),
        Size(name="yi-1_5-34b-chat-awq-int4", ms="AI-ModelScope/Yi-1.5-34B-Chat-AWQ", hf="modelscope/Yi-1.5-34B-Chat-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="yi-1_5-34b-chat-gptq-int4", ms="AI-ModelScope/Yi-1.5-34B-Chat-GPTQ", hf="modelscope/Yi-1.5-34B-Chat-GPTQ", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
    ),
)

YI_CODER = ModelFamily(
    family="yi-coder",
    architectures=("LlamaForCausalLM",),
    template="yi-coder",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("coding",),
    sizes=(
        Size(name="yi-coder-1_5b", ms="01ai/Yi-Coder-1.5B", hf="01-ai/Yi-Coder-1.5B", template="default-generation", tags=("base",)),
        Size(name="yi-coder-1_5b-chat", ms="01ai/Yi-Coder-1.5B-Chat", hf="01-ai/Yi-Coder-1.5B-Chat", tags=("chat",)),
        Size(name="yi-coder-9b", ms="01ai/Yi-Coder-9B", hf="01-ai/Yi-Coder-9B", template="default-generation", tags=("base",)),
        Size(name="yi-coder-9b-chat", ms="01ai/Yi-Coder-9B-Chat", hf="01-ai/Yi-Coder-9B-Chat", tags=("chat",)),
    ),
)
