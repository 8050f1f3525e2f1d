"""Functionary v3.1 (MeetKai) and Firefunction v2 (Fireworks)."""

from swift.llm.catalog.rows import TemplateRow

FUNCTIONARY_3_1 = TemplateRow(
    name="functionary_v3_1",
    prefix="{bos}",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>ipython<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    stop=("<|eom_id|>",),
    tools="functionary",
    behaviours=("functionary",),
)

FIREFUNCTION_2 = TemplateRow(
    name="firefunction_v2",
    prefix="{bos}",
    system="<|start_header_id|>system<|end_header_id|>\n\n{content}<|eot_id|>",
    user="<|start_header_id|>user<|end_header_id|>\n\n{content}<|eot_id|>",
    tool="<|start_header_id|>tool<|end_header_id|>\n\n{content}<|eot_id|>",
    assistant_open="<|start_header_id|>assistant<|end_header_id|>\n\n",
    assistant_close="<|eot_id|>",
    strip=("system", "user", "assistant"),
    tools="firefunction",
    behaviours=("firefunction",),
    note=(
        "The official template takes tools and time as its own variables (functions, datetime); here the tools are written as "
        "JSON with an indent of four, and the date stands for the time unless template_kwargs give datetime. It opens an answer "
        "behind every conversation; here only a prompt does."
    ),
)
