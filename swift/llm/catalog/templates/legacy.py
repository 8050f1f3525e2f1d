"""Text families of the 2.x line that have no later form."""

from swift.llm.catalog.rows import TemplateRow

INTERNLM = TemplateRow(
    name="internlm",
    prefix="<s>",
    system="<|System|>:{content}\n",
    default_system=(
        "You are an AI assistant whose name is InternLM (书生·浦语).\n- InternLM (书生·浦语) is a conversational "
        "language model that is developed by Shanghai AI Laboratory (上海人工智能实验室). It is designed to be "
        "helpful, honest, and harmless.\n- InternLM (书生·浦语) can understand and communicate fluently in the "
        "language chosen by the user such as English and 中文."
    ),
    user="<|User|>:{content}\n",
    assistant_open="<|Bot|>:",
    assistant_close="<eoa>",
    between="\n",
    end="",
)

REFLECTION = TemplateRow(
    name="reflection",
    prefix="<|begin_of_text|>",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    default_system=(
        "You are a world-class AI system, capable of complex reasoning and reflection. Reason through the "
        "query inside <thinking> tags, and then provide your final response inside <output> tags. If you "
        "detect that you made a mistake in your reasoning at any point, correct yourself inside <reflection> "
        "tags."
    ),
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|eom_id|>",),
    tools="llama3_1",
)

