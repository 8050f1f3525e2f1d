"""Models that others trained from Qwen: ModelScope-Agent, Tongyi Finance, CodeFuse, Marco-o1 and more."""

from swift.llm.catalog.rows import ModelFamily, Size

MODELSCOPE_AGENT = ModelFamily(
    family="modelscope-agent",
    architectures=("QWenLMHeadModel",),
    template="modelscope-agent",
    lora_targets=("c_attn",),
    tags=("agent",),
    trust_remote_code=True,
    sizes=(
        Size(name="modelscope-agent-7b", ms="iic/ModelScope-Agent-7B", tags=("chat",)),
        Size(name="modelscope-agent-14b", ms="iic/ModelScope-Agent-14B", tags=("chat",)),
    ),
)

TONGYI_FINANCE = ModelFamily(
    family="tongyi-finance",
    architectures=("QWenLMHeadModel",),
    template="qwen",
    lora_targets=("c_attn",),
    tags=("financial",),
    trust_remote_code=True,
    sizes=(
        Size(name="tongyi-finance-14b", ms="TongyiFinance/Tongyi-Finance-14B", template="default-generation", tags=("base",)),
        Size(name="tongyi-finance-14b-chat", ms="TongyiFinance/Tongyi-Finance-14B-Chat", hf="jxy/Tongyi-Finance-14B-Chat", tags=("chat",)),
        Size(name="tongyi-finance-14b-chat-int4", ms="TongyiFinance/Tongyi-Finance-14B-Chat-Int4", hf="jxy/Tongyi-Finance-14B-Chat-Int4", requires=("gptqmodel>=2",), tags=("chat",), quant=("gptq", 4), dtype="float16"),
    ),
)

CODEFUSE_QWEN = ModelFamily(
    family="codefuse-qwen",
    architectures=("QWenLMHeadModel",),
    template="codefuse",
    lora_targets=("c_attn",),
    tags=("coding",),
    trust_remote_code=True,
    sizes=(
        Size(name="codefuse-qwen-14b-chat", ms="codefuse-ai/CodeFuse-QWen-14B", hf="codefuse-ai/CodeFuse-QWen-14B", tags=("chat",)),
    ),
)

MARCO_O1 = ModelFamily(
    family="marco-o1",
    architectures=("Qwen2ForCausalLM",),
    template="marco_o1",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.37",),
    tags=("reasoning",),
    sizes=(
        Size(name="marco-o1", size="7b", ms="AIDC-AI/Marco-o1", hf="AIDC-AI/Marco-o1", tags=("chat",)),
    ),
)

SMALLTHINKER = ModelFamily(
    family="smallthinker",
    architectures=("Qwen2ForCausalLM",),
    template="qwen",
    lora_targets=("ALL",),
    requires=("transformers>=4.37",),
    tags=("reasoning",),
    sizes=(
        Size(name="smallthinker-3b-preview", ms="PowerInfer/SmallThinker-3B-Preview", hf="PowerInfer/SmallThinker-3B-Preview", tags=("chat",)),
    ),
)

KIMI_DEV = ModelFamily(
    family="kimi-dev",
    architectures=("Qwen2ForCausalLM",),
    template="qwen2_5",
    lora_targets=("ALL",),
    requires=("transformers>=4.37",),
    tags=("coding",),
    sizes=(
        Size(name="kimi-dev-72b", ms="moonshotai/Kimi-Dev-72B", hf="moonshotai/Kimi-Dev-72B", tags=("chat",)),
    ),
)

QWENLONG = ModelFamily(
    family="qwenlong",
    architectures=("Qwen2ForCausalLM",),
    template="deepseek_r1",
    lora_targets=("ALL",),
    requires=("transformers>=4.37",),
    tags=("reasoning",),
    sizes=(
        Size(name="qwenlong-l1-32b", ms="iic/QwenLong-L1-32B", hf="Tongyi-Zhiwen/QwenLong-L1-32B", tags=("chat",)),
    ),
)

QWENLONG_L1_5 = ModelFamily(
    family="qwenlong-l1_5",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3_thinking",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe", "reasoning"),
    sizes=(
        Size(name="qwenlong-l1_5-30b-a3b", ms="iic/QwenLong-L1.5-30B-A3B", hf="Tongyi-Zhiwen/QwenLong-L1.5-30B-A3B", tags=("chat",)),
    ),
)

TONGYI_DEEPRESEARCH = ModelFamily(
    family="tongyi-deepresearch",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe", "agent"),
    sizes=(
        Size(name="tongyi-deepresearch-30b-a3b", ms="iic/Tongyi-DeepResearch-30B-A3B", hf="Alibaba-NLP/Tongyi-DeepResearch-30B-A3B", tags=("chat",)),
    ),
)

MARCO_MOE = ModelFamily(
    family="marco-moe",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3_nothinking",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe",),
    sizes=(
        Size(name="marco-nano-base", ms="AIDC-AI/Marco-Nano-Base", hf="AIDC-AI/Marco-Nano-Base", template="default-generation", tags=("base",)),
        Size(name="marco-nano-instruct", ms="AIDC-AI/Marco-Nano-Instruct", hf="AIDC-AI/Marco-Nano-Instruct", tags=("chat",)),
        Size(name="marco-mini-base", ms="AIDC-AI/Marco-Mini-Base", hf="AIDC-AI/Marco-Mini-Base", template="default-generation", tags=("base",)),
        Size(name="marco-mini-instruct", ms="AIDC-AI/Marco-Mini-Instruct", hf="AIDC-AI/Marco-Mini-Instruct", tags=("chat",)),
        Size(name="marco-mini-global-base", ms="AIDC-AI/Marco-Mini-Global-Base", hf="AIDC-AI/Marco-Mini-Global-Base", template="default-generation", tags=("base",)),
    ),
)

