"""The tuning methods, one row each. Rows only."""

from __future__ import annotations

from swift.llm.catalog.rows import TunerRow

LORA = TunerRow(
    name="lora",
    title="LoRA: low-rank update of linear layers",
    tuner="swift.tuners.lora.tuner:LoraTuner",
    settings="swift.tuners.lora.config:LoraSettings",
    arguments=(
        "lora_rank", "lora_alpha", "lora_dropout", "init_lora_weights", "lora_bias_trainable", "lora_dtype", "use_dora",
        "use_rslora", "lora_lr_ratio", "relora_steps", "relora_warmup_steps", "relora_anneal_steps", "relora_prune_ratio",
    ),
    paper="https://arxiv.org/abs/2106.09685",
    combines=True,
    help="Also DoRA (--use_dora), rsLoRA (--use_rslora), LoRA+ (--lora_lr_ratio), PiSSA, OLoRA, EVA, CorDA, LoRA-GA, LoftQ "
    "(--init_lora_weights), ReLoRA (--relora_steps); goes to embeddings and to experts (--target_modules EMBEDDING EXPERTS).",
)  # fmt: skip

FULL = TunerRow(
    name="full",
    title="Full tuning: the weights themselves, all or all but the frozen ones",
    tuner="swift.tuners.full.tuner:FullTuner",
    settings="swift.tuners.full.config:FullSettings",
    arguments=("freeze_parameters", "freeze_parameters_ratio", "additional_trainable_parameters", "freeze_vit"),
    adapter=False,
    help="Freeze with --freeze_parameters, --freeze_parameters_ratio, --additional_trainable_parameters.",
)

LONGLORA = TunerRow(
    name="longlora",
    title="LongLoRA: LoRA with shifted sparse attention, for longer contexts",
    tuner="swift.tuners.longlora.tuner:LongLoraTuner",
    settings="swift.tuners.lora.config:LoraSettings",
    arguments=(
        "lora_rank", "lora_alpha", "lora_dropout", "init_lora_weights", "lora_bias_trainable", "lora_dtype", "use_dora",
        "use_rslora", "lora_lr_ratio", "relora_steps", "relora_warmup_steps", "relora_anneal_steps", "relora_prune_ratio",
    ),
    paper="https://arxiv.org/abs/2309.12307",
    help="Trains embeddings and norms, too; groups of a quarter of --max_length attend to each other while training, half of "
    "the heads across their borders. Answers in full attention; often with --rope_scaling.",
)  # fmt: skip

ADALORA = TunerRow(
    name="adalora",
    title="AdaLoRA: ranks shared out by importance while training",
    tuner="swift.tuners.adalora.tuner:AdaloraTuner",
    settings="swift.tuners.adalora.config:AdaloraSettings",
    arguments=(
        "adalora_target_r", "adalora_init_r", "adalora_tinit", "adalora_tfinal", "adalora_deltaT", "adalora_beta1",
        "adalora_beta2", "adalora_orth_reg_weight", "lora_alpha", "lora_dropout",
    ),
    paper="https://arxiv.org/abs/2303.10512",
    help="Starts with --adalora_init_r everywhere; the least important ranks are set to zero until --adalora_target_r "
    "is left on average.",
)  # fmt: skip

IA3 = TunerRow(
    name="ia3",
    title="IA3: learned scales on keys, values and the feed-forward part",
    tuner="swift.tuners.ia3.tuner:Ia3Tuner",
    settings="swift.tuners.ia3.config:Ia3Settings",
    arguments=("ia3_feedforward_modules",),
    paper="https://arxiv.org/abs/2205.05638",
    help="One number for each output of a target. As in the paper: --target_modules k_proj v_proj down_proj "
    "--ia3_feedforward_modules down_proj. Wants a high rate (3e-3).",
)

