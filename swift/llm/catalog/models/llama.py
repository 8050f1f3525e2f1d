"""Llama 2, 3, 3.1, 3.2 (text) and 3.3."""

from swift.llm.catalog.rows import ModelFamily, Size

LLAMA2 = ModelFamily(
    family="llama2",
    architectures=("LlamaForCausalLM",),
    template="llama",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    chat_templates=("1623de5159d584da",),
    sizes=(
        Size(name="llama2-7b", ms="modelscope/Llama-2-7b-ms", hf="meta-llama/Llama-2-7b-hf", template="default-generation", tags=("base",)),
        Size(name="llama2-7b-chat", ms="modelscope/Llama-2-7b-chat-ms", hf="meta-llama/Llama-2-7b-chat-hf", tags=("chat",)),
        Size(name="llama2-13b", ms="modelscope/Llama-2-13b-ms", hf="meta-llama/Llama-2-13b-hf", template="default-generation", tags=("base",)),
        Size(name="llama2-13b-chat", ms="modelscope/Llama-2-13b-chat-ms", hf="meta-llama/Llama-2-13b-chat-hf", tags=("chat",)),
        Size(name="llama2-70b", ms="modelscope/Llama-2-70b-ms", hf="meta-llama/Llama-2-70b-hf", template="default-generation", tags=("base",)),
        Size(name="llama2-70b-chat", ms="modelscope/Llama-2-70b-chat-ms", hf="meta-llama/Llama-2-70b-chat-hf", tags=("chat",)),
        Size(name="llama2-7b-aqlm-2bit-1x16", ms="AI-ModelScope/Llama-2-7b-AQLM-2Bit-1x16-hf", hf="ISTA-DASLab/Llama-2-7b-AQLM-2Bit-1x16-hf", template="default-generation", requires=("aqlm",), tags=("base",), quant=("aqlm", 2)),
    ),
)

