"""Apriel 1.5 (ServiceNow)."""

from swift.llm.catalog.rows import TemplateRow

APRIEL_1_5 = TemplateRow(
    name="apriel_1_5",
    prefix="{bos}",
    system="<|system|>\n{content}\n<|end|>\n",
    user="<|user|>\n{content}\n<|end|>\n",
    tool="<|tool_result|>\n{content}\n<|end|>\n",
    assistant_open="<|assistant|>\n",
    assistant_close="\n<|end|>\n{eos}",
    stop=("<|end|>",),
    tools="apriel",
    behaviours=("apriel",),
    options={
        "preamble": (
            "You are a thoughtful and systematic AI assistant built by ServiceNow Language Models (SLAM) lab. "
            "Before providing an answer, analyze the problem carefully and present your reasoning step by step. "
            "After explaining your thought process, provide the final solution in the following format: [BEGIN "
            "FINAL RESPONSE] ... [END FINAL RESPONSE]."
        )
    },
    note="As Unsloth distributes it. The reasoning field, which the official template leaves out, is kept as text.",
)
