"""GLM 4 and later: the marker of the next turn ends an answer."""

from swift.llm.catalog.rows import TemplateRow

GLM4_5 = TemplateRow(
    name="glm4_5",
    prefix="[gMASK]<sop>",
    system="<|system|>\n{content}",
    user="<|user|>\n{content}",
    tool="<|observation|>{content}",
    assistant_open="<|assistant|>",
    assistant_close="<|user|>",
    stop=("<|user|>", "<|observation|>", "<|endoftext|>"),
    strip=("assistant",),
    tools="glm4_5",
    behaviours=("nothink_suffix", "think", "close_with_next"),
    options={
        "think_begin": "\n<think>",
        "think_end": "</think>",
        "think_off": "\n<think></think>",
        "think_history": "\n<think></think>",
        "think_keep": "after",
        "think_strip": "all",
        "think_glue": "\n",
        "think_question": "user",
        "answer_strip": "none",
        "empty_system": "block",
        "markers": {"user": "<|user|>", "tool": "<|observation|>", "system": "<|system|>"},
        "unmarked": {"user": "\n{content}", "tool": "{content}", "system": "\n{content}"},
    },
    aliases=("glm4_6", "glm4_5v"),
    note=(
        "GLM 4.5 and 4.6. The marker of the next turn is what ends an answer, so it is trained; behind the last answer stands "
        "the one that would come, which the official text of a whole conversation leaves out. With --enable_thinking false the "
        "last answer has no reasoning."
    ),
)

GLM4_7 = TemplateRow(
    name="glm4_7",
    prefix="[gMASK]<sop>",
    system="<|system|>{content}",
    user="<|user|>{content}",
    tool="<|observation|>{content}",
    assistant_open="<|assistant|>",
    assistant_close="<|user|>",
    stop=("<|user|>", "<|observation|>", "<|endoftext|>"),
    strip=("assistant",),
    tools="glm4_7",
    behaviours=("think", "close_with_next"),
    options={
        "think_begin": "<think>",
        "think_end": "</think>",
        "think_open": "<think>",
        "think_off": "</think>",
        "think_history": "</think>",
        "think_keep": "after",
        "think_strip": "all",
        "think_question": "user",
        "answer_strip": "none",
        "markers": {"user": "<|user|>", "tool": "<|observation|>", "system": "<|system|>"},
        "unmarked": {"user": "{content}", "tool": "{content}", "system": "{content}"},
    },
    aliases=("glm5_1",),
    note="GLM 4.7 and 5. The marker of the next turn is what ends an answer, so it is trained.",
)

GLM4 = TemplateRow(
    name="glm4",
    prefix="[gMASK]<sop>",
    system="<|system|>\n{content}",
    user="<|user|>\n{content}",
    tool="<|observation|>\n{content}",
    assistant_open="<|assistant|>",
    assistant="\n{content}",
    assistant_close="<|user|>",
    stop=("<|user|>", "<|observation|>", "<|endoftext|>"),
    behaviours=("close_with_next",),
    options={
        "markers": {"user": "<|user|>", "tool": "<|observation|>", "system": "<|system|>"},
        "unmarked": {"user": "\n{content}", "tool": "\n{content}", "system": "\n{content}"},
    },
    aliases=("glm4v", "glm_ocr"),
    note="The marker of the next turn is what ends an answer, so it is trained. Tools are told as ReAct has it.",
)

CHATGLM4 = TemplateRow(
    name="chatglm4",
    prefix="{auto_bos}",
    system="<|system|>\n{content}",
    user="<|user|>\n{content}",
    tool="<|observation|>\n{content}",
    assistant_open="<|assistant|>",
    assistant="\n{content}",
    assistant_close="<|user|>",
    stop=("<|user|>", "<|observation|>", "<|endoftext|>"),
    behaviours=("close_with_next",),
    options={
        "markers": {"user": "<|user|>", "tool": "<|observation|>", "system": "<|system|>"},
        "unmarked": {"user": "\n{content}", "tool": "\n{content}", "system": "\n{content}"},
    },
    aliases=("chatglm4v", "chatglm3"),
    note="The marker of the next turn is what ends an answer, so it is trained. Tools are told as ReAct has it.",
)
