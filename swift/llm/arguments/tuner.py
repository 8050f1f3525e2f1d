"""What is trained: everything, or an adapter, and its sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import Json, arg

SFT_TYPES = (
    "lora", "full", "longlora", "adalora", "ia3", "llamapro", "adapter", "vera", "boft", "fourierft", "reft", "oft", "loha",
    "lokr", "miss", "hra", "vblora", "prompt_tuning", "prefix_tuning", "p_tuning", "xlora",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SftTypeArguments:
    """The tuning method, which a checkpoint keeps."""

    sft_type: str = arg(
        "lora", "Tuning method. QLoRA is lora with quantization_bit 4.", "tuner", choices=SFT_TYPES,
        starred=True, inherit=True, renamed={"bone": "miss", "prompt": "prompt_tuning", "prefix": "prefix_tuning",
        "p-tuning": "p_tuning", "x-lora": "xlora"},
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TunerArguments(SftTypeArguments):
    """Settings that several methods share, and full tuning."""

    tuner_backend: str = arg(
        "peft", "Library that implements the adapter.", "tuner", choices=("swift", "peft", "unsloth"),
        inherit=True,
    )  # fmt: skip
    target_modules: Sequence[str] = arg(
        ("DEFAULT",), "Modules that get an adapter, by name. DEFAULT (or AUTO) is the model's list, ALL "
        "every linear layer but the head; ATTENTION, MLP, EXPERTS, HEAD, EMBEDDING are those parts; words and names "
        "can be combined.",
        "tuner", starred=True, commas=True, aliases=("lora_target_modules", "boft_target_modules",
        "vera_target_modules", "ia3_target_modules"), metavar="NAME",
    )  # fmt: skip
    target_regex: str | None = arg(
        None, "Regular expression that whole module names must match; replaces target_modules.", "tuner",
        aliases=("lora_target_regex",),
    )  # fmt: skip
    layers_to_transform: Sequence[int] = arg(
        (), "Numbers (from 0) of the layers that get an adapter; left out, all.", "tuner", metavar="LAYER",
    )  # fmt: skip
    modules_to_save: Sequence[str] = arg(
        (), "Modules that are trained in full and saved beside the adapter. EMBEDDING stands for the "
        "embeddings, LN for all norms.", "tuner", metavar="NAME", aliases=("lora_modules_to_save",
        "boft_modules_to_save", "vera_modules_to_save", "ia3_modules_to_save"),
    )  # fmt: skip
    freeze_parameters: Sequence[str] = arg(
        (), "Beginnings of the names of parameters that stay as they are.", "tuner-full", metavar="PREFIX",
    )  # fmt: skip
    freeze_parameters_ratio: float = arg(
        0.0, "Share of the parameters, from the bottom of the model up, that stays as it is (0 to 1).",
        "tuner-full",
    )  # fmt: skip
    additional_trainable_parameters: Sequence[str] = arg(
        (), "Beginnings of the names of parameters to train although the two options above freeze them.",
        "tuner-full", metavar="PREFIX",
    )  # fmt: skip
    freeze_vit: bool = arg(
        False, "Leave the vision part of a multimodal model as it is: full tuning freezes it, adapters do not go there.",
        "tuner-full", starred=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LoraArguments:
    """LoRA and its variants."""

    lora_rank: int = arg(8, "Rank of the two factors.", "tuner-lora", starred=True)
    lora_alpha: int = arg(
        32, "Scale: the update is multiplied by alpha over rank.", "tuner-lora", starred=True,
    )  # fmt: skip
    lora_dropout: float = arg(
        0.05, "Dropout on the input of the adapter.", "tuner-lora", aliases=("lora_dropout_p",),
    )  # fmt: skip
    init_lora_weights: str = arg(
        "true", "How the factors start. true leaves the model unchanged at first; pissa and olora take the main part of "
        "the weights, eva that of the activations on the training set, corda that of the weights as these activations weigh "
        "them, lora_ga that of the gradients there, loftq what 4-bit weights lose.", "tuner-lora",
        choices=("true", "false", "gaussian", "orthogonal", "pissa", "pissa_niter_<N>", "olora", "loftq", "eva", "corda",
                 "lora_ga"),
        renamed={"lora-ga": "lora_ga", "guassian": "gaussian", "True": "true", "False": "false"},
    )  # fmt: skip
    lora_bias_trainable: str = arg("none", "Which biases are trained.", "tuner-lora", choices=("none", "all"))
    lora_dtype: str = arg(
        "AUTO", "Type of the factors. AUTO trains them in fp32, where small updates are not lost, and answers in the type of the weights.", "tuner-lora", choices=("fp16",
        "bf16", "fp32", "AUTO"),
    )  # fmt: skip
    use_dora: bool = arg(False, "Train the size and the direction of a weight apart (DoRA).", "tuner-lora")
    use_rslora: bool = arg(False, "Scale by alpha over the square root of the rank (rsLoRA).", "tuner-lora")
    lora_lr_ratio: float | None = arg(
        None, "Learning rate of factor B over that of A (LoRA+); 10 to 16 is usual.", "tuner-lora",
    )  # fmt: skip
    relora_steps: int | None = arg(
        None, "After every so many optimizer steps the factors go into the weights and begin anew (ReLoRA), so that the update "
        "of the run gets a higher rank than theirs.", "tuner-lora",
    )  # fmt: skip
    relora_warmup_steps: int = arg(10, "Steps in which the learning rate rises again after a restart.", "tuner-lora")
    relora_anneal_steps: int = arg(0, "Steps in which it falls before one.", "tuner-lora")
    relora_prune_ratio: float = arg(
        0.9, "Share of the optimizer's averages, the smallest ones, that a restart sets to zero.", "tuner-lora",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AdapterArguments:
    """The other adapters, one group a method."""

    fourier_n_frequency: int = arg(
        2000, "Number of learned frequencies, as a rank is elsewhere.", "tuner-fourierft",
    )  # fmt: skip
    fourier_scaling: float = arg(300.0, "Scale of the update.", "tuner-fourierft")
    boft_block_size: int = arg(4, "Size of a block; not together with boft_block_num.", "tuner-boft")
    boft_block_num: int = arg(0, "Number of blocks; not together with boft_block_size.", "tuner-boft")
    boft_n_butterfly_factor: int = arg(1, "Number of butterfly factors.", "tuner-boft")
    boft_dropout: float = arg(0.0, "Share of blocks that are left out at random.", "tuner-boft")
    vera_rank: int = arg(256, "Rank of the shared projections.", "tuner-vera")
    vera_projection_prng_key: int = arg(0, "Seed that the shared projections are made from.", "tuner-vera")
    vera_dropout: float = arg(0.0, "Dropout on the input of the adapter.", "tuner-vera")
    vera_d_initial: float = arg(0.1, "Value that the vector d starts with.", "tuner-vera")
    adalora_target_r: int = arg(8, "Average rank at the end.", "tuner-adalora")
    adalora_init_r: int = arg(12, "Rank at the start.", "tuner-adalora")
    adalora_tinit: int = arg(0, "Steps before ranks begin to fall.", "tuner-adalora")
    adalora_tfinal: int = arg(0, "Steps at the end with fixed ranks.", "tuner-adalora")
    adalora_deltaT: int = arg(1, "Steps between two changes of the ranks.", "tuner-adalora")
    adalora_beta1: float = arg(0.85, "Smoothing of the sensitivity.", "tuner-adalora")
    adalora_beta2: float = arg(0.85, "Smoothing of the uncertainty.", "tuner-adalora")
    adalora_orth_reg_weight: float = arg(
        0.5, "Weight of the penalty on factors that are not orthogonal.", "tuner-adalora",
    )  # fmt: skip
    ia3_feedforward_modules: Sequence[str] = arg(
        (), "Names of the feed-forward layers; each must be a target module too.", "tuner-ia3",
        metavar="NAME",
    )  # fmt: skip
    oft_block_size: int = arg(
        32, "Size of a block; it must divide the width of every layer's input.", "tuner-oft",
    )  # fmt: skip
    oft_dropout: float = arg(0.0, "Share of blocks that are left out at random.", "tuner-oft")
    loha_rank: int = arg(8, "Rank of each of the two products.", "tuner-loha")
    loha_alpha: int = arg(8, "Scale: the update is multiplied by alpha over rank.", "tuner-loha")
    loha_dropout: float = arg(0.0, "Share of the ranks that are left out at random.", "tuner-loha")
    lokr_rank: int = arg(8, "Rank of the large block.", "tuner-lokr")
    lokr_alpha: int = arg(8, "Scale: the update is multiplied by alpha over rank.", "tuner-lokr")
    lokr_dropout: float = arg(0.0, "Share of the ranks that are left out at random.", "tuner-lokr")
    lokr_factor: int = arg(
        -1, "Size of the small block; -1 is as near to the square root of each side as divides it.", "tuner-lokr",
    )  # fmt: skip
    lokr_decompose_both: bool = arg(False, "Give the small block a low rank, too.", "tuner-lokr")
    miss_rank: int = arg(64, "Rank of the shared block.", "tuner-miss")
    miss_dropout: float = arg(0.0, "Dropout on the input of the adapter.", "tuner-miss")
    miss_form: str = arg(
        "balance", "Kind of update: bat depends on the weight (Bone), mini repeats a smaller block.", "tuner-miss",
        choices=("balance", "bat", "mini"),
    )  # fmt: skip
    miss_mini_rank: int = arg(1, "Width of the block of miss_form mini.", "tuner-miss")
    hra_rank: int = arg(8, "Number of reflections, even.", "tuner-hra")
    vblora_rank: int = arg(4, "Rank of the factors.", "tuner-vblora")
    vblora_num_vectors: int = arg(256, "Number of vectors in the bank that all layers share.", "tuner-vblora")
    vblora_vector_length: int = arg(
        256, "Length of these vectors; it must divide the widths of every layer.", "tuner-vblora",
    )  # fmt: skip
    vblora_topk: int = arg(2, "How many vectors are mixed.", "tuner-vblora")
    vblora_dropout: float = arg(0.0, "Dropout on the input of the adapter.", "tuner-vblora")
    num_virtual_tokens: int = arg(20, "Number of learned tokens before each sample.", "tuner-prompt")
    prompt_init: str = arg(
        "vocab", "How the tokens of prompt tuning start: like tokens of the vocabulary, drawn by chance, or as random values.",
        "tuner-prompt", choices=("vocab", "random"),
    )  # fmt: skip
    prompt_init_text: str | None = arg(
        None, "Text whose tokens they start like, repeated or cut to num_virtual_tokens; left out, prompt_init says it.",
        "tuner-prompt",
    )  # fmt: skip
    prefix_projection: bool = arg(
        False, "Learn the prefix through a small network, which is left out of the result.", "tuner-prompt",
    )  # fmt: skip
    prompt_encoder_size: int | None = arg(
        None, "Width of the network that makes the tokens (p_tuning, prefix_projection); left out, the model's.",
        "tuner-prompt",
    )  # fmt: skip
    p_tuning_encoder: str = arg(
        "mlp", "Kind of that network.", "tuner-prompt", choices=("mlp", "lstm"),
    )  # fmt: skip
    llamapro_num_new_blocks: int = arg(4, "Number of layers that are inserted.", "tuner-llamapro")
    llamapro_num_groups: int | None = arg(
        None, "Groups that the new layers are spread over; left out, one for each of them.", "tuner-llamapro",
    )  # fmt: skip
    adapter_act: str = arg("gelu", "Activation inside the adapter.", "tuner-adapter")
    adapter_length: int = arg(128, "Width of the adapter.", "tuner-adapter")
    reft_layer_key: str | None = arg(None, "Path of the list of layers inside the model.", "tuner-reft")
    reft_layers: Sequence[int] | None = arg(
        None, "Numbers of the layers that get an intervention; left out, all.", "tuner-reft", metavar="LAYER",
    )  # fmt: skip
    reft_rank: int = arg(4, "Rank of an intervention.", "tuner-reft")
    reft_intervention_type: str = arg(
        "LoreftIntervention", "Kind of intervention.", "tuner-reft", choices=("NoreftIntervention",
        "LoreftIntervention", "ConsreftIntervention", "LobireftIntervention", "DireftIntervention",
        "NodireftIntervention"),
    )  # fmt: skip
    reft_args: Json = arg(
        None, "Further settings as JSON: positions (f5+l5: the first and last five tokens of the prompt; all), tied, dropout, act_fn.",
        "tuner-reft",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LowRankTrainingArguments:
    """Full tuning in less memory: GaLore and LISA."""

    use_galore: bool = arg(
        False, "Keep the optimizer's state for low-rank projections of the gradients.", "tuner-galore",
    )  # fmt: skip
    galore_target_modules: Sequence[str] | None = arg(
        None, "Modules whose gradients are projected; left out, attention and MLP.", "tuner-galore",
        metavar="NAME",
    )  # fmt: skip
    galore_rank: int = arg(128, "Rank of the projection.", "tuner-galore")
    galore_update_proj_gap: int = arg(50, "Steps between two computations of the projection.", "tuner-galore")
    galore_scale: float = arg(1.0, "Factor of the projected update.", "tuner-galore")
    galore_proj_type: str = arg("std", "Kind of projection.", "tuner-galore")
    galore_optim_per_parameter: bool = arg(
        False, "One optimizer for each parameter, run in the backward pass.", "tuner-galore",
    )  # fmt: skip
    galore_with_embedding: bool = arg(False, "Project the embeddings as well.", "tuner-galore")
    galore_quantization: bool = arg(False, "Let the gap grow while projections stay alike (Q-GaLore).", "tuner-galore")
    galore_weight_quant: bool = arg(
        False, "Hold the projected weights in 8 bits, rounded stochastically.", "tuner-galore"
    )
    galore_proj_quant: bool = arg(False, "Quantize the projections.", "tuner-galore")
    galore_proj_bits: int = arg(4, "Bits of quantized projections.", "tuner-galore")
    galore_proj_group_size: int = arg(256, "Group size of quantized projections.", "tuner-galore")
    galore_cos_threshold: float = arg(
        0.4, "Cosine similarity above which a projection counts as unchanged.", "tuner-galore",
    )  # fmt: skip
    galore_gamma_proj: int = arg(2, "Factor on the gap while projections stay unchanged.", "tuner-galore")
    galore_queue_size: int = arg(5, "How many projections are compared.", "tuner-galore")
    lisa_activated_layers: int = arg(
        0, "Number of layers that train at a time, chosen at random; 0 is off, 2 or 8 is usual. Needs "
        "sft_type full.", "tuner-lisa",
    )  # fmt: skip
    lisa_step_interval: int = arg(20, "Steps between two choices of the layers.", "tuner-lisa")
