"""InternLM 2 and 2.5, with the Math editions; their code comes with their weights."""

from swift.llm.catalog.rows import ModelFamily, Size

INTERNLM2 = ModelFamily(
    family="internlm2",
    architectures=("InternLM2ForCausalLM",),
    template="internlm2",
    lora_targets=("wqkv",),
    requires=("transformers>=4.38", "einops"),
    trust_remote_code=True,
    sizes=(
        Size(name="internlm2-1_8b", ms="Shanghai_AI_Laboratory/internlm2-1_8b", hf="internlm/internlm2-1_8b", template="default-generation", tags=("base",)),
        Size(name="internlm2-1_8b-sft-chat", ms="Shanghai_AI_Laboratory/internlm2-chat-1_8b-sft", hf="internlm/internlm2-chat-1_8b-sft", tags=("chat",)),
        Size(name="internlm2-1_8b-chat", ms="Shanghai_AI_Laboratory/internlm2-chat-1_8b", hf="internlm/internlm2-chat-1_8b", tags=("chat",)),
        Size(name="internlm2-7b-base", ms="Shanghai_AI_Laboratory/internlm2-base-7b", hf="internlm/internlm2-base-7b", template="default-generation", tags=("base",)),
        Size(name="internlm2-7b", ms="Shanghai_AI_Laboratory/internlm2-7b", hf="internlm/internlm2-7b", template="default-generation", tags=("base",)),
        Size(name="internlm2-7b-sft-chat", ms="Shanghai_AI_Laboratory/internlm2-chat-7b-sft", hf="internlm/internlm2-chat-7b-sft", tags=("chat",)),
        Size(name="internlm2-7b-chat", ms="Shanghai_AI_Laboratory/internlm2-chat-7b", hf="internlm/internlm2-chat-7b", tags=("chat",)),
        Size(name="internlm2-20b-base", ms="Shanghai_AI_Laboratory/internlm2-base-20b", hf="internlm/internlm2-base-20b", template="default-generation", tags=("base",)),
        Size(name="internlm2-20b", ms="Shanghai_AI_Laboratory/internlm2-20b", hf="internlm/internlm2-20b", template="default-generation", tags=("base",)),
        Size(name="internlm2-20b-sft-chat", ms="Shanghai_AI_Laboratory/internlm2-chat-20b-sft", hf="internlm/internlm2-chat-20b-sft", tags=("chat",)),
        Size(name="internlm2-20b-chat", ms="Shanghai_AI_Laboratory/internlm2-chat-20b", hf="internlm/internlm2-chat-20b", tags=("chat",)),
        Size(name="internlm2-math-7b", ms="Shanghai_AI_Laboratory/internlm2-math-base-7b", hf="internlm/internlm2-math-base-7b", template="default-generation", tags=("base", "math")),
        Size(name="internlm2-math-7b-chat", ms="Shanghai_AI_Laboratory/internlm2-math-7b", hf="internlm/internlm2-math-7b", tags=("chat", "math")),
        Size(name="internlm2-math-20b", ms="Shanghai_AI_Laboratory/internlm2-math-base-20b", hf="internlm/internlm2-math-base-20b", template="default-generation", tags=("base", "math")),
        Size(name="internlm2-math-20b-chat", ms="Shanghai_AI_Laboratory/internlm2-math-20b", hf="internlm/internlm2-math-20b", tags=("chat", "math")),
    ),
)

INTERNLM2_5 = ModelFamily(
    family="internlm2_5",
    architectures=("InternLM2ForCausalLM",),
    template="internlm2",
    lora_targets=("wqkv",),
    requires=("transformers>=4.38", "einops"),
    trust_remote_code=True,
    sizes=(
        Size(name="internlm2_5-1_8b", ms="Shanghai_AI_Laboratory/internlm2_5-1_8b", hf="internlm/internlm2_5-1_8b", template="default-generation", tags=("base",)),
        Size(name="internlm2_5-1_8b-chat", ms="Shanghai_AI_Laboratory/internlm2_5-1_8b-chat", hf="internlm/internlm2_5-1_8b-chat", tags=("chat",)),
        Size(name="internlm2_5-7b", ms="Shanghai_AI_Laboratory/internlm2_5-7b", hf="internlm/internlm2_5-7b", template="default-generation", tags=("base",)),
        Size(name="internlm2_5-7b-chat", ms="Shanghai_AI_Laboratory/internlm2_5-7b-chat", hf="internlm/internlm2_5-7b-chat", tags=("chat",)),
        Size(name="internlm2_5-7b-chat-1m", ms="Shanghai_AI_Laboratory/internlm2_5-7b-chat-1m", hf="internlm/internlm2_5-7b-chat-1m", tags=("chat",)),
        Size(name="internlm2_5-20b", ms="Shanghai_AI_Laboratory/internlm2_5-20b", hf="internlm/internlm2_5-20b", template="default-generation", tags=("base",)),
        Size(name="internlm2_5-20b-chat", ms="Shanghai_AI_Laboratory/internlm2_5-20b-chat", hf="internlm/internlm2_5-20b-chat", tags=("chat",)),
    ),
)
