"""Text parts of formats whose families have rows of their own elsewhere: published strings, and own chat templates."""

from swift.llm.catalog.rows import TemplateRow

DEEPSEEK_V4 = TemplateRow(
    name="deepseek_v4",
    own_template=True,
)

DEEPSEEK_V4_FLASH = TemplateRow(
    name="deepseek_v4_flash",
    own_template=True,
)

GLM5_2 = TemplateRow(
    name="glm5_2",
    own_template=True,
)

GLM4_Z1_RUMINATION = TemplateRow(
    name="glm4_z1_rumination",
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
    note="The official default system text is long and not held here: give it with --system.",
)

CODEGEEX4 = TemplateRow(
    name="codegeex4",
    prefix="{auto_bos}",
    system="<|system|>\n{content}",
    default_system="你是一位智能编程助手，你叫CodeGeeX。你会为用户回答关于编程、代码、计算机方面的任何问题，并提供格式规范、可以执行、准确安全的代码，并在必要时提供详细的解释。",
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
    note=("The marker of the next turn is what ends an answer, so it is trained. Tools are told as ReAct has it."),
)

QWEN3_GUARD = TemplateRow(
    name="qwen3_guard",
    own_template=True,
)

QWEN3_VL = TemplateRow(
    name="qwen3_vl",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    stop=("<|endoftext|>",),
    tools="hermes",
)

HY_V3_PREVIEW = TemplateRow(
    name="hy_v3_preview",
    own_template=True,
)

MIMO_V2 = TemplateRow(
    name="mimo_v2",
    system="<|im_start|>system\n{content}<|im_end|>",
    default_system="You are MiMo, a helpful AI assistant engineered by Xiaomi.",
    user="<|im_start|>user\n{content}<|im_end|>",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    stop=("<|endoftext|>",),
)

MINIMAX_M3_VL = TemplateRow(
    name="minimax_m3_vl",
    own_template=True,
)

KIMI_K25 = TemplateRow(
    name="kimi_k25",
    own_template=True,
)

KIMI_K3 = TemplateRow(
    name="kimi_k3",
    own_template=True,
)
