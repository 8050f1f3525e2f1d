"""SmolLM3 (Hugging Face)."""

from swift.llm.catalog.rows import TemplateRow

SMOLLM3 = TemplateRow(
    name="smollm3",
    system="<|im_start|>system\n{content}<|im_end|>\n",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant_open="<|im_start|>assistant\n",
    assistant_close="<|im_end|>",
    between="\n",
    tools="smollm3",
    behaviours=("smollm3",),
    options={
        "instructions": {
            "think": (
                "You are a helpful AI assistant named SmolLM, trained by Hugging Face. Your role as an assistant "
                "involves thoroughly exploring questions through a systematic thinking process before providing the "
                "final precise and accurate solutions. This requires engaging in a comprehensive cycle of analysis, "
                "summarizing, exploration, reassessment, reflection, backtracking, and iteration to develop "
                "well-considered thinking process. Please structure your response into two main sections: Thought and "
                "Solution using the specified format: <think> Thought section </think> Solution section. In the Thought "
                "section, detail your reasoning process in steps. Each step should include detailed considerations such "
                "as analysing questions, summarizing relevant findings, brainstorming new ideas, verifying the accuracy "
                "of the current steps, refining any errors, and revisiting previous steps. In the Solution section, "
                "based on various attempts, explorations, and reflections from the Thought section, systematically "
                "present the final solution that you deem correct. The Solution section should be logical, accurate, "
                "and concise and detail necessary steps needed to reach the conclusion."
            ),
            "no_think": ("You are a helpful AI assistant named SmolLM, trained by Hugging Face."),
        },
    },
    note=(
        "As Unsloth distributes it, which writes neither tools nor calls nor the reasoning field: here they stand as the model "
        "writes them. Without thinking, each answer begins behind an empty block that the prompt holds."
    ),
)
