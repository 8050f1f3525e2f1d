"""CogVLM, CogVLM 2 and CogAgent."""

from swift.llm.catalog.rows import ModelFamily, Size

COGVLM = ModelFamily(
    family="cogvlm",
    architectures=("CogVLMForCausalLM",),
    template="cogvlm",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers<4.42",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="cogvlm-17b-chat", ms="ZhipuAI/cogvlm-chat", hf="THUDM/cogvlm-chat-hf", other_ids=("zai-org/cogvlm-chat-hf",), tags=("chat",)),
    ),
)

COGVLM2 = ModelFamily(
    family="cogvlm2",
    architectures=("CogVLMForCausalLM",),
    template="cogvlm",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers<4.42",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="cogvlm2-19b-chat", ms="ZhipuAI/cogvlm2-llama3-chinese-chat-19B", hf="THUDM/cogvlm2-llama3-chinese-chat-19B", other_ids=("zai-org/cogvlm2-llama3-chinese-chat-19B",), tags=("chat",)),
        Size(name="cogvlm2-en-19b-chat", ms="ZhipuAI/cogvlm2-llama3-chat-19B", hf="THUDM/cogvlm2-llama3-chat-19B", other_ids=("zai-org/cogvlm2-llama3-chat-19B",), tags=("chat",)),
    ),
)

COGVLM2_VIDEO = ModelFamily(
    family="cogvlm2-video",
    architectures=("CogVLMVideoForCausalLM",),
    template="cogvlm2-video",
    lora_targets=("ALL",),
    modality=("text", "video"),
    language_prefixes=("model.layers",),
    requires=("transformers<4.42", "decord", "pytorchvideo"),
    tags=("multi-modal", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="cogvlm2-video-13b-chat", ms="ZhipuAI/cogvlm2-video-llama3-chat", hf="THUDM/cogvlm2-video-llama3-chat", other_ids=("zai-org/cogvlm2-video-llama3-chat",), tags=("chat",)),
    ),
)

COGAGENT = ModelFamily(
    family="cogagent",
    architectures=("CogAgentForCausalLM",),
    template="cogagent-chat",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers<4.42", "timm"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="cogagent-18b-chat", ms="ZhipuAI/cogagent-chat", hf="THUDM/cogagent-chat-hf", other_ids=("zai-org/cogagent-chat-hf",), tags=("chat",)),
        Size(name="cogagent-18b-instruct", ms="ZhipuAI/cogagent-vqa", hf="THUDM/cogagent-vqa-hf", other_ids=("zai-org/cogagent-vqa-hf",), template="cogagent-instruct", tags=("chat",)),
    ),
)
