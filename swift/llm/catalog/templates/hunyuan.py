"""Tencent Hunyuan."""

from swift.llm.catalog.rows import TemplateRow

HY_V3 = TemplateRow(
    name="hy_v3",
    prefix="<｜hy_begin_of_sentence:opensource｜>",
    system="{content}",
    system_always=True,
    user="<｜hy_User:opensource｜>{content}",
    tool="{content}",
    assistant_open="<｜hy_Assistant:opensource｜>",
    assistant_close="<｜hy_eos:opensource｜>",
    tools="hy_v3",
    behaviours=("gather_system", "hunyuan", "think"),
    options={
        "system_join": "",
        "think_begin": "<think:opensource>",
        "think_end": "</think:opensource>",
        "think_open": "<think:opensource>",
        "think_off": "<think:opensource></think:opensource>",
        "think_history": "<think:opensource></think:opensource>",
        "think_default": False,
        "think_read": "field",
        "think_strip": "none",
        "think_question": "user",
        "answer_strip": "none",
        "upstream_loses": "close",
    },
    note=(
        "The last answer is closed, as the official template does only for training. Without an effort of reasoning the prompt "
        "closes an empty thought, so the last answer has no reasoning: give --enable_thinking true to train it."
    ),
)

HUNYUAN = TemplateRow(
    name="hunyuan",
    prefix="<｜hy_begin▁of▁sentence｜>",
    system="{content}<｜hy_place▁holder▁no▁3｜>",
    user="<｜hy_User｜>{content}",
    assistant_open="<｜hy_Assistant｜>",
    assistant_close="<｜hy_place▁holder▁no▁2｜>",
    behaviours=("think",),
    options={"think_off": "<think>\n\n</think>\n", "think_end": "\n</think>\n"},
    note="The model's own tool format is not known here: tools are described as ReAct has it.",
)