LLAMAPRO = TunerRow(
    name="llamapro",
    title="LLaMA Pro: new blocks between frozen ones",
    tuner="swift.tuners.llamapro.tuner:LlamaProTuner",
    settings="swift.tuners.llamapro.config:LlamaProSettings",
    arguments=("llamapro_num_new_blocks", "llamapro_num_groups"),
    paper="https://arxiv.org/abs/2401.02415",
    merges=False,
    adapter=False,
    help="Copies of layers that change nothing at first are trained, all else is frozen. A checkpoint is a whole, larger model "
    "that any program loads.",
)

ADAPTER = TunerRow(
    name="adapter",
    title="Bottleneck adapters after the feed-forward part",
    tuner="swift.tuners.adapter.tuner:AdapterTuner",
    settings="swift.tuners.adapter.config:AdapterSettings",
    arguments=("adapter_act", "adapter_length"),
    paper="https://arxiv.org/abs/1902.00751",
    merges=False,
    placed=False,
    help="A projection to --adapter_length values and back, added to what the feed-forward part of each layer gives. Wants a high "
    "rate (1e-3).",
)

VERA = TunerRow(
    name="vera",
    title="VeRA: shared random projections with learned scales",
    tuner="swift.tuners.vera.tuner:VeraTuner",
    settings="swift.tuners.vera.config:VeraSettings",
    arguments=("vera_rank", "vera_projection_prng_key", "vera_dropout", "vera_d_initial"),
    paper="https://arxiv.org/abs/2310.11454",
    help="The projections stay as they were drawn, for all layers; two vectors a layer learn. Wants a high rate (1e-2).",
)

BOFT = TunerRow(
    name="boft",
    title="BOFT: orthogonal update in butterfly form",
    tuner="swift.tuners.boft.tuner:BoftTuner",
    settings="swift.tuners.boft.config:BoftSettings",
    arguments=("boft_block_size", "boft_block_num", "boft_n_butterfly_factor", "boft_dropout"),
    paper="https://arxiv.org/abs/2311.06243",
    help="Weights are turned, not moved: angles between neurons stay. Blocks must divide the width of a layer's input.",
)

FOURIERFT = TunerRow(
    name="fourierft",
    title="FourierFT: learned frequencies of the update",
    tuner="swift.tuners.fourierft.tuner:FourierTuner",
    settings="swift.tuners.fourierft.config:FourierSettings",
    arguments=("fourier_n_frequency", "fourier_scaling"),
    paper="https://arxiv.org/abs/2405.03003",
    help="A few values of the update's spectrum learn, at random places. Wants a high rate (3e-2).",
)

REFT = TunerRow(
    name="reft",
    title="ReFT: interventions on hidden states",
    tuner="swift.tuners.reft.tuner:ReftTuner",
    settings="swift.tuners.reft.config:ReftSettings",
    arguments=("reft_layer_key", "reft_layers", "reft_rank", "reft_intervention_type", "reft_args"),
    paper="https://arxiv.org/abs/2404.03592",
    merges=False,
    placed=False,
    help="Edits the output of layers at the first and last five tokens of the prompt, the answer feels it through attention. "
    """--reft_args takes {"positions": "f5+l5" | "all", "tied": false, "dropout": 0, "act_fn": "linear"}. Wants a high rate (1e-3).""",
)

OFT = TunerRow(
    name="oft",
    title="OFT: orthogonal update in blocks",
    tuner="swift.tuners.oft.tuner:OftTuner",
    settings="swift.tuners.oft.config:OftSettings",
    arguments=("oft_block_size", "oft_dropout"),
    paper="https://arxiv.org/abs/2306.07280",
    help="As BOFT with one factor and larger blocks.",
)

LOHA = TunerRow(
    name="loha",
    title="LoHa: two low-rank updates multiplied entry by entry",
    tuner="swift.tuners.loha.tuner:LohaTuner",
    settings="swift.tuners.loha.config:LohaSettings",
    arguments=("loha_rank", "loha_alpha", "loha_dropout"),
    paper="https://arxiv.org/abs/2108.06098",
    help="Rank up to R squared for twice LoRA's parameters.",
)

