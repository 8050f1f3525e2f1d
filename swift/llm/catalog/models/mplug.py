"""mPLUG-Owl 2, 2.1 and 3, and DocOwl 2."""

from swift.llm.catalog.rows import ModelFamily, Size

MPLUG_OWL2 = ModelFamily(
    family="mplug-owl2",
    architectures=("MPLUGOwl2LlamaForCausalLM",),
    template="mplug-owl2",
    lora_targets=("q_proj", "k_proj.multiway.0", "k_proj.multiway.1", "v_proj.multiway.0", "v_proj.multiway.1"),
    modality=("text", "image"),
    requires=("transformers<4.35", "icecream"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="mplug-owl2-chat", ms="iic/mPLUG-Owl2", hf="MAGAer13/mplug-owl2-llama2-7b", tags=("chat",)),
        Size(name="mplug-owl2_1-chat", ms="iic/mPLUG-Owl2.1", hf="Mizukiluke/mplug_owl_2_1", lora_targets=("c_attn.multiway.0", "c_attn.multiway.1"), tags=("chat",)),
    ),
)

MPLUG_OWL3 = ModelFamily(
    family="mplug-owl3",
    architectures=("mPLUGOwl3Model",),
    template="mplug_owl3",
    lora_targets=("ALL",),
    modality=("text", "image", "video"),
    language_prefixes=("language_model",),
    requires=("transformers>=4.36", "icecream", "decord"),
    tags=("multi-modal", "vision", "video"),
    trust_remote_code=True,
    sizes=(
        Size(name="mplug-owl3-1b-chat", ms="iic/mPLUG-Owl3-1B-241014", hf="mPLUG/mPLUG-Owl3-1B-241014", tags=("chat",)),
        Size(name="mplug-owl3-2b-chat", ms="iic/mPLUG-Owl3-2B-241014", hf="mPLUG/mPLUG-Owl3-2B-241014", tags=("chat",)),
        Size(name="mplug-owl3-7b-chat", ms="iic/mPLUG-Owl3-7B-240728", hf="mPLUG/mPLUG-Owl3-7B-240728", tags=("chat",)),
        Size(name="mplug-owl3v-7b-chat", ms="iic/mPLUG-Owl3-7B-241101", hf="mPLUG/mPLUG-Owl3-7B-241101", template="mplug_owl3v", tags=("chat",)),
    ),
)

DOCOWL2 = ModelFamily(
    family="docowl2",
    architectures=("mPLUGDocOwl2",),
    template="doc_owl2",
    lora_targets=("ALL",),
    modality=("text", "image"),
    language_prefixes=("model.layers",),
    requires=("transformers>=4.36", "icecream"),
    tags=("multi-modal", "vision"),
    trust_remote_code=True,
    sizes=(
        Size(name="docowl2", ms="iic/DocOwl2", hf="mPLUG/DocOwl2", tags=("chat",)),
    ),
)