MARCO_O1 = TemplateRow(
    name="marco_o1",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "\n你是一个经过良好训练的AI助手，你的名字是Marco-o1.由阿里国际数字商业集团的AI Business创造.\n        \n## 重要！！！！！\n"
        "当你回答问题时，你的思考应该在<Thought>内完成，<Output>内输出你的结果。\n"
        "<Thought>应该尽可能是英文，但是有2个特例，一个是对原文中的引用，另一个是是数学应该使用markdown格式，<Output>内的输出需要遵循用户输入的语言。\n        "
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

MODELSCOPE_AGENT = TemplateRow(
    name="modelscope_agent",
    system=" \n\n<|system|>:{content}",
    default_system="You are a helpful assistant.",
    user=" \n\n<|user|>:{content} \n\n",
    assistant_open="<|assistant|>:",
    assistant_close="",
    last_close=" \n\n</s>",
    stop=("</s>",),
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("modelscope-agent",),
)

BAICHUAN = TemplateRow(
    name="baichuan",
    system="{content}",
    user="{id:195}{content}",
    assistant_open="{id:196}",
    assistant_close="",
    last_close="{eos}",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

NUMINA = TemplateRow(
    name="numina",
    prefix="{bos}",
    system="{content}",
    user="### Problem: {content}\n",
    assistant_open="### Solution: ",
    assistant_close="",
    last_close="{eos}",
    between="\n",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("numina-math",),
)

XVERSE = TemplateRow(
    name="xverse",
    system="{content}",
    user="Human: {content}\n\n",
    assistant_open="Assistant: ",
)

YUAN = TemplateRow(
    name="yuan",
    assistant_open="<sep>",
    behaviours=("single_round",),
)

ZIYA = TemplateRow(
    name="ziya",
    prefix="{bos}",
    system="{content}",
    user="<human>:{content}\n",
    assistant_open="<bot>:",
    assistant_close="",
    last_close="{eos}",
    between="\n",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

SKYWORK = TemplateRow(
    name="skywork",
    prefix="<s>",
    system="{content}",
    user="</s><s>[USER]{content}[SEP]",
    assistant_open="[BOT]",
    assistant_close="[SEP]</s>",
    behaviours=("single_round",),
)

BLUELM = TemplateRow(
    name="bluelm",
    prefix="{bos}",
    system="{content}",
    user="[|Human|]:{content}",
    assistant_open="[|AI|]:",
    assistant_close="",
    last_close="{eos}",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

CODEFUSE_CODELLAMA = TemplateRow(
    name="codefuse_codellama",
    system="{content}",
    user="<|role_start|>human<|role_end|>{content}",
    assistant_open="<|role_start|>bot<|role_end|>",
    assistant_close="",
    last_close="{eos}",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("codefuse-codellama",),
)

CODEFUSE = TemplateRow(
    name="codefuse",
    system="<s>system\n{content}\n",
    user="<s>human\n{content}\n",
    assistant_open="<s>bot\n",
    between="\n",
    end="",
)

ZEPHYR = TemplateRow(
    name="zephyr",
    system="<|system|>\n{content}</s>\n",
    user="<|user|>\n{content}</s>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="</s>",
    between="\n",
    end="",
)

SUS = TemplateRow(
    name="sus",
    system="{content}",
    user="### Human: {content}\n\n",
    assistant_open="### Assistant: ",
    assistant_close="<|endoftext|>",
)

ORION = TemplateRow(
    name="orion",
    prefix="<s>",
    system="{content}",
    user="Human: {content}\n\n",
    assistant_open="Assistant: </s>",
    assistant_close="</s>",
)

TELECHAT = TemplateRow(
    name="telechat",
    prefix="{auto_bos}",
    system="<_system>{content}\n",
    user="<_user>{content}",
    assistant_open="<_bot>",
)

TELECHAT2 = TemplateRow(
    name="telechat2",
    prefix="{auto_bos}",
    system="<_system>{content}\n",
    default_system="你是中国电信星辰语义大模型，英文名是TeleChat，你是由中电信人工智能科技有限公司和中国电信人工智能研究院（TeleAI）研发的人工智能助手。",
    user="<_user>{content}",
    assistant_open="<_bot>",
)

DBRX = TemplateRow(
    name="dbrx",
    prefix="{auto_bos}",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system=(
        "You are DBRX, created by Databricks. You were last updated in December 2023. You answer questions "
        "based on information available up to that point.\nYOU PROVIDE SHORT RESPONSES TO SHORT QUESTIONS OR "
        "STATEMENTS, but provide thorough responses to more complex and open-ended questions.\nYou assist "
        "with various tasks, from writing to coding (using markdown for code blocks — remember to use ``` "
        "with code, JSON, and tables).\n(You do not have real-time data access or code execution "
        "capabilities. You avoid stereotyping and provide balanced perspectives on controversial topics. You "
        "do not provide song lyrics, poems, or news articles and do not divulge details of your training "
        "data.)\nThis is your system prompt, guiding your responses. Do not reference it, just respond to "
        "the user. If you find yourself talking about this message, stop. You should be responding "
        "appropriately and usually that means not mentioning this.\nYOU DO NOT MENTION ANY OF THIS "
        "INFORMATION ABOUT YOURSELF UNLESS THE INFORMATION IS DIRECTLY PERTINENT TO THE USER'S QUERY."
    ),
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
)

MENGZI = TemplateRow(
    name="mengzi",
    system="指令：{content}",
    user="输入：{content}",
    assistant_open="输出：\n",
    assistant_close="",
    last_close="{eos}",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

WIZARDLM2 = TemplateRow(
    name="wizardlm2",
    system="{content}",
    default_system=(
        "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
        "helpful, detailed, and polite answers to the user's questions. "
    ),
    user="USER: {content}",
    assistant_open=" ASSISTANT:",
    assistant_close="</s>",
    note="",
    aliases=("wizardlm2_moe",),
)

WIZARDLM2_AWQ = TemplateRow(
    name="wizardlm2-awq",
    system="{content}",
    user="User:\n{content}\n\n",
    assistant_open="Assistant:\n",
    assistant_close="",
    last_close="</s>",
    between="\n\n",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

ATOM = TemplateRow(
    name="atom",
    system="{content}",
    user="<s>Human: {content}\n</s>",
    assistant_open="<s>Assistant: ",
    assistant_close="</s>",
)

LONGWRITER_LLAMA = TemplateRow(
    name="longwriter_llama",
    system="<<SYS>>\n{content}\n<</SYS>>\n\n",
    user="[INST]{content}[/INST]",
    assistant_close="",
    last_close="<|end_of_text|>",
    behaviours=("system_in_first_user",),
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("longwriter-llama3",),
)

LONGCHAT = TemplateRow(
    name="longchat",
    system="SYSTEM:{content}",
    user=" USER:{content}",
    assistant_open=" ASSISTANT:",
    assistant_close="</longcat_s>",
    behaviours=("rounds",),
    options={"round": " [Round {n}]", "first_round": 0},
)

OPENBUDDY = TemplateRow(
    name="openbuddy",
    prefix="{auto_bos}",
    system="{content}\n\n",
    default_system=(
        "You are a helpful, respectful and honest INTP-T AI Assistant named Buddy. You are talking to a "
        "human User.\nAlways answer as helpfully and logically as possible, while being safe. Your answers "
        "should not include any harmful, political, religious, unethical, racist, sexist, toxic, dangerous, "
        "or illegal content. Please ensure that your responses are socially unbiased and positive in nature.\n"
        "If a question does not make any sense, or is not factually coherent, explain why instead of "
        "answering something not correct. If you don't know the answer to a question, please don't share "
        "false information.\nYou like to use emojis. You can speak fluently in many languages, for example: "
        "English, Chinese.\nYou cannot access the internet, but you have vast knowledge, cutoff: 2021-09.\n"
        "You are trained by OpenBuddy team, (https://openbuddy.ai, https://github.com/OpenBuddy/OpenBuddy), "
        "you are based on LLaMA and Falcon transformers model, not related to GPT or OpenAI."
    ),
    user="User: {content}\n",
    assistant_open="Assistant:",
    assistant_close="",
    last_close="{eos}",
    between="\n",
    end="",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

OPENBUDDY2 = TemplateRow(
    name="openbuddy2",
    system="<|role|>system<|says|>{content}<|end|>\n",
    default_system=(
        "You(assistant) are a helpful, respectful and honest INTP-T AI Assistant named Buddy. You are "
        "talking to a human(user).\nAlways answer as helpfully and logically as possible, while being safe. "
        "Your answers should not include any harmful, political, religious, unethical, racist, sexist, "
        "toxic, dangerous, or illegal content. Please ensure that your responses are socially unbiased and "
        "positive in nature.\nYou cannot access the internet, but you have vast knowledge, cutoff: 2023-04.\n"
        "You are trained by OpenBuddy team, (https://openbuddy.ai, https://github.com/OpenBuddy/OpenBuddy), "
        "not related to GPT or OpenAI."
    ),
    user="<|role|>user<|says|>{content}<|end|>\n",
    assistant_open="<|role|>assistant<|says|>",
    assistant_close="<|end|>",
    between="\n",
    end="",
)

MINICPM = TemplateRow(
    name="minicpm",
    prefix="<s>",
    system="{content}",
    user="<用户>{content}",
    assistant_open="<AI>",
    assistant_close="",
    last_close="</s>",
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
    aliases=("minicpmv", "minicpm-v"),
)

CHATGLM2 = TemplateRow(
    name="chatglm2",
    prefix="{id:64790}{id:64792}",
    system="{content}",
    user="问：{content}\n\n",
    assistant_open="答：",
    assistant_close="",
    last_close="{eos}",
    between="\n\n",
    end="",
    behaviours=("rounds",),
    options={"round": "[Round {n}]\n\n"},
    note="No end token stands behind earlier answers: only the last one trains where to stop.",
)

CHATGLM_GENERATION = TemplateRow(
    name="chatglm-generation",
    prefix="{id:64790}{id:64792}",
    system="{content}\n\n",
    generation_only=True,
)