LOKR = TunerRow(
    name="lokr",
    title="LoKr: Kronecker product of a small and a low-rank block",
    tuner="swift.tuners.lokr.tuner:LokrTuner",
    settings="swift.tuners.lokr.config:LokrSettings",
    arguments=("lokr_rank", "lokr_alpha", "lokr_dropout", "lokr_factor", "lokr_decompose_both"),
    paper="https://arxiv.org/abs/2309.14859",
    help="High rank for few parameters.",
)

MISS = TunerRow(
    name="miss",
    title="MiSS (Bone): one block shared by the shards of a weight",
    tuner="swift.tuners.miss.tuner:MissTuner",
    settings="swift.tuners.miss.config:MissSettings",
    arguments=("miss_rank", "miss_dropout", "miss_form", "miss_mini_rank"),
    paper="https://arxiv.org/abs/2409.15371",
    help="One factor instead of LoRA's two; --miss_form bat is Bone's update.",
)

HRA = TunerRow(
    name="hra",
    title="HRA: orthogonal update from reflections",
    tuner="swift.tuners.hra.tuner:HraTuner",
    settings="swift.tuners.hra.config:HraSettings",
    arguments=("hra_rank",),
    paper="https://arxiv.org/abs/2405.17484",
    help="A chain of Householder reflections on a layer's input.",
)

VBLORA = TunerRow(
    name="vblora",
    title="VB-LoRA: LoRA put together from a shared bank of vectors",
    tuner="swift.tuners.vblora.tuner:VbloraTuner",
    settings="swift.tuners.vblora.config:VbloraSettings",
    arguments=("vblora_rank", "vblora_num_vectors", "vblora_vector_length", "vblora_topk", "vblora_dropout"),
    paper="https://arxiv.org/abs/2405.15179",
    help="Very few parameters in large models. Wants a high rate (1e-2).",
)

PROMPT_TUNING = TunerRow(
    name="prompt_tuning",
    title="Prompt tuning: learned embeddings before each sample",
    tuner="swift.tuners.prompt_tuning.tuner:PromptTuner",
    settings="swift.tuners.prompt_tuning.config:PromptSettings",
    arguments=("num_virtual_tokens", "prompt_init", "prompt_init_text"),
    paper="https://arxiv.org/abs/2104.08691",
    merges=False,
    placed=False,
    padded=True,
    help="No weight changes. Batches are padded; answers come one at a time. Wants a high rate (3e-2) and large models.",
)

PREFIX_TUNING = TunerRow(
    name="prefix_tuning",
    title="Prefix tuning: learned keys and values before each sample, in every layer",
    tuner="swift.tuners.prefix_tuning.tuner:PrefixTuner",
    settings="swift.tuners.prefix_tuning.config:PrefixSettings",
    arguments=("num_virtual_tokens", "prefix_projection", "prompt_encoder_size"),
    paper="https://arxiv.org/abs/2101.00190",
    merges=False,
    placed=False,
    padded=True,
    recomputes=False,
    help="No weight changes. Batches are padded; answers come one at a time. Wants a high rate (1e-2); --prefix_projection true "
    "learns through a network, as the paper does.",
)

P_TUNING = TunerRow(
    name="p_tuning",
    title="P-tuning: embeddings before each sample, made by a small network",
    tuner="swift.tuners.p_tuning.tuner:PTuner",
    settings="swift.tuners.p_tuning.config:PTuningSettings",
    arguments=("num_virtual_tokens", "prompt_encoder_size", "p_tuning_encoder"),
    paper="https://arxiv.org/abs/2103.10385",
    merges=False,
    placed=False,
    padded=True,
    help="No weight changes; the network is left out of the result. Batches are padded; answers come one at a time. Wants a "
    "rate of 1e-3.",
)

XLORA = TunerRow(
    name="xlora",
    title="X-LoRA: a mixture of finished LoRA adapters",
    tuner=None,
    paper="https://arxiv.org/abs/2402.07148",
    merges=False,
    status="planned",
    help="peft 0.21 runs it only without the key/value cache, so that each answer costs as many passes over its whole text as it "
    "has tokens, and its checkpoints break when the folders of their adapters move. merge-lora --more_ckpt_dirs adds several "
    "adapters with fixed weights.",
)