LLAMA3 = ModelFamily(
    family="llama3",
    architectures=("LlamaForCausalLM",),
    template="llama3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    chat_templates=("3bd333456aee200b",),
    sizes=(
        Size(name="llama3-8b", ms="LLM-Research/Meta-Llama-3-8B", hf="meta-llama/Meta-Llama-3-8B", template="default-generation", tags=("base",)),
        Size(name="llama3-8b-instruct", ms="LLM-Research/Meta-Llama-3-8B-Instruct", hf="meta-llama/Meta-Llama-3-8B-Instruct", tags=("chat",)),
        Size(name="llama3-8b-instruct-int4", ms="swift/Meta-Llama-3-8B-Instruct-GPTQ-Int4", hf="study-hjt/Meta-Llama-3-8B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="llama3-8b-instruct-int8", ms="swift/Meta-Llama-3-8B-Instruct-GPTQ-Int8", hf="study-hjt/Meta-Llama-3-8B-Instruct-GPTQ-Int8", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
        Size(name="llama3-8b-instruct-awq", ms="swift/Meta-Llama-3-8B-Instruct-AWQ", hf="study-hjt/Meta-Llama-3-8B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="llama3-70b", ms="LLM-Research/Meta-Llama-3-70B", hf="meta-llama/Meta-Llama-3-70B", template="default-generation", tags=("base",)),
        Size(name="llama3-70b-instruct", ms="LLM-Research/Meta-Llama-3-70B-Instruct", hf="meta-llama/Meta-Llama-3-70B-Instruct", tags=("chat",)),
        Size(name="llama3-70b-instruct-int4", ms="swift/Meta-Llama-3-70B-Instruct-GPTQ-Int4", hf="study-hjt/Meta-Llama-3-70B-Instruct-GPTQ-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="llama3-70b-instruct-int8", ms="swift/Meta-Llama-3-70B-Instruct-GPTQ-Int8", hf="study-hjt/Meta-Llama-3-70B-Instruct-GPTQ-Int8", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 8), dtype="float16"),
        Size(name="llama3-70b-instruct-awq", ms="swift/Meta-Llama-3-70B-Instruct-AWQ", hf="study-hjt/Meta-Llama-3-70B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

LLAMA3_1 = ModelFamily(
    family="llama3_1",
    architectures=("LlamaForCausalLM",),
    template="llama3_1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.43",),
    chat_templates=("ea1f9d8a898a0ce5",),
    sizes=(
        Size(name="llama3_1-8b", ms="LLM-Research/Meta-Llama-3.1-8B", hf="meta-llama/Meta-Llama-3.1-8B", template="default-generation", tags=("base",)),
        Size(name="llama3_1-8b-instruct", ms="LLM-Research/Meta-Llama-3.1-8B-Instruct", hf="meta-llama/Meta-Llama-3.1-8B-Instruct", tags=("chat",)),
        Size(name="llama3_1-8b-instruct-awq", ms="LLM-Research/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", hf="hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="llama3_1-8b-instruct-gptq-int4", ms="LLM-Research/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4", hf="hugging-quants/Meta-Llama-3.1-8B-Instruct-GPTQ-INT4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="llama3_1-8b-instruct-bnb", ms="LLM-Research/Meta-Llama-3.1-8B-Instruct-BNB-NF4", hf="hugging-quants/Meta-Llama-3.1-8B-Instruct-BNB-NF4", requires=("bitsandbytes>=0.43",), tags=("chat",), quant=("bnb", 4)),
        Size(name="llama3_1-70b", ms="LLM-Research/Meta-Llama-3.1-70B", hf="meta-llama/Meta-Llama-3.1-70B", template="default-generation", tags=("base",)),
        Size(name="llama3_1-70b-instruct", ms="LLM-Research/Meta-Llama-3.1-70B-Instruct", hf="meta-llama/Meta-Llama-3.1-70B-Instruct", tags=("chat",)),
        Size(name="llama3_1-70b-instruct-fp8", ms="LLM-Research/Meta-Llama-3.1-70B-Instruct-FP8", hf="meta-llama/Meta-Llama-3.1-70B-Instruct-FP8", requires=("fbgemm-gpu>=0.8",), tags=("chat",), quant=("fbgemm_fp8", 8)),
        Size(name="llama3_1-70b-instruct-awq", ms="LLM-Research/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", hf="hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="llama3_1-70b-instruct-gptq-int4", ms="LLM-Research/Meta-Llama-3.1-70B-Instruct-GPTQ-INT4", hf="hugging-quants/Meta-Llama-3.1-70B-Instruct-GPTQ-INT4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="llama3_1-70b-instruct-bnb", ms="LLM-Research/Meta-Llama-3.1-70B-Instruct-bnb-4bit", hf="unsloth/Meta-Llama-3.1-70B-Instruct-bnb-4bit", requires=("bitsandbytes>=0.43",), tags=("chat",), quant=("bnb", 4)),
        Size(name="llama3_1-405b", ms="LLM-Research/Meta-Llama-3.1-405B", hf="meta-llama/Meta-Llama-3.1-405B", template="default-generation", tags=("base",)),
        Size(name="llama3_1-405b-instruct", ms="LLM-Research/Meta-Llama-3.1-405B-Instruct", hf="meta-llama/Meta-Llama-3.1-405B-Instruct", tags=("chat",)),
        Size(name="llama3_1-405b-instruct-fp8", ms="LLM-Research/Meta-Llama-3.1-405B-Instruct-FP8", hf="meta-llama/Meta-Llama-3.1-405B-Instruct-FP8", requires=("fbgemm-gpu>=0.8",), tags=("chat",), quant=("fbgemm_fp8", 8)),
        Size(name="llama3_1-405b-instruct-awq", ms="LLM-Research/Meta-Llama-3.1-405B-Instruct-AWQ-INT4", hf="hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
        Size(name="llama3_1-405b-instruct-gptq-int4", ms="LLM-Research/Meta-Llama-3.1-405B-Instruct-GPTQ-INT4", hf="hugging-quants/Meta-Llama-3.1-405B-Instruct-GPTQ-INT4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
        Size(name="llama3_1-405b-instruct-bnb", ms="LLM-Research/Meta-Llama-3.1-405B-Instruct-BNB-NF4", hf="hugging-quants/Meta-Llama-3.1-405B-Instruct-BNB-NF4", requires=("bitsandbytes>=0.43",), tags=("chat",), quant=("bnb", 4)),
        Size(name="llama-3.1-nemotron-70B-instruct-hf", ms="AI-ModelScope/Llama-3.1-Nemotron-70B-Instruct-HF", hf="nvidia/Llama-3.1-Nemotron-70B-Instruct-HF", tags=("chat",)),
    ),
)

LLAMA3_2 = ModelFamily(
    family="llama3_2",
    architectures=("LlamaForCausalLM",),
    template="llama3_2",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.45",),
    sizes=(
        Size(name="llama3_2-1b", ms="LLM-Research/Llama-3.2-1B", hf="meta-llama/Llama-3.2-1B", template="default-generation", tags=("base",)),
        Size(name="llama3_2-1b-instruct", ms="LLM-Research/Llama-3.2-1B-Instruct", hf="meta-llama/Llama-3.2-1B-Instruct", tags=("chat",)),
        Size(name="llama3_2-3b", ms="LLM-Research/Llama-3.2-3B", hf="meta-llama/Llama-3.2-3B", template="default-generation", tags=("base",)),
        Size(name="llama3_2-3b-instruct", ms="LLM-Research/Llama-3.2-3B-Instruct", hf="meta-llama/Llama-3.2-3B-Instruct", tags=("chat",)),
    ),
)

LLAMA3_3 = ModelFamily(
    family="llama3_3",
    architectures=("LlamaForCausalLM",),
    template="llama3_1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.45",),
    chat_templates=("ea1f9d8a898a0ce5",),
    sizes=(
        Size(name="llama3_3-70b-instruct", ms="LLM-Research/Llama-3.3-70B-Instruct", hf="meta-llama/Llama-3.3-70B-Instruct", tags=("chat",)),
        Size(name="llama3_3-70b-instruct-bnb", ms="unsloth/Llama-3.3-70B-Instruct-bnb-4bit", hf="unsloth/Llama-3.3-70B-Instruct-bnb-4bit", requires=("bitsandbytes>=0.43",), tags=("chat",), quant=("bnb", 4)),
    ),
)
