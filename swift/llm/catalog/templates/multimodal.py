"""Multimodal families with formats of their own: the text part, without the places of media."""

from swift.llm.catalog.rows import TemplateRow

EMU3_CHAT = TemplateRow(
    name="emu3_chat",
    prefix="{bos}",
    system="{content}",
    default_system="You are a helpful assistant.",
    user=" User: {content}.",
    assistant_open=" Assistant:",
    aliases=("emu3-chat",),
)

ERNIE_VL = TemplateRow(
    name="ernie_vl",
    prefix="<|begin_of_sentence|>",
    system="{content}\n",
    user="User: {content}\n",
    assistant_open="Assistant: ",
    assistant_close="<|end_of_sentence|>",
    last_close="</s>",
    behaviours=("think",),
    options={"think_open": "<think>"},
)

ERNIE_VL_THINKING = TemplateRow(
    name="ernie_vl_thinking",
    prefix="<|begin_of_sentence|>",
    system="{content}\n",
    default_system=(
        "You are a multimodal AI assistant called ERNIE developed by Baidu based on the PaddlePaddle framework."
    ),
    user="User: {content}\n",
    assistant_open="Assistant: ",
    assistant_close="<|end_of_sentence|>",
    last_close="</s>",
    behaviours=("think",),
    options={"think_begin": "\n<think>\n", "think_open": "\n<think>\n"},
)

PADDLE_OCR_1_5 = TemplateRow(
    name="paddle_ocr_1_5",
    prefix="<|begin_of_sentence|>",
    system="{content}\n",
    user="User: {content}\n",
    assistant_open="Assistant:\n",
    assistant_close="<|end_of_sentence|>",
    last_close="</s>",
)

DOTS_OCR = TemplateRow(
    name="dots_ocr",
    system="<|system|>{content}<|endofsystem|>\n",
    user="<|user|>{content}<|endofuser|>",
    assistant_open="<|assistant|>",
    assistant_close="<|endofassistant|>",
)

PALIGEMMA = TemplateRow(
    name="paligemma",
    user="{content}\n",
    assistant_close="<eos>",
    behaviours=("single_round",),
)

COGAGENT_CHAT = TemplateRow(
    name="cogagent_chat",
    prefix="<s>",
    user=" [INST] {content} [/INST] ",
    assistant_close="",
    last_close="</s>",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("cogagent-chat",),
)

COGAGENT_VQA = TemplateRow(
    name="cogagent_vqa",
    prefix="<s>",
    user="<EOI>Question: {content}",
    assistant_open=" Answer:",
    assistant_close="</s>",
    behaviours=("single_round",),
    aliases=("cogagent-instruct",),
)

COGVLM = TemplateRow(
    name="cogvlm",
    prefix="{bos}",
    user="Question: {content}",
    assistant_open=" Answer:",
    assistant_close="",
    last_close="{eos}",
    between="\n",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("cogvlm2", "cogvlm2_video", "cogvlm2-video"),
)

IXCOMPOSER2 = TemplateRow(
    name="ixcomposer2",
    prefix="<s>",
    system="[UNUSED_TOKEN_146]system\n{content}[UNUSED_TOKEN_145]\n",
    default_system=(
        "You are an AI assistant whose name is InternLM-XComposer (浦语·灵笔).\n- InternLM-XComposer (浦语·灵笔) is "
        "a conversational language model that is developed by Shanghai AI Laboratory (上海人工智能实验室). It is "
        "designed to be helpful, honest, and harmless.\n- InternLM-XComposer (浦语·灵笔) can understand and "
        "communicate fluently in the language chosen by the user such as English and 中文."
    ),
    user="[UNUSED_TOKEN_146]user\n{content}[UNUSED_TOKEN_145]\n",
    assistant_open="[UNUSED_TOKEN_146]assistant\n",
    assistant_close="[UNUSED_TOKEN_145]",
    between="\n",
    end="",
    stop=("<|im_end|>",),
    aliases=("internlm-xcomposer2",),
)