QWEN3GUARD = ModelFamily(
    family="qwen3guard",
    architectures=("Qwen3ForCausalLM",),
    template="qwen3_guard",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("guard",),
    sizes=(
        Size(name="qwen3guard-gen-0_6b", ms="Qwen/Qwen3Guard-Gen-0.6B", hf="Qwen/Qwen3Guard-Gen-0.6B", tags=("chat",)),
        Size(name="qwen3guard-gen-4b", ms="Qwen/Qwen3Guard-Gen-4B", hf="Qwen/Qwen3Guard-Gen-4B", tags=("chat",)),
        Size(name="qwen3guard-gen-8b", ms="Qwen/Qwen3Guard-Gen-8B", hf="Qwen/Qwen3Guard-Gen-8B", tags=("chat",)),
    ),
)

YUFENG_XGUARD = ModelFamily(
    family="yufeng-xguard",
    architectures=("Qwen3ForCausalLM",),
    template="yufeng_xguard",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("guard",),
    sizes=(
        Size(name="yufeng-xguard-reason-0_6b", ms="Alibaba-AAIG/YuFeng-XGuard-Reason-0.6B", hf="Alibaba-AAIG/YuFeng-XGuard-Reason-0.6B", tags=("chat",)),
        Size(name="yufeng-xguard-reason-8b", ms="Alibaba-AAIG/YuFeng-XGuard-Reason-8B", hf="Alibaba-AAIG/YuFeng-XGuard-Reason-8B", tags=("chat",)),
    ),
)

QWEN3_CODER = ModelFamily(
    family="qwen3-coder",
    architectures=("Qwen3MoeForCausalLM",),
    template="qwen3_coder",
    lora_targets=("ALL",),
    requires=("transformers>=4.51",),
    tags=("moe", "coding"),
    chat_templates=("29ffcce183435a42",),
    sizes=(
        Size(name="qwen3-coder-30b-a3b-instruct", ms="Qwen/Qwen3-Coder-30B-A3B-Instruct", hf="Qwen/Qwen3-Coder-30B-A3B-Instruct", tags=("chat",)),
        Size(name="qwen3-coder-30b-a3b-instruct-fp8", ms="Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", hf="Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-coder-480b-a35b-instruct", ms="Qwen/Qwen3-Coder-480B-A35B-Instruct", hf="Qwen/Qwen3-Coder-480B-A35B-Instruct", tags=("chat",)),
        Size(name="qwen3-coder-480b-a35b-instruct-fp8", ms="Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", hf="Qwen/Qwen3-Coder-480B-A35B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
        Size(name="qwen3-coder-480b-a35b-instruct-awq", ms="swift/Qwen3-Coder-480B-A35B-Instruct-AWQ", requires=("gptqmodel>=5",), tags=("chat",), quant=("awq", 4), dtype="float16"),
    ),
)

QWEN3_CODER_NEXT = ModelFamily(
    family="qwen3-coder-next",
    architectures=("Qwen3NextForCausalLM",),
    template="qwen3_coder",
    lora_targets=("ALL",),
    requires=("transformers>=4.57",),
    tags=("moe", "coding"),
    chat_templates=("29ffcce183435a42",),
    sizes=(
        Size(name="qwen3-coder-next-base", size="80b", ms="Qwen/Qwen3-Coder-Next-Base", hf="Qwen/Qwen3-Coder-Next-Base", template="default-generation", tags=("base",)),
        Size(name="qwen3-coder-next", size="80b", ms="Qwen/Qwen3-Coder-Next", hf="Qwen/Qwen3-Coder-Next", tags=("chat",)),
        Size(name="qwen3-coder-next-fp8", size="80b", ms="Qwen/Qwen3-Coder-Next-FP8", hf="Qwen/Qwen3-Coder-Next-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_NEXT = ModelFamily(
    family="qwen3-next",
    architectures=("Qwen3NextForCausalLM",),
    template="qwen3_nothinking",
    lora_targets=("ALL",),
    requires=("transformers>=4.57",),
    tags=("moe",),
    chat_templates=("4af846b85e557e1f",),
    sizes=(
        Size(name="qwen3-next-80b-a3b-instruct", ms="Qwen/Qwen3-Next-80B-A3B-Instruct", hf="Qwen/Qwen3-Next-80B-A3B-Instruct", tags=("chat",)),
        Size(name="qwen3-next-80b-a3b-instruct-fp8", ms="Qwen/Qwen3-Next-80B-A3B-Instruct-FP8", hf="Qwen/Qwen3-Next-80B-A3B-Instruct-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)

QWEN3_NEXT_THINKING = ModelFamily(
    family="qwen3-next-thinking",
    architectures=("Qwen3NextForCausalLM",),
    template="qwen3_thinking",
    lora_targets=("ALL",),
    requires=("transformers>=4.57",),
    tags=("moe", "reasoning"),
    sizes=(
        Size(name="qwen3-next-80b-a3b-thinking", ms="Qwen/Qwen3-Next-80B-A3B-Thinking", hf="Qwen/Qwen3-Next-80B-A3B-Thinking", tags=("chat",)),
        Size(name="qwen3-next-80b-a3b-thinking-fp8", ms="Qwen/Qwen3-Next-80B-A3B-Thinking-FP8", hf="Qwen/Qwen3-Next-80B-A3B-Thinking-FP8", tags=("chat",), quant=("fp8", 8)),
    ),
)
