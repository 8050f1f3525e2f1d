"""Text families of later years, each of one maker; embedding, reward and ranking models too."""

from swift.llm.catalog.rows import TemplateRow

ERNIE = TemplateRow(
    name="ernie",
    prefix="<|begin_of_sentence|>",
    system="{content}\n",
    user="User: {content}\n",
    assistant_open="Assistant: ",
    assistant_close="<|end_of_sentence|>",
    last_close="</s>",
    aliases=("paddle_ocr",),
)

ERNIE_THINKING = TemplateRow(
    name="ernie_thinking",
    system="<|im_start|>system\n{content}<global_setting>\nthink_mode=True\n</global_setting><|im_end|>\n\n",
    system_always=True,
    user="<|im_start|>user\n{content}<|im_end|>\n\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n\n",
    end="",
    behaviours=("inner_system", "think"),
    options={"inner_system": "<system_setting>\n{content}\n</system_setting>\n\n", "think_open": "<think>\n"},
)

BAICHUAN_M1 = TemplateRow(
    name="baichuan_m1",
    system="<B_SYS>{content}",
    default_system="You are a helpful assistant.",
    user="<C_Q>{content}",
    assistant_open="<C_A>",
    assistant_close="",
    last_close="<C_A>",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

SKYWORK_O1 = TemplateRow(
    name="skywork_o1",
    prefix="<|begin_of_text|>",
    system=(
        "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: "
        "{date}\n\n{content}<|eot_id|>"
    ),
    default_system=(
        "You are Skywork-o1, a thinking model developed by Skywork AI, specializing in solving complex "
        "problems involving mathematics, coding, and logical reasoning through deep thought. When faced with "
        "a user's request, you first engage in a lengthy and in-depth thinking process to explore possible "
        "solutions to the problem. After completing your thoughts, you then provide a detailed explanation "
        "of the solution process in your response."
    ),
    system_always=True,
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|eom_id|>",),
    tools="llama3_1",
)

LING = TemplateRow(
    name="ling",
    system="<role>SYSTEM</role>{content}",
    user="<role>HUMAN</role>{content}",
    assistant_open="<role>ASSISTANT</role>",
    assistant_close="",
    last_close="<|endoftext|>",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

LING2 = TemplateRow(
    name="ling2",
    system="<role>SYSTEM</role>{content}detailed thinking off<|role_end|>",
    system_always=True,
    user="<role>HUMAN</role>{content}<|role_end|>",
    assistant_open="<role>ASSISTANT</role>",
    assistant_close="<|role_end|>",
    behaviours=("inner_system",),
    options={"inner_system": "{content}\n"},
)

RING2 = TemplateRow(
    name="ring2",
    system="<role>SYSTEM</role>{content}",
    user="<role>HUMAN</role>{content}",
    assistant_open="<role>ASSISTANT</role>",
    assistant_close="",
    last_close="<|endoftext|>",
    behaviours=("think",),
    options={"think_open": "<think>\n"},
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

RING2_5 = TemplateRow(
    name="ring2_5",
    system="<role>SYSTEM</role>\n{content}\n\n",
    user="<role>HUMAN</role>\n{content}<|role_end|>\n\n",
    assistant_open="<role>ASSISTANT</role>\n",
    assistant_close="<|role_end|>",
    between="\n\n",
    behaviours=("think",),
    options={"think_off": ""},
)

DOTS1 = TemplateRow(
    name="dots1",
    system="<|system|>{content}<|endofsystem|>",
    default_system="You are a helpful assistant.",
    system_always=True,
    user="<|userprompt|>{content}<|endofuserprompt|>",
    assistant_open="<|response|>",
    assistant_close="<|endofresponse|>",
)

IQUESTCODER = TemplateRow(
    name="iquestcoder",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are LoopCoder, a helpful assistant developed by IQuest.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

YOUTU_LLM = TemplateRow(
    name="youtu_llm",
    prefix="{bos}",
    system="{content}",
    user="<|User|>{content}",
    assistant_open="<|Assistant|>",
    assistant_close="<|end_of_text|>",
    behaviours=("think",),
    note="The model's own tool format is not known here: tools are described as ReAct has it.",
)

OLMOE = TemplateRow(
    name="olmoe",
    prefix="|||IP_ADDRESS|||",
    system="<|system|>\n{content}\n",
    user="<|user|>\n{content}\n",
    assistant_open="<|assistant|>\n",
    assistant_close="|||IP_ADDRESS|||",
    between="\n",
    end="",
    stop=("<|endoftext|>",),
)

OLMOE_0924 = TemplateRow(
    name="olmoe_0924",
    prefix="<|endoftext|>",
    system="<|system|>\n{content}\n",
    user="<|user|>\n{content}\n",
    assistant_open="<|assistant|>\n",
    assistant_close="<|endoftext|>",
    between="\n",
    end="",
)

MEGREZ = TemplateRow(
    name="megrez",
    system="<|role_start|>system<|role_end|>{content}<|turn_end|>",
    default_system="你是Megrez-3B-Instruct，将针对用户的问题给出详细的、积极的回答。",
    system_always=True,
    user="<|role_start|>user<|role_end|>{content}<|turn_end|>",
    assistant_open="<|role_start|>assistant<|role_end|>",
    assistant_close="<|turn_end|>",
    aliases=("megrez_omni",),
)

MINIMIND = TemplateRow(
    name="minimind",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are a helpful assistant",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
)

MINICPM5 = TemplateRow(
    name="minicpm5",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    behaviours=("think",),
    options={"think_open": "<think>\n", "think_off": "<think>\n\n</think>\n\n"},
    note="The model's own tool format is not known here: tools are described as ReAct has it.",
)

INTERNLM2_REWARD = TemplateRow(
    name="internlm2_reward",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    end="\n<|reward|>",
    stop=("<|reward|>",),
)

YUFENG_XGUARD = TemplateRow(
    name="yufeng_xguard",
    own_template=True,
)

QWEN3_EMB = TemplateRow(
    name="qwen3_emb",
    assistant_close="",
    last_close="<|endoftext|>",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

QWEN2_5_MATH_PRM = TemplateRow(
    name="qwen2_5_math_prm",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="Please reason step by step, and put your final answer within \\boxed{}.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

QWEN3_RERANKER = TemplateRow(
    name="qwen3_reranker",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
        'Note that the answer can only be "yes" or "no".'
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n<think>\n\n</think>\n\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
)

HUNYUAN_MOE = TemplateRow(
    name="hunyuan_moe",
    prefix="<|startoftext|>",
    system="{content}<|extra_4|>",
    user="{content}<|extra_0|>",
    assistant_close="<|eos|>",
    between="<|startoftext|>",
    end="",
)

MINIMAX = TemplateRow(
    name="minimax",
    system="<beginning_of_sentence>system ai_setting=assistant\n{content}<end_of_sentence>\n",
    user="<beginning_of_sentence>user name=user\n{content}<end_of_sentence>\n",
    assistant_open="<beginning_of_sentence>ai name=assistant\n",
    assistant_close="<end_of_sentence>",
    between="\n",
    end="",
    aliases=("minimax_vl",),
)

MINIMAX_M1 = TemplateRow(
    name="minimax_m1",
    prefix="<begin_of_document>",
    system="<beginning_of_sentence>system ai_setting=assistant\n{content}<end_of_sentence>\n",
    user="<beginning_of_sentence>user name=user\n{content}<end_of_sentence>\n",
    assistant_open="<beginning_of_sentence>ai name=assistant\n",
    assistant_close="<end_of_sentence>",
    between="\n",
    end="",
)

MOONLIGHT = TemplateRow(
    name="moonlight",
    system="<|im_system|>system<|im_middle|>{content}<|im_end|>",
    default_system="You are a helpful assistant",
    user="<|im_user|>user<|im_middle|>{content}<|im_end|>",
    assistant_open="<|im_assistant|>assistant<|im_middle|>",
    assistant_close="<|im_end|>",
    aliases=("kimi_vl",),
)

MISTRAL_2501 = TemplateRow(
    name="mistral_2501",
    prefix="<s>",
    system="[SYSTEM_PROMPT]{content}[/SYSTEM_PROMPT]",
    default_system=(
        "You are Mistral Small 3, a Large Language Model (LLM) created by Mistral AI, a French startup "
        "headquartered in Paris.\nYour knowledge base was last updated on 2023-10-01. The current date is "
        "{iso_date}.\n\nWhen you're not sure about some information, you say that you don't have the "
        "information and don't make up anything.\nIf the user's question is not clear, ambiguous, or does "
        "not provide enough context for you to accurately answer the question, you do not try to answer it "
        'right away and you rather ask the user to clarify their request (e.g. "What are some good '
        'restaurants around me?" => "Where are you?" or "When is the next flight to Tokyo" => "Where do you '
        'travel from?")'
    ),
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="</s>",
    tools="mistral_v11",
)

MISTRAL_2503 = TemplateRow(
    name="mistral_2503",
    prefix="<s>",
    system="[SYSTEM_PROMPT]{content}[/SYSTEM_PROMPT]",
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="</s>",
    tools="mistral_v11",
    note="The official default system text is long and not held here: give it with --system.",
)

MISTRAL_2512 = TemplateRow(
    name="mistral_2512",
    prefix="<s>",
    system="[SYSTEM_PROMPT]{content}[/SYSTEM_PROMPT]",
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="</s>",
    tools="mistral_v11",
)

MISTRAL_2512_THINKING = TemplateRow(
    name="mistral_2512_thinking",
    own_template=True,
)

DEVSTRAL = TemplateRow(
    name="devstral",
    prefix="<s>",
    system="[SYSTEM_PROMPT]{content}[/SYSTEM_PROMPT]",
    user="[INST]{content}[/INST]",
    tool="{content}",
    assistant_close="</s>",
    tools="mistral_v11",
    note="The official default system text is long and not held here: give it with --system.",
)

NEMOTRON_H = TemplateRow(
    name="nemotron_h",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="hermes",
    behaviours=("think",),
    options={"think_open": "<think>\n"},
)

BERT = TemplateRow(
    name="bert",
    prefix="{auto_bos}",
    user="{content}[SEP]",
    assistant_close="[SEP]",
    last_close="{eos}",
)

BGE_RERANKER = TemplateRow(
    name="bge_reranker",
    prefix="<s> ",
    user="{content}</s></s> ",
    assistant_close="",
    last_close="</s>",
)

JINA_RERANKER_M0 = TemplateRow(
    name="jina_reranker_m0",
    assistant_close="",
    last_close="{eos}",
)

MUSE_GLIMMER = TemplateRow(
    name="muse_glimmer",
    own_template=True,
)
