"""The small chat model that comes with this package."""

from swift.llm.catalog.rows import ModelFamily, Size

DEMO = ModelFamily(
    family="demo",
    architectures=("Qwen2ForCausalLM",),
    template="chatml",
    lora_targets=("q_proj", "k_proj", "v_proj"),
    chat_templates=("2900cfbd592e703f",),
    sizes=(
        Size(name="demo-chat", path="swift.demo:model", tags=("chat",)),
    ),
)
