"""Embedding models, rerankers and reward models: listed; this version trains causal language models."""

from swift.llm.catalog.rows import ModelFamily, Size

QWEN3_EMBEDDING = ModelFamily(
    family="qwen3-embedding",
    architectures=("Qwen3ForCausalLM",),
    template="qwen3_emb",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="embedding",
    requires=("transformers>=4.51",),
    sizes=(
        Size(name="qwen3-embedding-0_6b", ms="Qwen/Qwen3-Embedding-0.6B", hf="Qwen/Qwen3-Embedding-0.6B"),
        Size(name="qwen3-embedding-4b", ms="Qwen/Qwen3-Embedding-4B", hf="Qwen/Qwen3-Embedding-4B"),
        Size(name="qwen3-embedding-8b", ms="Qwen/Qwen3-Embedding-8B", hf="Qwen/Qwen3-Embedding-8B"),
    ),
)

QWEN3_RERANKER = ModelFamily(
    family="qwen3-reranker",
    architectures=("Qwen3ForCausalLM",),
    template="qwen3_reranker",
    lora_targets=("ALL",),
    task="reranker",
    requires=("transformers>=4.51",),
    sizes=(
        Size(name="qwen3-reranker-0_6b", ms="Qwen/Qwen3-Reranker-0.6B", hf="Qwen/Qwen3-Reranker-0.6B"),
        Size(name="qwen3-reranker-4b", ms="Qwen/Qwen3-Reranker-4B", hf="Qwen/Qwen3-Reranker-4B"),
        Size(name="qwen3-reranker-8b", ms="Qwen/Qwen3-Reranker-8B", hf="Qwen/Qwen3-Reranker-8B"),
    ),
)

QWEN3_VL_EMBEDDING = ModelFamily(
    family="qwen3-vl-embedding",
    architectures=("Qwen3VLForConditionalGeneration",),
    template="qwen3_vl_emb",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="embedding",
    modality=("text", "image", "video"),
    language_prefixes=("language_model",),
    requires=("transformers>=4.57", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3-vl-embedding-2b", ms="Qwen/Qwen3-VL-Embedding-2B", hf="Qwen/Qwen3-VL-Embedding-2B"),
        Size(name="qwen3-vl-embedding-8b", ms="Qwen/Qwen3-VL-Embedding-8B", hf="Qwen/Qwen3-VL-Embedding-8B"),
    ),
)

QWEN3_VL_RERANKER = ModelFamily(
    family="qwen3-vl-reranker",
    architectures=("Qwen3VLForConditionalGeneration",),
    template="qwen3_vl_reranker",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    task="reranker",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.57", "qwen_vl_utils>=0.0.14", "decord"),
    tags=("multi-modal", "vision", "video"),
    sizes=(
        Size(name="qwen3-vl-reranker-2b", ms="Qwen/Qwen3-VL-Reranker-2B", hf="Qwen/Qwen3-VL-Reranker-2B"),
        Size(name="qwen3-vl-reranker-8b", ms="Qwen/Qwen3-VL-Reranker-8B", hf="Qwen/Qwen3-VL-Reranker-8B"),
    ),
)

QWEN2_GTE = ModelFamily(
    family="qwen2-gte",
    architectures=("Qwen2ForCausalLM",),
    template=None,
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="embedding",
    requires=("transformers>=4.39.3",),
    sizes=(
        Size(name="gte-qwen2-1_5b-instruct", ms="iic/gte_Qwen2-1.5B-instruct", hf="Alibaba-NLP/gte-Qwen2-1.5B-instruct"),
        Size(name="gte-qwen2-7b-instruct", ms="iic/gte_Qwen2-7B-instruct", hf="Alibaba-NLP/gte-Qwen2-7B-instruct"),
    ),
)

QWEN2_GME = ModelFamily(
    family="qwen2-gme",
    architectures=("Qwen2VLForConditionalGeneration",),
    template="qwen2_gme",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="embedding",
    modality=("text", "image"),
    language_prefixes=("language_model",),
    requires=("transformers>=4.45", "qwen_vl_utils>=0.0.6", "decord"),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="gme-qwen2-vl-2b-instruct", ms="iic/gme-Qwen2-VL-2B-Instruct", hf="Alibaba-NLP/gme-Qwen2-VL-2B-Instruct"),
        Size(name="gme-qwen2-vl-7b-instruct", ms="iic/gme-Qwen2-VL-7B-Instruct", hf="Alibaba-NLP/gme-Qwen2-VL-7B-Instruct"),
    ),
)

GTE_MODERNBERT = ModelFamily(
    family="gte-modernbert",
    architectures=("ModernBertModel",),
    template=None,
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="embedding",
    requires=("transformers>=4.48",),
    sizes=(
        Size(name="gte-modernbert-base", size="149m", ms="iic/gte-modernbert-base", hf="Alibaba-NLP/gte-modernbert-base"),
    ),
)

GTE_RERANKER_MODERNBERT = ModelFamily(
    family="gte-reranker-modernbert",
    architectures=("ModernBertForSequenceClassification",),
    template=None,
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:sequence_classification",
    task="reranker",
    requires=("transformers>=4.48",),
    sizes=(
        Size(name="gte-reranker-modernbert-base", size="149m", ms="iic/gte-reranker-modernbert-base", hf="Alibaba-NLP/gte-reranker-modernbert-base"),
    ),
)