XCOMPOSER2_5 = TemplateRow(
    name="xcomposer2_5",
    prefix="<s>",
    system="[UNUSED_TOKEN_146]system\n{content}[UNUSED_TOKEN_145]\n",
    default_system=(
        "You are an AI assistant whose name is InternLM-XComposer (浦语·灵笔).\n- InternLM-XComposer (浦语·灵笔) is "
        "a multi-modality conversational language model that is developed by Shanghai AI Laboratory "
        "(上海人工智能实验室). It is designed to be helpful, honest, and harmless.\n- InternLM-XComposer (浦语·灵笔) can "
        "understand and communicate fluently in the language chosen by the user such as English and 中文.\n- "
        "InternLM-XComposer (浦语·灵笔) is capable of comprehending and articulating responses effectively based "
        "on the provided image."
    ),
    user="[UNUSED_TOKEN_146]user\n{content}[UNUSED_TOKEN_145]\n",
    assistant_open="[UNUSED_TOKEN_146]assistant\n",
    assistant_close="[UNUSED_TOKEN_145]",
    between="\n",
    end="",
    stop=("<|im_end|>",),
    aliases=("internlm-xcomposer2_5", "xcomposer2_4khd", "internlm-xcomposer2-4khd"),
)

OVIS1_6 = TemplateRow(
    name="ovis1_6",
    prefix="<bos>",
    system="<start_of_turn>system\n{content}<end_of_turn>\n",
    user="<start_of_turn>user\n{content}<end_of_turn>\n",
    assistant_open="<start_of_turn>model\n",
    assistant_close="<end_of_turn>",
    between="\n",
    end="",
)

OVIS1_6_LLAMA3 = TemplateRow(
    name="ovis1_6_llama3",
    prefix="<|begin_of_text|>",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    default_system="You are a helpful and honest multimodal assistant.",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
)

FLORENCE = TemplateRow(
    name="florence",
    prefix="<s>",
    user="{content}</s>",
    assistant_close="</s>",
    behaviours=("single_round",),
)

INTERNVL_PHI3 = TemplateRow(
    name="internvl_phi3",
    prefix="{auto_bos}",
    system="<|system|>\n{content}<|end|>\n",
    default_system="You are an AI assistant whose name is Phi-3.",
    user="<|user|>\n{content}<|end|>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="<|end|>",
    between="\n",
    end="",
    aliases=("internvl-phi3",),
)

INTERNVL2_PHI3 = TemplateRow(
    name="internvl2_phi3",
    prefix="{auto_bos}",
    system="<|system|>\n{content}<|end|>\n",
    default_system="你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。",
    user="<|user|>\n{content}<|end|>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="<|end|>",
    between="\n",
    end="",
    aliases=("internvl2-phi3",),
)

LLAVA1_5_HF = TemplateRow(
    name="llava1_5_hf",
    prefix="<s>",
    system="{content}\n",
    user="USER: {content}\n",
    assistant_open="ASSISTANT:",
    assistant_close="</s>",
    aliases=("llava1_5",),
)

