"""Alignment by preferences or rewards."""

from dataclasses import dataclass

from swift.llm.arguments.fields import arg

RLHF_TYPES = ("dpo", "orpo", "simpo", "kto", "cpo", "rm", "ppo")


@dataclass(frozen=True, kw_only=True)
class AlignmentArguments:
    """The algorithm, its reference model and its reward model."""

    rlhf_type: str = arg(
        "dpo", "Alignment algorithm; rm trains a reward model.", "rlhf", choices=RLHF_TYPES, starred=True,
    )  # fmt: skip
    ref_model_type: str | None = arg(
        None, "Reference model by its name in the catalog; left out, the trained model before training. "
        "cpo, simpo and orpo use none.", "rlhf", registry="models",
    )  # fmt: skip
    ref_model_id_or_path: str | None = arg(
        None, "Hub id or folder of the reference model.", "rlhf", path="maybe", metavar="ID_OR_PATH",
    )  # fmt: skip
    ref_model_revision: str | None = arg(
        None, "Revision of the reference model; left out, that of the trained model.", "rlhf",
    )  # fmt: skip
    beta: float | None = arg(
        None, "How strongly the model is held to the reference; left out, 2.0 for simpo and 0.1 otherwise.",
        "rlhf",
    )  # fmt: skip
    label_smoothing: float = arg(0.0, "Share of preferences assumed to be wrong (0 to 0.5).", "rlhf")
    loss_type: str | None = arg(
        None, "Variant of the loss; left out, sigmoid for dpo and cpo, simpo for simpo, kto for kto.", "rlhf",
    )  # fmt: skip
    rpo_alpha: float = arg(
        1.0, "Weight of the loss on the chosen answer that is added.", "rlhf-dpo", starred=True,
    )  # fmt: skip
    cpo_alpha: float = arg(1.0, "Weight of the loss on the chosen answer, in cpo and simpo.", "rlhf-cpo")
    simpo_gamma: float = arg(1.0, "Margin between the rewards; 0.5 to 1.5 is usual.", "rlhf-cpo")
    desirable_weight: float = arg(1.0, "Weight of rows with label true.", "rlhf-kto")
    undesirable_weight: float = arg(
        1.0, "Weight of rows with label false. Weights times counts of the two kinds should stand as 1 to "
        "1, up to 4 to 3.", "rlhf-kto",
    )  # fmt: skip
    reward_model_id_or_path: str | None = arg(
        None, "Folder or hub id of the reward model; it must have a value head.", "rlhf-ppo", path="maybe",
        metavar="ID_OR_PATH",
    )  # fmt: skip
    reward_model_type: str | None = arg(
        None, "Reward model by its name in the catalog.", "rlhf-ppo", registry="models",
    )  # fmt: skip
    reward_model_revision: str | None = arg(None, "Revision of the reward model.", "rlhf-ppo")
    local_rollout_forward_batch_size: int = arg(64, "Batch of the passes without gradients.", "rlhf-ppo")
    whiten_rewards: bool = arg(False, "Bring rewards to mean 0 and deviation 1.", "rlhf-ppo")
    kl_coef: float = arg(0.05, "Weight of the distance from the reference model.", "rlhf-ppo")
    cliprange: float = arg(0.2, "Limit of the policy ratio.", "rlhf-ppo")
    vf_coef: float = arg(0.1, "Weight of the value loss.", "rlhf-ppo")
    cliprange_value: float = arg(0.2, "Limit of a change of the value.", "rlhf-ppo")
    gamma: float = arg(1.0, "Discount of later rewards.", "rlhf-ppo")
    lam: float = arg(0.95, "Lambda of the advantage estimate (GAE).", "rlhf-ppo")
