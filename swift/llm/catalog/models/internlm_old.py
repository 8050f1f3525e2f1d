"""InternLM of the first generation, InternLM-XComposer, the reward models, InternLM 3 and Intern-S1."""

from swift.llm.catalog.rows import ModelFamily, Size

INTERNLM = ModelFamily(
    family="internlm",
    architectures=("InternLMForCausalLM",),
    template="internlm",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    trust_remote_code=True,
    sizes=(
        Size(name="internlm-7b", ms="Shanghai_AI_Laboratory/internlm-7b", hf="internlm/internlm-7b", template="default-generation", tags=("base",)),
        Size(name="internlm-7b-chat", ms="Shanghai_AI_Laboratory/internlm-chat-7b", hf="internlm/internlm-chat-7b", tags=("chat",)),
        Size(name="internlm-7b-chat-8k", ms="Shanghai_AI_Laboratory/internlm-chat-7b-8k", tags=("chat",)),
        Size(name="internlm-20b", ms="Shanghai_AI_Laboratory/internlm-20b", hf="internlm/internlm-20b", template="default-generation", tags=("base",)),
        Size(name="internlm-20b-chat", ms="Shanghai_AI_Laboratory/internlm-chat-20b", hf="internlm/internlm-chat-20b", tags=("chat",)),
    ),
)

INTERNLM_XCOMPOSER2 = ModelFamily(
    family="internlm-xcomposer2",
    architectures=("InternLMXComposer2ForCausalLM",),
    template="internlm-xcomposer2",
    lora_targets=("attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
    modality=("text", "image"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="internlm-xcomposer2-7b-chat", ms="Shanghai_AI_Laboratory/internlm-xcomposer2-7b", hf="internlm/internlm-xcomposer2-7b", tags=("chat",)),
        Size(name="internlm-xcomposer2-4khd-7b-chat", ms="Shanghai_AI_Laboratory/internlm-xcomposer2-4khd-7b", hf="internlm/internlm-xcomposer2-4khd-7b", template="internlm-xcomposer2-4khd", tags=("chat",)),
        Size(name="internlm-xcomposer2_5-7b-chat", ms="Shanghai_AI_Laboratory/internlm-xcomposer2d5-7b", hf="internlm/internlm-xcomposer2d5-7b", template="internlm-xcomposer2_5", tags=("chat",)),
    ),
)

INTERNLM3 = ModelFamily(
    family="internlm3",
    architectures=("InternLM3ForCausalLM",),
    template="internlm2",
    lora_targets=("ALL",),
    requires=("transformers>=4.48",),
    trust_remote_code=True,
    sizes=(
        Size(name="internlm3-8b-instruct", ms="Shanghai_AI_Laboratory/internlm3-8b-instruct", hf="internlm/internlm3-8b-instruct", tags=("chat",)),
    ),
)

INTERN_S1 = ModelFamily(
    family="intern-s1",
    architectures=("InternS1ForConditionalGeneration",),
    template="interns1",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.55.2,<4.56",),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="intern-s1-mini", size="8b", ms="Shanghai_AI_Laboratory/Intern-S1-mini", hf="internlm/Intern-S1-mini", tags=("chat",)),
        Size(name="intern-s1", size="241b", ms="Shanghai_AI_Laboratory/Intern-S1", hf="internlm/Intern-S1", tags=("chat", "moe")),
        Size(name="intern-s1-mini-fp8", size="8b", ms="Shanghai_AI_Laboratory/Intern-S1-mini-FP8", hf="internlm/Intern-S1-mini-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="intern-s1-fp8", size="241b", ms="Shanghai_AI_Laboratory/Intern-S1-FP8", hf="internlm/Intern-S1-FP8", tags=("chat", "moe"), quant=("fp8", 8)),
    ),
)

INTERNLM2_REWARD = ModelFamily(
    family="internlm2-reward",
    architectures=("InternLM2ForRewardModel",),
    template="internlm2_reward",
    lora_targets=("wqkv",),
    loader="swift.llm.model.loaders:base_model",
    task="reward",
    requires=("transformers>=4.38",),
    trust_remote_code=True,
    sizes=(
        Size(name="internlm2-1_8b-reward", ms="Shanghai_AI_Laboratory/internlm2-1_8b-reward", hf="internlm/internlm2-1_8b-reward"),
        Size(name="internlm2-7b-reward", ms="Shanghai_AI_Laboratory/internlm2-7b-reward", hf="internlm/internlm2-7b-reward"),
        Size(name="internlm2-20b-reward", ms="Shanghai_AI_Laboratory/internlm2-20b-reward", hf="internlm/internlm2-20b-reward"),
    ),
)
