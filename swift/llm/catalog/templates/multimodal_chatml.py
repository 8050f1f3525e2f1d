"""Multimodal families that write ChatML: the text part, without the places of media."""

from swift.llm.catalog.rows import TemplateRow

OVIS_OCR2 = TemplateRow(
    name="ovis_ocr2",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="qwen3_5",
    behaviours=("think",),
    options={"think_open": "<think>\n", "think_off": "<think>\n\n</think>\n\n"},
)

OVIS2 = TemplateRow(
    name="ovis2",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    aliases=("midashenglm", "minicpmv2_6", "minicpm-v-v2_6"),
)

OVIS2_5 = TemplateRow(
    name="ovis2_5",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
)

INTERNVL = TemplateRow(
    name="internvl",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are an AI assistant whose name is InternLM (书生·浦语).",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

INTERNVL2 = TemplateRow(
    name="internvl2",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

INTERNVL2_5 = TemplateRow(
    name="internvl2_5",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

INTERNVL3_5 = TemplateRow(
    name="internvl3_5",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    aliases=("internvl_hf", "llava1_6_yi_hf", "llava1_6_yi", "minicpmv4", "molmo2"),
)

INTERNS1 = TemplateRow(
    name="interns1",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "You are an expert reasoner with extensive experience in all areas. You approach problems through "
        "systematic thinking and rigorous reasoning. Your response should reflect deep understanding and "
        "precise logical thinking, making your solution path and reasoning clear to others. Please put your "
        "thinking process within <think>...</think> tags."
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    behaviours=("think",),
    options={"think_open": "<think>"},
)

KEYE_VL = TemplateRow(
    name="keye_vl",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    aliases=("llava_onevision_hf", "llava-onevision-qwen"),
)

KEYE_VL_1_5 = TemplateRow(
    name="keye_vl_1_5",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    aliases=("llava_next_qwen_hf", "llama-qwen-hf", "llava_next_qwen", "llava-qwen", "llava_onevision1_5"),
)

MINICPMO = TemplateRow(
    name="minicpmo",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

MINICPMV4_5 = TemplateRow(
    name="minicpmv4_5",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
    options={"think_open": "<think>\n", "think_off": "<think>\n\n</think>\n\n"},
)

MINICPMO4_5 = TemplateRow(
    name="minicpmo4_5",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    behaviours=("think",),
)

MINICPMV4_6 = TemplateRow(
    name="minicpmv4_6",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    behaviours=("think",),
    options={"think_open": "<think>\n", "think_off": "<think>\n\n</think>\n\n"},
)

MOSS_VL = TemplateRow(
    name="moss_vl",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="hermes",
)

MPLUG_OWL3 = TemplateRow(
    name="mplug_owl3",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    system_always=True,
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    aliases=("mplug_owl3_241101", "mplug_owl3v"),
)

SAIL_VL2 = TemplateRow(
    name="sail_vl2",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>",
    default_system="你是由抖音内容理解组开发的多模态大模型，英文名叫UniVL, 是一个有用无害的人工智能助手。",
    user="<|im_start|>user\n{content}<|im_end|>",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    end="\n",
)

GOT_OCR2 = TemplateRow(
    name="got_ocr2",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="        You should follow the instructions carefully and explain your answers in detail.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    aliases=("got_ocr2_hf",),
)

VALLEY = TemplateRow(
    name="valley",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "You are Valley, a large language and vision assistant trained by ByteDance.You are able to "
        "understand the visual content or video that the user provides, and assist the user with a variety "
        "of tasks using natural language.Follow the instructions carefully and explain your answers in "
        "detail."
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

LLAVA_YI = TemplateRow(
    name="llava-yi",
    system="<|im_start|>system\n{content}<|im_end|>",
    user="<|im_start|>user\n{content}<|im_end|>",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
)

QWEN_VL = TemplateRow(
    name="qwen_vl",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    aliases=("qwen-vl", "qwen_audio", "qwen-audio"),
)

QWEN2_AUDIO = TemplateRow(
    name="qwen2_audio",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
    aliases=("qwen2-audio", "qwen2_vl", "qwen2-vl", "qwen2_5_vl", "qwen2_5_omni"),
)

QVQ = TemplateRow(
    name="qvq",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "You are a helpful and harmless assistant. You are Qwen developed by Alibaba. Answer in the language "
        "of the question. You should think step-by-step."
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

QWEN3_OMNI = TemplateRow(
    name="qwen3_omni",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

QWEN3_5_EMB = TemplateRow(
    name="qwen3_5_emb",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="Represent the user's input.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>\n",
    last_close="<|endoftext|>",
    tools="hermes",
)

QWEN3_VL_EMB = TemplateRow(
    name="qwen3_vl_emb",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="Represent the user's input.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>\n",
    last_close="<|endoftext|>",
    tools="hermes",
)

QWEN3_VL_RERANKER = TemplateRow(
    name="qwen3_vl_reranker",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
        'Note that the answer can only be "yes" or "no".'
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

QWEN3_ASR = TemplateRow(
    name="qwen3_asr",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    system_always=True,
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

QWEN3_TTS = TemplateRow(
    name="qwen3_tts",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

QWEN2_GME = TemplateRow(
    name="qwen2_gme",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>\n",
    last_close="<|endoftext|>",
    tools="hermes",
)