LLAVA_NEXT_VIDEO_HF = TemplateRow(
    name="llava_next_video_hf",
    prefix="{auto_bos}",
    system="{content} ",
    system_always=True,
    user="USER: {content}",
    assistant_open=" ASSISTANT:",
    assistant_close="",
    last_close="{eos}",
    between=" ",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

LLAVA1_6_VICUNA_HF = TemplateRow(
    name="llava1_6_vicuna_hf",
    prefix="<s>",
    system="{content} ",
    default_system=(
        "A chat between a curious human and an artificial intelligence assistant. The assistant gives "
        "helpful, detailed, and polite answers to the human's questions."
    ),
    user="USER: {content}",
    assistant_open=" ASSISTANT:",
    assistant_close="</s>",
    aliases=("llava-vicuna",),
)

LLAMA3_LLAVA_NEXT_HF = TemplateRow(
    name="llama3_llava_next_hf",
    prefix="<|begin_of_text|>",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    aliases=("llava-next-llama3", "llama-llava-next-hf", "llava_llama3_hf", "llava-llama-instruct"),
)

LLAVA_LLAMA3_1_HF = TemplateRow(
    name="llava_llama3_1_hf",
    prefix="<|begin_of_text|>",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    default_system=(
        "You are a helpful language and vision assistant. You are able to understand the visual content that "
        "the user provides, and assist the user with a variety of tasks using natural language."
    ),
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    aliases=("llama3_llava_next", "llama3-llava-next"),
)

MINICPMV2_5 = TemplateRow(
    name="minicpmv2_5",
    prefix="<|begin_of_text|>",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|eom_id|>",),
    tools="llama3_1",
    aliases=("minicpm-v-v2_5",),
)

MPLUG_OWL2 = TemplateRow(
    name="mplug_owl2",
    system="{content}",
    user="USER: {content}",
    assistant_open="ASSISTANT:",
    assistant_close="</s>",
    last_close="{eos}",
    stop=("<|endoftext|>",),
    aliases=("mplug-owl2",),
)

DOC_OWL2 = TemplateRow(
    name="doc_owl2",
    prefix="<s>",
    user=" USER: {content}",
    assistant_open=" ASSISTANT:",
    assistant_close="</s>",
)

LLAVA_NEXT_VIDEO = TemplateRow(
    name="llava-next-video",
    prefix="<s>",
    system="{content} ",
    system_always=True,
    user="USER: {content}",
    assistant_open=" ASSISTANT:",
    assistant_close="",
    last_close="</s>",
    between=" ",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

LLAVA_NEXT_VIDEO_YI = TemplateRow(
    name="llava-next-video-yi",
    system="{content} ",
    system_always=True,
    user="USER: {content}",
    assistant_open=" ASSISTANT:",
    assistant_close="",
    last_close="<|im_end|>",
    between=" ",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

DEEPSEEK_VL = TemplateRow(
    name="deepseek_vl",
    prefix="{bos}",
    system="{content}\n\n",
    default_system=(
        "You are a helpful language and vision assistant. You are able to understand the visual content that "
        "the user provides, and assist the user with a variety of tasks using natural language."
    ),
    user="User: {content}\n\n",
    assistant_open="Assistant:",
    assistant=" {content}",
    aliases=("deepseek-vl", "deepseek_janus", "deepseek-janus"),
)

DEEPSEEK_VL2 = TemplateRow(
    name="deepseek_vl2",
    prefix="<｜begin▁of▁sentence｜>",
    system="{content}",
    user="<|User|>: {content}\n\n",
    assistant_open="<|Assistant|>:",
    assistant=" {content}",
    assistant_close="<｜end▁of▁sentence｜>",
)

DEEPSEEK_JANUS_PRO = TemplateRow(
    name="deepseek_janus_pro",
    prefix="{bos}",
    system="{content}\n\n",
    default_system=(
        "You are a helpful language and vision assistant. You are able to understand the visual content that "
        "the user provides, and assist the user with a variety of tasks using natural language."
    ),
    user="<|User|>: {content}\n\n",
    assistant_open="<|Assistant|>:",
    assistant=" {content}",
)

GLM_EDGE_V = TemplateRow(
    name="glm_edge_v",
    prefix="{auto_bos}",
    system="<|system|>\\n{content}\\n",
    user="<|user|>\\n{content}\\n",
    assistant_open="<|assistant|>\\n",
    assistant_close="",
    last_close="<|endoftext|>",
    between="\\n",
    end="",
    stop=("<|user|>", "<|observation|>"),
    note="The model's own tool format is not known here: tools are described as ReAct has it.",
    aliases=("glm-edge-v",),
)

LLAMA3_2_VISION = TemplateRow(
    name="llama3_2_vision",
    prefix="<|begin_of_text|>",
    system=(
        "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: "
        "{date}\n\n{content}<|eot_id|>"
    ),
    system_always=True,
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|eom_id|>",),
    tools="llama3_1",
    aliases=("llama3_2-vision",),
)

LLAMA3_1_OMNI = TemplateRow(
    name="llama3_1_omni",
    prefix="<|begin_of_text|>",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    default_system=(
        "You are a helpful language and speech assistant. You are able to understand the speech content that "
        "the user provides, and assist the user with a variety of tasks using natural language."
    ),
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|eom_id|>",),
    tools="llama3_1",
    aliases=("llama3_1-omni",),
)

PHI3_VISION = TemplateRow(
    name="phi3_vision",
    prefix="{auto_bos}",
    system="<|system|>\n{content}<|end|>\n",
    user="<|user|>\n{content}<|end|>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="<|end|>",
    between="\n",
    end="",
    aliases=("phi3-vl",),
)

STEP_AUDIO2_MINI = TemplateRow(
    name="step_audio2_mini",
    system="<|BOT|>system\n{content}<|EOT|>",
    user="<|BOT|>human\n{content}<|EOT|>",
    assistant_open="<|BOT|>assistant\n",
    assistant_close="<|EOT|>",
)

STEP_AUDIO = TemplateRow(
    name="step_audio",
    prefix="<s>",
    system="<|BOT|>system\n{content}<|EOT|>",
    user="<|BOT|>human\n{content}<|EOT|>",
    assistant_open="<|BOT|>assistant\n",
    assistant_close="<|EOT|>",
)

HUNYUAN_OCR = TemplateRow(
    name="hunyuan_ocr",
    prefix="<｜hy_begin▁of▁sentence｜>",
    system="{content}<｜hy_place▁holder▁no▁3｜>",
    user="{content}<｜hy_User｜>",
    assistant_close="<｜hy_Assistant｜>",
    between="<｜hy_begin▁of▁sentence｜>",
    end="",
)

LLAVA1_6_MISTRAL_HF = TemplateRow(
    name="llava1_6_mistral_hf",
    prefix="<s>",
    system="<<SYS>>\n{content}\n<</SYS>>\n\n",
    user="[INST] {content} [/INST]",
    assistant_close="</s>",
    behaviours=("system_in_first_user",),
    aliases=("llava1_6_mistral", "llava-mistral"),
)

IDEFICS3 = TemplateRow(
    name="idefics3",
    prefix="<|begin_of_text|>",
    system="System:{content}<end_of_utterance>\n",
    user="User:{content}<end_of_utterance>\n",
    assistant_open="Assistant:",
    assistant_close="<end_of_utterance>",
    between="\n",
    end="",
)

YI_VL = TemplateRow(
    name="yi_vl",
    system="{content}\n\n",
    default_system=(
        "This is a chat between an inquisitive human and an AI assistant. Assume the role of the AI "
        "assistant. Read all the images carefully, and respond to the human's questions with informative, "
        "helpful, detailed and polite answers. "
        "这是一个好奇的人类和一个人工智能助手之间的对话。假设你扮演这个AI助手的角色。仔细阅读所有的图像，并对人类的问题做出信息丰富、有帮助、详细的和礼貌的回答。"
    ),
    user="{id:8308} Human: {content}\n",
    assistant_open="{id:8308} Assistant:",
    assistant_close="",
    last_close="\n{id:8308}",
    between="\n",
    end="",
    note="2.x left out the blanks after ###; this is the text that the model was trained on.",
    aliases=("yi-vl",),
)

MOLMO = TemplateRow(
    name="molmo",
    user=" User: {content}",
    assistant_open=" Assistant:",
    assistant_close="<|endoftext|>",
)

PIXTRAL = TemplateRow(
    name="pixtral",
    prefix="{bos}",
    system="{content}\n\n",
    user="[INST]{content}[/INST]",
    behaviours=("system_in_last_user", "alternate"),
    note="As in the official template, a system text stands in the last question.",
)

GEMMA4 = TemplateRow(
    name="gemma4",
    own_template=True,
)

DIFFUSION_GEMMA = TemplateRow(
    name="diffusion_gemma",
    own_template=True,
)

GEMMA4_NOTHINKING = TemplateRow(
    name="gemma4_nothinking",
    prefix="<bos>",
    system="<|turn>system\n{content}<turn|>\n",
    user="<|turn>user\n{content}<turn|>\n",
    assistant_open="<|turn>model\n",
    assistant_close="<turn|>",
    between="\n",
    stop=("<eos>", "<|tool_response>"),
    note="The model's own tool format is not known here: tools are described as ReAct has it.",
)
