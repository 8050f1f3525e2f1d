"""Moonshot's Kimi K2."""

from swift.llm.catalog.rows import TemplateRow

KIMI_K2 = TemplateRow(
    name="kimi_k2",
    system="<|im_system|>system<|im_middle|>{content}<|im_end|>",
    default_system="You are Kimi, an AI assistant created by Moonshot AI.",
    user="<|im_user|>user<|im_middle|>{content}<|im_end|>",
    tool="<|im_system|>tool<|im_middle|>{content}<|im_end|>",
    assistant_open="<|im_assistant|>assistant<|im_middle|>",
    assistant_close="<|im_end|>",
    tools="kimi_k2",
    behaviours=("kimi",),
    options={"default_break": True, "names": True, "empty_system": "block"},
    note="Reasoning in the data stays in the answer's text, where the official template leaves it out.",
)

KIMI_K2_FIRST = TemplateRow(
    name="kimi_k2_0711",
    system="<|im_system|>system<|im_middle|>{content}<|im_end|>",
    default_system="You are a helpful assistant",
    user="<|im_user|>user<|im_middle|>{content}<|im_end|>",
    tool="<|im_system|>tool<|im_middle|>{content}<|im_end|>",
    assistant_open="<|im_assistant|>assistant<|im_middle|>",
    assistant_close="<|im_end|>",
    tools="kimi_k2_first",
    behaviours=("kimi",),
    options={"empty_system": "block"},
    note=(
        "The first template of Kimi K2. Reasoning in the data stays in the answer's text, where the official "
        "template leaves it out."
    ),
)
