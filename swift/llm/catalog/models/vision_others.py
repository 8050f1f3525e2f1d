"""Vision models of smaller vendors: Phi-3 Vision, Molmo, Florence, Ovis, Emu3, GOT, Idefics, Yi-VL and others."""

from swift.llm.catalog.rows import ModelFamily, Size

PHI3_VISION = ModelFamily(
    family="phi3-vision",
    architectures=("Phi3VForCausalLM",),
    template="phi3-vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.36",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="phi3-vision-128k-instruct", size="4.2b", ms="LLM-Research/Phi-3-vision-128k-instruct", hf="microsoft/Phi-3-vision-128k-instruct", tags=("chat",)),
        Size(name="phi3_5-vision-instruct", size="4.2b", ms="LLM-Research/Phi-3.5-vision-instruct", hf="microsoft/Phi-3.5-vision-instruct", tags=("chat",)),
    ),
)

MOLMO = ModelFamily(
    family="molmo",
    architectures=("MolmoForCausalLM",),
    template="molmo",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.transformer",),
    requires=("transformers>=4.45",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="molmo-7b-o", ms="LLM-Research/Molmo-7B-O-0924", hf="allenai/Molmo-7B-O-0924", tags=("chat",)),
        Size(name="molmo-7b-d", ms="LLM-Research/Molmo-7B-D-0924", hf="allenai/Molmo-7B-D-0924", tags=("chat",)),
        Size(name="molmo-72b", ms="LLM-Research/Molmo-72B-0924", hf="allenai/Molmo-72B-0924", tags=("chat",)),
    ),
)

MOLMOE = ModelFamily(
    family="molmoe",
    architectures=("OLMoForCausalLM",),
    template="molmo",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.transformer",),
    requires=("transformers>=4.45",),
    tags=("moe", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="molmoe-1b", ms="LLM-Research/MolmoE-1B-0924", hf="allenai/MolmoE-1B-0924", tags=("chat",)),
    ),
)

FLORENCE_2 = ModelFamily(
    family="florence-2",
    architectures=("Florence2ForConditionalGeneration",),
    template="florence",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language_model",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="florence-2-base", size="230m", ms="AI-ModelScope/Florence-2-base", hf="microsoft/Florence-2-base", tags=("chat",)),
        Size(name="florence-2-base-ft", size="230m", ms="AI-ModelScope/Florence-2-base-ft", hf="microsoft/Florence-2-base-ft", tags=("chat",)),
        Size(name="florence-2-large", size="770m", ms="AI-ModelScope/Florence-2-large", hf="microsoft/Florence-2-large", tags=("chat",)),
        Size(name="florence-2-large-ft", size="770m", ms="AI-ModelScope/Florence-2-large-ft", hf="microsoft/Florence-2-large-ft", tags=("chat",)),
    ),
)

OVIS1_6 = ModelFamily(
    family="ovis1_6",
    architectures=("Ovis",),
    template="ovis1_6",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("llm",),
    requires=("transformers>=4.42",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="ovis1_6-gemma2-9b", ms="AIDC-AI/Ovis1.6-Gemma2-9B", hf="AIDC-AI/Ovis1.6-Gemma2-9B", tags=("chat",)),
        Size(name="ovis1_6-gemma2-27b", ms="AIDC-AI/Ovis1.6-Gemma2-27B", hf="AIDC-AI/Ovis1.6-Gemma2-27B", tags=("chat",)),
        Size(name="ovis1_6-llama3_2-3b", ms="AIDC-AI/Ovis1.6-Llama3.2-3B", hf="AIDC-AI/Ovis1.6-Llama3.2-3B", template="ovis1_6_llama3", tags=("chat",)),
    ),
)

OVIS2 = ModelFamily(
    family="ovis2",
    architectures=("Ovis",),
    template="ovis2",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("llm",),
    requires=("transformers>=4.46.2", "moviepy<2"),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="ovis2-1b", ms="AIDC-AI/Ovis2-1B", hf="AIDC-AI/Ovis2-1B", tags=("chat",)),
        Size(name="ovis2-2b", ms="AIDC-AI/Ovis2-2B", hf="AIDC-AI/Ovis2-2B", tags=("chat",)),
        Size(name="ovis2-4b", ms="AIDC-AI/Ovis2-4B", hf="AIDC-AI/Ovis2-4B", tags=("chat",)),
        Size(name="ovis2-8b", ms="AIDC-AI/Ovis2-8B", hf="AIDC-AI/Ovis2-8B", tags=("chat",)),
        Size(name="ovis2-16b", ms="AIDC-AI/Ovis2-16B", hf="AIDC-AI/Ovis2-16B", tags=("chat",)),
        Size(name="ovis2-34b", ms="AIDC-AI/Ovis2-34B", hf="AIDC-AI/Ovis2-34B", tags=("chat",)),
    ),
)