EMBEDDINGGEMMA = ModelFamily(
    family="embeddinggemma",
    architectures=("Gemma3TextModel",),
    template=None,
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="embedding",
    requires=("transformers>=4.56",),
    sizes=(
        Size(name="embeddinggemma-300m", ms="google/embeddinggemma-300m", hf="google/embeddinggemma-300m"),
    ),
)

MODERNBERT = ModelFamily(
    family="modernbert",
    architectures=("ModernBertForMaskedLM",),
    template=None,
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:masked_lm",
    task="masked_lm",
    requires=("transformers>=4.48",),
    sizes=(
        Size(name="modernbert-base", size="149m", ms="answerdotai/ModernBERT-base", hf="answerdotai/ModernBERT-base"),
        Size(name="modernbert-large", size="395m", ms="answerdotai/ModernBERT-large", hf="answerdotai/ModernBERT-large"),
    ),
)

BGE_RERANKER = ModelFamily(
    family="bge-reranker",
    architectures=("XLMRobertaForSequenceClassification",),
    template="bge_reranker",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:sequence_classification",
    task="reranker",
    sizes=(
        Size(name="bge-reranker-base", size="278m", ms="BAAI/bge-reranker-base", hf="BAAI/bge-reranker-base"),
        Size(name="bge-reranker-v2-m3", size="568m", ms="BAAI/bge-reranker-v2-m3", hf="BAAI/bge-reranker-v2-m3"),
        Size(name="bge-reranker-large", size="560m", ms="BAAI/bge-reranker-large", hf="BAAI/bge-reranker-large"),
    ),
)

JINA_RERANKER_M0 = ModelFamily(
    family="jina-reranker-m0",
    architectures=("JinaRerankerM0ForConditionalGeneration",),
    template="jina_reranker_m0",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="reranker",
    modality=("text", "image"),
    language_prefixes=("model",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="jina-reranker-m0", size="2.4b", ms="JinaAI/jina-reranker-m0", hf="jinaai/jina-reranker-m0"),
    ),
)

QWEN2_MATH_RM = ModelFamily(
    family="qwen2-math-rm",
    architectures=("Qwen2ForRewardModel",),
    template="qwen",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="reward",
    requires=("transformers>=4.37",),
    tags=("math",),
    trust_remote_code=True,
    sizes=(
        Size(name="qwen2-math-rm-72b", ms="Qwen/Qwen2-Math-RM-72B", hf="Qwen/Qwen2-Math-RM-72B"),
    ),
)

QWEN2_5_MATH_RM = ModelFamily(
    family="qwen2_5-math-rm",
    architectures=("Qwen2ForRewardModel",),
    template="qwen2_5_math",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="reward",
    requires=("transformers>=4.37",),
    tags=("math",),
    trust_remote_code=True,
    sizes=(
        Size(name="qwen2_5-math-rm-72b", ms="Qwen/Qwen2.5-Math-RM-72B", hf="Qwen/Qwen2.5-Math-RM-72B"),
    ),
)

QWEN2_5_MATH_PRM = ModelFamily(
    family="qwen2_5-math-prm",
    architectures=("Qwen2ForProcessRewardModel",),
    template="qwen2_5_math_prm",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:base_model",
    task="reward",
    requires=("transformers>=4.37",),
    tags=("math",),
    trust_remote_code=True,
    sizes=(
        Size(name="qwen2_5-math-prm-7b", ms="Qwen/Qwen2.5-Math-PRM-7B", hf="Qwen/Qwen2.5-Math-PRM-7B"),
        Size(name="qwen2_5-math-7b-prm800k", ms="Qwen/Qwen2.5-Math-7B-PRM800K", hf="Qwen/Qwen2.5-Math-7B-PRM800K"),
        Size(name="qwen2_5-math-prm-72b", ms="Qwen/Qwen2.5-Math-PRM-72B", hf="Qwen/Qwen2.5-Math-PRM-72B"),
    ),
)

SKYWORK_REWARD_LLAMA3_1 = ModelFamily(
    family="skywork-reward-llama3_1",
    architectures=("LlamaForSequenceClassification",),
    template="llama3_2",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:sequence_classification",
    task="reward",
    requires=("transformers>=4.43",),
    sizes=(
        Size(name="skywork-reward-llama3_1-8b", ms="AI-ModelScope/Skywork-Reward-Llama-3.1-8B", hf="Skywork/Skywork-Reward-Llama-3.1-8B"),
        Size(name="skywork-reward-llama3_1-8b-v0_2", ms="AI-ModelScope/Skywork-Reward-Llama-3.1-8B-v0.2", hf="Skywork/Skywork-Reward-Llama-3.1-8B-v0.2"),
    ),
)

SKYWORK_REWARD_GEMMA2 = ModelFamily(
    family="skywork-reward-gemma2",
    architectures=("Gemma2ForSequenceClassification",),
    template="gemma",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:sequence_classification",
    task="reward",
    requires=("transformers>=4.42",),
    sizes=(
        Size(name="skywork-reward-gemma2-27b", ms="AI-ModelScope/Skywork-Reward-Gemma-2-27B", hf="Skywork/Skywork-Reward-Gemma-2-27B"),
        Size(name="skywork-reward-gemma2-27b-v0_2", ms="AI-ModelScope/Skywork-Reward-Gemma-2-27B-v0.2", hf="Skywork/Skywork-Reward-Gemma-2-27B-v0.2"),
    ),
)
