"""ChatGLM 2 and 3, GLM-4 and what was built on it: CodeGeeX, LongWriter, GLM-Edge, GLM-4V."""

from swift.llm.catalog.rows import ModelFamily, Size

CHATGLM2 = ModelFamily(
    family="chatglm2",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="chatglm2",
    lora_targets=("query_key_value",),
    requires=("transformers<4.42",),
    trust_remote_code=True,
    sizes=(
        Size(name="chatglm2-6b", ms="ZhipuAI/chatglm2-6b", hf="THUDM/chatglm2-6b", other_ids=("zai-org/chatglm2-6b",), tags=("chat",)),
        Size(name="chatglm2-6b-32k", ms="ZhipuAI/chatglm2-6b-32k", hf="THUDM/chatglm2-6b-32k", other_ids=("zai-org/chatglm2-6b-32k",), tags=("chat",)),
    ),
)

CODEGEEX2 = ModelFamily(
    family="codegeex2",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="chatglm-generation",
    lora_targets=("query_key_value",),
    requires=("transformers<4.34",),
    trust_remote_code=True,
    sizes=(
        Size(name="codegeex2-6b", ms="ZhipuAI/codegeex2-6b", hf="THUDM/codegeex2-6b", other_ids=("zai-org/codegeex2-6b",), tags=("base", "coding")),
    ),
)

CHATGLM3 = ModelFamily(
    family="chatglm3",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="chatglm3",
    lora_targets=("query_key_value",),
    requires=("transformers<4.42",),
    trust_remote_code=True,
    sizes=(
        Size(name="chatglm3-6b-base", ms="ZhipuAI/chatglm3-6b-base", hf="THUDM/chatglm3-6b-base", other_ids=("zai-org/chatglm3-6b-base",), template="chatglm-generation", tags=("base",)),
        Size(name="chatglm3-6b", ms="ZhipuAI/chatglm3-6b", hf="THUDM/chatglm3-6b", other_ids=("zai-org/chatglm3-6b",), tags=("chat",)),
        Size(name="chatglm3-6b-32k", ms="ZhipuAI/chatglm3-6b-32k", hf="THUDM/chatglm3-6b-32k", other_ids=("zai-org/chatglm3-6b-32k",), tags=("chat",)),
        Size(name="chatglm3-6b-128k", ms="ZhipuAI/chatglm3-6b-128k", hf="THUDM/chatglm3-6b-128k", other_ids=("zai-org/chatglm3-6b-128k",), tags=("chat",)),
    ),
)

GLM4_REMOTE = ModelFamily(
    family="glm4-remote",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="chatglm4",
    lora_targets=("query_key_value",),
    requires=("transformers>=4.42",),
    trust_remote_code=True,
    sizes=(
        Size(name="glm4-9b", ms="ZhipuAI/glm-4-9b", hf="THUDM/glm-4-9b", other_ids=("zai-org/glm-4-9b",), template="chatglm-generation", tags=("base",)),
        Size(name="glm4-9b-chat", ms="ZhipuAI/glm-4-9b-chat", hf="THUDM/glm-4-9b-chat", other_ids=("zai-org/glm-4-9b-chat",), tags=("chat",)),
        Size(name="glm4-9b-chat-1m", ms="ZhipuAI/glm-4-9b-chat-1m", hf="THUDM/glm-4-9b-chat-1m", other_ids=("zai-org/glm-4-9b-chat-1m",), tags=("chat",)),
        Size(name="longwriter-glm4-9b", ms="ZhipuAI/LongWriter-glm4-9b", hf="THUDM/LongWriter-glm4-9b", other_ids=("zai-org/LongWriter-glm4-9b",), tags=("chat",)),
    ),
)

CODEGEEX4 = ModelFamily(
    family="codegeex4",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="codegeex4",
    lora_targets=("query_key_value",),
    requires=("transformers<4.42",),
    tags=("coding",),
    trust_remote_code=True,
    sizes=(
        Size(name="codegeex4-9b-chat", ms="ZhipuAI/codegeex4-all-9b", hf="THUDM/codegeex4-all-9b", other_ids=("zai-org/codegeex4-all-9b",), tags=("chat",)),
    ),
)

GLM4V_REMOTE = ModelFamily(
    family="glm4v-remote",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="glm4v",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("transformer.encoder",),
    requires=("transformers>=4.42",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="glm4v-9b-chat", ms="ZhipuAI/glm-4v-9b", hf="THUDM/glm-4v-9b", other_ids=("zai-org/glm-4v-9b",), tags=("chat",)),
    ),
)

GLM_EDGE = ModelFamily(
    family="glm-edge",
    architectures=("GlmForCausalLM",),
    template="chatglm4",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    requires=("transformers>=4.46",),
    sizes=(
        Size(name="glm-edge-1_5b-chat", ms="ZhipuAI/glm-edge-1.5b-chat", hf="THUDM/glm-edge-1.5b-chat", other_ids=("zai-org/glm-edge-1.5b-chat",), tags=("chat",)),
        Size(name="glm-edge-4b-chat", ms="ZhipuAI/glm-edge-4b-chat", hf="THUDM/glm-edge-4b-chat", other_ids=("zai-org/glm-edge-4b-chat",), tags=("chat",)),
    ),
)

GLM_EDGE_V = ModelFamily(
    family="glm-edge-v",
    architectures=("GlmForCausalLM",),
    template="glm-edge-v",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.46",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="glm-edge-v-2b", ms="ZhipuAI/glm-edge-v-2b", hf="THUDM/glm-edge-v-2b", other_ids=("zai-org/glm-edge-v-2b",), tags=("chat",)),
        Size(name="glm-edge-v-5b", ms="ZhipuAI/glm-edge-v-5b", hf="THUDM/glm-edge-v-5b", other_ids=("zai-org/glm-edge-v-5b",), tags=("chat",)),
    ),
)

CODEFUSE_CODEGEEX2 = ModelFamily(
    family="codefuse-codegeex2",
    architectures=("ChatGLMModel", "ChatGLMForConditionalGeneration"),
    template="chatglm2",
    lora_targets=("query_key_value",),
    requires=("transformers<4.34",),
    tags=("coding",),
    trust_remote_code=True,
    sizes=(
        Size(name="codefuse-codegeex2-6b-chat", ms="codefuse-ai/CodeFuse-CodeGeeX2-6B", hf="codefuse-ai/CodeFuse-CodeGeeX2-6B", tags=("chat",)),
    ),
)