OVIS2_5 = ModelFamily(
    family="ovis2_5",
    architectures=("Ovis2_5",),
    template="ovis2_5",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("llm",),
    requires=("transformers>=4.46.2", "moviepy<2"),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="ovis2_5-2b", ms="AIDC-AI/Ovis2.5-2B", hf="AIDC-AI/Ovis2.5-2B", tags=("chat",)),
        Size(name="ovis2_5-9b", ms="AIDC-AI/Ovis2.5-9B", hf="AIDC-AI/Ovis2.5-9B", tags=("chat",)),
    ),
)

EMU3 = ModelFamily(
    family="emu3",
    architectures=("Emu3ForCausalLM",),
    template="emu3-chat",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.44",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="emu3-chat", size="8b", ms="BAAI/Emu3-Chat", hf="BAAI/Emu3-Chat", tags=("chat",)),
    ),
)

GOT_OCR2 = ModelFamily(
    family="got-ocr2",
    architectures=("GOTQwenForCausalLM",),
    template="got_ocr2",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    tags=("ocr", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="got-ocr2", size="580m", ms="stepfun-ai/GOT-OCR2_0", hf="stepfun-ai/GOT-OCR2_0", tags=("chat",)),
    ),
)

GOT_OCR2_HF = ModelFamily(
    family="got-ocr2-hf",
    architectures=("GotOcr2ForConditionalGeneration",),
    template="got_ocr2_hf",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.49",),
    tags=("ocr", "multi-modal", "vision"),
    sizes=(
        Size(name="got-ocr2-hf", size="580m", ms="stepfun-ai/GOT-OCR-2.0-hf", hf="stepfun-ai/GOT-OCR-2.0-hf", tags=("chat",)),
    ),
)

IDEFICS3 = ModelFamily(
    family="idefics3",
    architectures=("Idefics3ForConditionalGeneration",),
    template="idefics3",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.text_model",),
    requires=("transformers>=4.45",),
    tags=("multi-modal", "vision"),
    sizes=(
        Size(name="idefics3-8b-llama3", ms="AI-ModelScope/Idefics3-8B-Llama3", hf="HuggingFaceM4/Idefics3-8B-Llama3", tags=("chat",)),
    ),
)

YI_VL = ModelFamily(
    family="yi-vl",
    architectures=("LlavaLlamaForCausalLM",),
    template="yi-vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.34",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="yi-vl-6b-chat", ms="01ai/Yi-VL-6B", hf="01-ai/Yi-VL-6B", tags=("chat",)),
        Size(name="yi-vl-34b-chat", ms="01ai/Yi-VL-34B", hf="01-ai/Yi-VL-34B", tags=("chat",)),
    ),
)

KEYE_VL = ModelFamily(
    family="keye-vl",
    architectures=("KeyeForConditionalGeneration",),
    template="keye_vl",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("model.layers",),
    requires=("keye_vl_utils",),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="keye-vl-8b-preview", ms="Kwai-Keye/Keye-VL-8B-Preview", hf="Kwai-Keye/Keye-VL-8B-Preview", tags=("chat",)),
    ),
)

KEYE_VL1_5 = ModelFamily(
    family="keye-vl1_5",
    architectures=("KeyeVL1_5ForConditionalGeneration",),
    template="keye_vl_1_5",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("model.layers",),
    requires=("keye_vl_utils",),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="keye-vl-1_5-8b", ms="Kwai-Keye/Keye-VL-1_5-8B", hf="Kwai-Keye/Keye-VL-1_5-8B", tags=("chat",)),
    ),
)

