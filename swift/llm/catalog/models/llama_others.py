"""Models that others trained from Llama: Chinese-LLaMA-Alpaca, Atom, Ziya, LongWriter, Reflection and more."""

from swift.llm.catalog.rows import ModelFamily, Size

CHINESE_LLAMA_ALPACA_2 = ModelFamily(
    family="chinese-llama-alpaca-2",
    architectures=("LlamaForCausalLM",),
    template="llama",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="chinese-llama-2-1_3b", ms="AI-ModelScope/chinese-llama-2-1.3b", hf="hfl/chinese-llama-2-1.3b", template="default-generation", tags=("base",)),
        Size(name="chinese-llama-2-7b", ms="AI-ModelScope/chinese-llama-2-7b", hf="hfl/chinese-llama-2-7b", template="default-generation", tags=("base",)),
        Size(name="chinese-llama-2-7b-16k", ms="AI-ModelScope/chinese-llama-2-7b-16k", hf="hfl/chinese-llama-2-7b-16k", template="default-generation", tags=("base",)),
        Size(name="chinese-llama-2-7b-64k", ms="AI-ModelScope/chinese-llama-2-7b-64k", hf="hfl/chinese-llama-2-7b-64k", template="default-generation", tags=("base",)),
        Size(name="chinese-llama-2-13b", ms="AI-ModelScope/chinese-llama-2-13b", hf="hfl/chinese-llama-2-13b", template="default-generation", tags=("base",)),
        Size(name="chinese-llama-2-13b-16k", ms="AI-ModelScope/chinese-llama-2-13b-16k", hf="hfl/chinese-llama-2-13b-16k", template="default-generation", tags=("base",)),
        Size(name="chinese-alpaca-2-1_3b", ms="AI-ModelScope/chinese-alpaca-2-1.3b", hf="hfl/chinese-alpaca-2-1.3b", tags=("chat",)),
        Size(name="chinese-alpaca-2-7b", ms="AI-ModelScope/chinese-alpaca-2-7b", hf="hfl/chinese-alpaca-2-7b", tags=("chat",)),
        Size(name="chinese-alpaca-2-7b-16k", ms="AI-ModelScope/chinese-alpaca-2-7b-16k", hf="hfl/chinese-alpaca-2-7b-16k", tags=("chat",)),
        Size(name="chinese-alpaca-2-7b-64k", ms="AI-ModelScope/chinese-alpaca-2-7b-64k", hf="hfl/chinese-alpaca-2-7b-64k", tags=("chat",)),
        Size(name="chinese-alpaca-2-13b", ms="AI-ModelScope/chinese-alpaca-2-13b", hf="hfl/chinese-alpaca-2-13b", tags=("chat",)),
        Size(name="chinese-alpaca-2-13b-16k", ms="AI-ModelScope/chinese-alpaca-2-13b-16k", hf="hfl/chinese-alpaca-2-13b-16k", tags=("chat",)),
    ),
)

CHINESE_LLAMA_ALPACA_3 = ModelFamily(
    family="chinese-llama-alpaca-3",
    architectures=("LlamaForCausalLM",),
    template="llama3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="llama-3-chinese-8b", ms="ChineseAlpacaGroup/llama-3-chinese-8b", hf="hfl/llama-3-chinese-8b", template="default-generation", tags=("base",)),
        Size(name="llama-3-chinese-8b-instruct", ms="ChineseAlpacaGroup/llama-3-chinese-8b-instruct", hf="hfl/llama-3-chinese-8b-instruct", tags=("chat",)),
    ),
)

ATOM = ModelFamily(
    family="atom",
    architectures=("LlamaForCausalLM",),
    template="atom",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="atom-7b", ms="FlagAlpha/Atom-7B", hf="FlagAlpha/Atom-7B", template="default-generation", tags=("base",)),
        Size(name="atom-7b-chat", ms="FlagAlpha/Atom-7B-Chat", hf="FlagAlpha/Atom-7B-Chat", tags=("chat",)),
    ),
)

ZIYA2 = ModelFamily(
    family="ziya2",
    architectures=("LlamaForCausalLM",),
    template="ziya",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="ziya2-13b", ms="Fengshenbang/Ziya2-13B-Base", hf="IDEA-CCNL/Ziya2-13B-Base", template="default-generation", tags=("base",)),
        Size(name="ziya2-13b-chat", ms="Fengshenbang/Ziya2-13B-Chat", hf="IDEA-CCNL/Ziya2-13B-Chat", tags=("chat",)),
    ),
)

REFLECTION = ModelFamily(
    family="reflection",
    architectures=("LlamaForCausalLM",),
    template="reflection",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.43",),
    tags=("reasoning",),
    sizes=(
        Size(name="reflection-llama_3_1-70b", ms="LLM-Research/Reflection-Llama-3.1-70B", hf="mattshumer/Reflection-Llama-3.1-70B", tags=("chat",)),
    ),
)

LONGWRITER_LLAMA3_1 = ModelFamily(
    family="longwriter-llama3_1",
    architectures=("LlamaForCausalLM",),
    template="longwriter-llama3",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.43",),
    sizes=(
        Size(name="longwriter-llama3_1-8b", ms="ZhipuAI/LongWriter-llama3.1-8b", hf="THUDM/LongWriter-llama3.1-8b", other_ids=("zai-org/LongWriter-llama3.1-8b",), tags=("chat",)),
    ),
)

