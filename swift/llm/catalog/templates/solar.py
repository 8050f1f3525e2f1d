"""Solar Open (Upstage)."""

from swift.llm.catalog.rows import TemplateRow

SOLAR_OPEN = TemplateRow(
    name="solar_open",
    system="<|begin|>system<|content|>{content}<|end|>",
    user="<|begin|>user<|content|>{content}<|end|>",
    tool="<|begin|>tool<|tool_response|>{content}<|end|>",
    assistant_open="<|begin|>assistant",
    assistant_close="<|end|>",
    stop=("<|calls|>",),
    tools="solar",
    behaviours=("solar",),
    options={
        "provider": (
            "## Provider System Prompt\n\nYou are Solar Open 100B, a large language model trained by Upstage AI, a Korean "
            "startup. Your knowledge cutoff is 2025-07. The current date is {iso_date}."
        ),
        "answer_schema": (
            "## Output Format Constraint\n\nYour final response should follow the JSON schema: \n[Start of schema]{content}"
            "\n[End of schema]\nPlease ensure your answers adhere to this format and do not contain any unnecessary text."
        ),
    },
    note=(
        "The date is 2024-07-26 unless one is given. Reasoning behind the last question is a thought block of its own; the "
        "official template reads it from the key reasoning only. Text beside a call is left out, as officially. A thought "
        "ends with the token that ends an answer, where generation stops. With a low "
        "reasoning effort the prompt holds an empty thought, and so does the last answer."
    ),
)