KIMI_VL = ModelFamily(
    family="kimi-vl",
    architectures=("KimiVLForConditionalGeneration",),
    template="kimi_vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language_model",),
    requires=("transformers<4.49",),
    tags=("moe", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="kimi-vl-a3b-instruct", ms="moonshotai/Kimi-VL-A3B-Instruct", hf="moonshotai/Kimi-VL-A3B-Instruct", tags=("chat",)),
        Size(name="kimi-vl-a3b-thinking", ms="moonshotai/Kimi-VL-A3B-Thinking", hf="moonshotai/Kimi-VL-A3B-Thinking", tags=("chat", "reasoning")),
        Size(name="kimi-vl-a3b-thinking-2506", ms="moonshotai/Kimi-VL-A3B-Thinking-2506", hf="moonshotai/Kimi-VL-A3B-Thinking-2506", tags=("chat", "reasoning")),
    ),
)

KIMI_K2_5 = ModelFamily(
    family="kimi-k2_5",
    architectures=("KimiK25ForConditionalGeneration",),
    template="kimi_k25",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("language_model",),
    requires=("transformers>=4.57.1,<5",),
    tags=("moe", "multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="kimi-k2_5", size="1t", ms="moonshotai/Kimi-K2.5", hf="moonshotai/Kimi-K2.5", tags=("chat",)),
        Size(name="kimi-k2_6", size="1t", ms="moonshotai/Kimi-K2.6", hf="moonshotai/Kimi-K2.6", tags=("chat",)),
        Size(name="kimi-k2_7-code", size="1t", ms="moonshotai/Kimi-K2.7-Code", hf="moonshotai/Kimi-K2.7-Code", tags=("chat", "coding")),
    ),
)

ERNIE4_5_VL = ModelFamily(
    family="ernie4_5-vl",
    architectures=("Ernie4_5_VLMoeForConditionalGeneration",),
    template="ernie_vl",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image", "video"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5", "moviepy"),
    tags=("moe", "multi-modal", "vision", "video"),
    sizes=(
        Size(name="ernie4_5-vl-28b-a3b-pt", ms="PaddlePaddle/ERNIE-4.5-VL-28B-A3B-PT", hf="baidu/ERNIE-4.5-VL-28B-A3B-PT", tags=("chat",)),
        Size(name="ernie4_5-vl-424b-a47b-pt", ms="PaddlePaddle/ERNIE-4.5-VL-424B-A47B-PT", hf="baidu/ERNIE-4.5-VL-424B-A47B-PT", tags=("chat",)),
        Size(name="ernie4_5-vl-28b-a3b-base-pt", ms="PaddlePaddle/ERNIE-4.5-VL-28B-A3B-Base-PT", hf="baidu/ERNIE-4.5-VL-28B-A3B-Base-PT", tags=("base",)),
        Size(name="ernie4_5-vl-424b-a47b-base-pt", ms="PaddlePaddle/ERNIE-4.5-VL-424B-A47B-Base-PT", hf="baidu/ERNIE-4.5-VL-424B-A47B-Base-PT", tags=("base",)),
        Size(name="ernie4_5-vl-28b-a3b-thinking", ms="PaddlePaddle/ERNIE-4.5-VL-28B-A3B-Thinking", hf="baidu/ERNIE-4.5-VL-28B-A3B-Thinking", template="ernie_vl_thinking", tags=("chat", "reasoning")),
    ),
)

PADDLEOCR_VL = ModelFamily(
    family="paddleocr-vl",
    architectures=("PaddleOCRVLForConditionalGeneration",),
    template="paddle_ocr",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=5",),
    tags=("ocr", "multi-modal", "vision"),
    sizes=(
        Size(name="paddleocr-vl", size="0.9b", ms="PaddlePaddle/PaddleOCR-VL", hf="PaddlePaddle/PaddleOCR-VL", tags=("chat",)),
    ),
)

DOTS_OCR = ModelFamily(
    family="dots-ocr",
    architectures=("DotsOCRForCausalLM",),
    template="dots_ocr",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.51", "qwen_vl_utils"),
    tags=("ocr", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="dots-ocr", size="3b", ms="rednote-hilab/dots.ocr", hf="rednote-hilab/dots.ocr", tags=("chat",)),
    ),
)

HUNYUAN_OCR = ModelFamily(
    family="hunyuan-ocr",
    architectures=("HunYuanVLForConditionalGeneration",),
    template="hunyuan_ocr",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.57",),
    tags=("ocr", "multi-modal", "vision"),
    sizes=(
        Size(name="hunyuan-ocr", size="1b", ms="Tencent-Hunyuan/HunyuanOCR", hf="tencent/HunyuanOCR", tags=("chat",)),
    ),
)

