"""ByteDance Seed-OSS."""

from swift.llm.catalog.rows import TemplateRow

SEED_OSS = TemplateRow(
    name="seed_oss",
    system="<seed:bos>system\n{content}<seed:eos>",
    user="<seed:bos>user\n{content}<seed:eos>",
    tool="<seed:bos>tool\n{content}<seed:eos>",
    assistant_open="<seed:bos>assistant\n",
    assistant_close="<seed:eos>",
    strip=("assistant",),
    tools="seed_oss",
    behaviours=("seed", "think"),
    options={
        "think_begin": "<seed:think>",
        "think_end": "</seed:think>",
        "think_off": (
            "<seed:think>\n<seed:cot_budget_reflect>The current thinking budget is 0, so I will directly start answering the "
            "question.</seed:cot_budget_reflect>\n</seed:think>"
        ),
        "think_keep": "reasoned",
        "think_read": "field",
        "think_strip": "all",
        "think_glue": "\n",
        "answer_strip": "none",
        "empty_system": "block",
        "budget_steps": ((0, 0), (512, 128), (1024, 256), (2048, 512), (4096, 512), (8192, 1024), (16384, 1024)),
        "budget_text": (
            "You are an intelligent assistant with reflective ability. In the process of thinking and reasoning, you need to "
            "strictly follow the thinking budget, which is {budget}. That is, you need to complete your thinking within "
            "{budget} tokens and start answering the user's questions. You will reflect on your thinking process every "
            "{interval} tokens, stating how many tokens have been used and how many are left."
        ),
        "no_budget_text": (
            "You are an intelligent assistant that can answer questions in one step without the need for reasoning and "
            "thinking, that is, your thinking budget is 0. Next, please skip the thinking process and directly start answering "
            "the user's questions."
        ),
    },
    note="An empty answer is closed, too, where the official template writes neither its line break nor its end.",
)