NUMINA_MATH = ModelFamily(
    family="numina-math",
    architectures=("LlamaForCausalLM",),
    template="numina-math",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("math",),
    sizes=(
        Size(name="numina-math-7b", ms="AI-ModelScope/NuminaMath-7B-TIR", hf="AI-MO/NuminaMath-7B-TIR", tags=("chat",)),
    ),
)

SUS = ModelFamily(
    family="sus",
    architectures=("LlamaForCausalLM",),
    template="sus",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="sus-34b-chat", ms="SUSTC/SUS-Chat-34B", hf="SUSTech/SUS-Chat-34B", tags=("chat",)),
    ),
)

CODEFUSE_CODELLAMA = ModelFamily(
    family="codefuse-codellama",
    architectures=("LlamaForCausalLM",),
    template="codefuse-codellama",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    tags=("coding",),
    sizes=(
        Size(name="codefuse-codellama-34b-chat", ms="codefuse-ai/CodeFuse-CodeLlama-34B", hf="codefuse-ai/CodeFuse-CodeLlama-34B", tags=("chat",)),
    ),
)

MENGZI3 = ModelFamily(
    family="mengzi3",
    architectures=("LlamaForCausalLM",),
    template="mengzi",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    sizes=(
        Size(name="mengzi3-13b-base", ms="langboat/Mengzi3-13B-Base", hf="Langboat/Mengzi3-13B-Base", tags=("base",)),
    ),
)

MEGREZ = ModelFamily(
    family="megrez",
    architectures=("LlamaForCausalLM",),
    template="megrez",
    lora_targets=("ALL",),
    sizes=(
        Size(name="megrez-3b-instruct", ms="InfiniAI/Megrez-3b-Instruct", hf="Infinigence/Megrez-3B-Instruct", tags=("chat",)),
    ),
)

SKYWORK_O1 = ModelFamily(
    family="skywork-o1",
    architectures=("LlamaForCausalLM",),
    template="skywork_o1",
    lora_targets=("ALL",),
    requires=("transformers>=4.43",),
    tags=("reasoning",),
    sizes=(
        Size(name="skywork-o1-open-llama3_1-8b", ms="AI-ModelScope/Skywork-o1-Open-Llama-3.1-8B", hf="Skywork/Skywork-o1-Open-Llama-3.1-8B", tags=("chat",)),
    ),
)

MINIMIND2 = ModelFamily(
    family="minimind2",
    architectures=("LlamaForCausalLM",),
    template="minimind",
    lora_targets=("ALL",),
    requires=("transformers>=4.57.1",),
    sizes=(
        Size(name="minimind2", size="104m", ms="gongjy/MiniMind2", hf="jingyaogong/MiniMind2", tags=("chat",)),
        Size(name="minimind2-small", size="26m", hf="jingyaogong/MiniMind2-Small", tags=("chat",)),
    ),
)

DEEPSEEK_PROVER_V2 = ModelFamily(
    family="deepseek-prover-v2",
    architectures=("LlamaForCausalLM",),
    template="deepseek_v2_5",
    lora_targets=("ALL",),
    tags=("math", "reasoning"),
    sizes=(
        Size(name="deepseek-prover-v2-7b", ms="deepseek-ai/DeepSeek-Prover-V2-7B", hf="deepseek-ai/DeepSeek-Prover-V2-7B", tags=("chat",)),
    ),
)

HERMES2_PRO = ModelFamily(
    family="hermes2-pro",
    architectures=("LlamaForCausalLM",),
    template="hermes2_pro",
    lora_targets=("ALL",),
    tags=("agent",),
    sizes=(
        Size(name="hermes-2-pro-llama-3-8b", hf="NousResearch/Hermes-2-Pro-Llama-3-8B", tags=("chat",)),
    ),
)

HERMES3 = ModelFamily(
    family="hermes3",
    architectures=("LlamaForCausalLM",),
    template="hermes3",
    lora_targets=("ALL",),
    requires=("transformers>=4.43",),
    tags=("agent",),
    sizes=(
        Size(name="hermes-3-llama-3_1-8b", hf="NousResearch/Hermes-3-Llama-3.1-8B", tags=("chat",)),
        Size(name="hermes-3-llama-3_1-70b", hf="NousResearch/Hermes-3-Llama-3.1-70B", tags=("chat",)),
        Size(name="hermes-3-llama-3_1-405b", hf="NousResearch/Hermes-3-Llama-3.1-405B", tags=("chat",)),
        Size(name="hermes-3-llama-3_2-3b", hf="NousResearch/Hermes-3-Llama-3.2-3B", tags=("chat",)),
    ),
)

FUNCTIONARY_V3_1 = ModelFamily(
    family="functionary-v3_1",
    architectures=("LlamaForCausalLM",),
    template="functionary_v3_1",
    lora_targets=("ALL",),
    requires=("transformers>=4.43",),
    tags=("agent",),
    chat_templates=("d51d45dd42b0c5c3",),
    sizes=(
        Size(name="functionary-small-v3_1", size="8b", hf="meetkai/functionary-small-v3.1", tags=("chat",)),
        Size(name="functionary-medium-v3_1", size="70b", hf="meetkai/functionary-medium-v3.1", tags=("chat",)),
    ),
)

FIREFUNCTION_V2 = ModelFamily(
    family="firefunction-v2",
    architectures=("LlamaForCausalLM",),
    template="firefunction_v2",
    lora_targets=("ALL",),
    tags=("agent",),
    chat_templates=("8a12829a7dcfc921",),
    sizes=(
        Size(name="llama3-firefunction-v2", size="70b", hf="fireworks-ai/llama-3-firefunction-v2", tags=("chat",)),
    ),
)