STEP3_VL = ModelFamily(
    family="step3-vl",
    architectures=("StepVLForConditionalGeneration",),
    template="step3_vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.57",),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="step3-vl-10b-base", ms="stepfun-ai/Step3-VL-10B-Base", hf="stepfun-ai/Step3-VL-10B-Base", tags=("base",)),
        Size(name="step3-vl-10b", ms="stepfun-ai/Step3-VL-10B", hf="stepfun-ai/Step3-VL-10B", tags=("chat",)),
    ),
)

MIMO_V2_5 = ModelFamily(
    family="mimo-v2_5",
    architectures=("MiMoV2ForCausalLM",),
    template="mimo_v2",
    lora_targets=("ALL",),
    modality=("text", "image", "video", "audio"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.57", "qwen_vl_utils>=0.0.7", "decord", "torchaudio"),
    tags=("moe", "multi-modal", "vision", "video", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="mimo-v2_5", ms="XiaomiMiMo/MiMo-V2.5", hf="XiaomiMiMo/MiMo-V2.5", tags=("chat",)),
    ),
)

VALLEY = ModelFamily(
    family="valley",
    architectures=("ValleyQwen2ForCausalLM",),
    template="valley",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.42", "av"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="valley-eagle-7b", ms="bytedance-research/Valley-Eagle-7B", hf="bytedance-research/Valley-Eagle-7B", tags=("chat",)),
    ),
)

MEGREZ_OMNI = ModelFamily(
    family="megrez-omni",
    architectures=("MegrezO",),
    template="megrez_omni",
    lora_targets=("ALL",),
    modality=("text", "image", "audio"),
    language_prefixes=("llm",),
    tags=("multi-modal", "vision", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="megrez-3b-omni", ms="InfiniAI/Megrez-3B-Omni", hf="Infinigence/Megrez-3B-Omni", tags=("chat",)),
    ),
)

MIDASHENGLM = ModelFamily(
    family="midashenglm",
    architectures=("MiDashengLMModel",),
    template="midashenglm",
    lora_targets=("ALL",),
    modality=("text", "audio"),
    language_prefixes=("decoder",),
    requires=("transformers>=4.52", "soundfile"),
    tags=("multi-modal", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="midashenglm-7b", ms="midasheng/midashenglm-7b", hf="mispeech/midashenglm-7b", tags=("chat",)),
    ),
)

STEP_AUDIO2_MINI = ModelFamily(
    family="step-audio2-mini",
    architectures=("StepAudio2ForCausalLM",),
    template="step_audio2_mini",
    lora_targets=("ALL",),
    modality=("text", "audio"),
    language_prefixes=("model.layers",),
    requires=("transformers==4.53.3", "torchaudio", "librosa"),
    tags=("multi-modal", "audio"),
    trust_remote_code=True,
    sizes=(
        Size(name="step-audio-2-mini", size="8b", ms="stepfun-ai/Step-Audio-2-mini", hf="stepfun-ai/Step-Audio-2-mini", tags=("chat",)),
    ),
)

MINIMAX_VL = ModelFamily(
    family="minimax-vl",
    architectures=("MiniMaxVL01ForConditionalGeneration",),
    template="minimax_vl",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("language_model",),
    tags=("moe", "multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="minimax-vl-01", size="456b", ms="MiniMax/MiniMax-VL-01", hf="MiniMaxAI/MiniMax-VL-01", tags=("chat",)),
    ),
)

APRIEL1_5 = ModelFamily(
    family="apriel1_5",
    architectures=("LlavaForConditionalGeneration",),
    template="apriel_1_5",
    lora_targets=("ALL",),
    loader="swift.llm.model.loaders:image_text_to_text",
    modality=("text", "image"),
    language_prefixes=("model.language_model",),
    requires=("transformers>=4.48",),
    tags=("reasoning", "multi-modal", "vision"),
    chat_templates=("2aa72919cae18c1a",),
    sizes=(
        Size(name="apriel-1_5-15b-thinker", hf="ServiceNow-AI/Apriel-1.5-15b-Thinker", tags=("chat",)),
    ),
)
