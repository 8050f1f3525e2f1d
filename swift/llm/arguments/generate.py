"""How answers are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from swift.llm.arguments.fields import arg


@dataclass(frozen=True, kw_only=True)
class GenerationArguments:
    """Sampling; None follows the model's generation_config."""

    max_new_tokens: int = arg(
        2048, "Most tokens of an answer. A server goes by the client's max_tokens.", "generation",
        starred=True,
    )  # fmt: skip
    do_sample: bool | None = arg(
        None, "Draw tokens by their probability (true) or take the likeliest (false).", "generation",
        starred=True,
    )  # fmt: skip
    temperature: float | None = arg(
        None, "Divides the scores before they become probabilities; 0 takes the likeliest token.",
        "generation", starred=True,
    )  # fmt: skip
    top_k: int | None = arg(None, "Draw from the k likeliest tokens only.", "generation", starred=True)
    top_p: float | None = arg(
        None, "Draw from the likeliest tokens that together have this probability.", "generation",
        starred=True,
    )  # fmt: skip
    repetition_penalty: float | None = arg(
        None, "Above 1, makes tokens that occurred already less likely.", "generation", starred=True,
    )  # fmt: skip
    num_beams: int = arg(1, "Number of beams; above 1 answers do not stream.", "generation")


@dataclass(frozen=True, kw_only=True)
class DrawArguments:
    """Further ways to bend the scores of the next token."""

    min_p: float | None = arg(
        None, "Draw only tokens that are at least this share as likely as the likeliest one.", "generation",
    )  # fmt: skip
    presence_penalty: float = arg(
        0.0, "Taken from the score of each token that the answer holds already, once; from -2 to 2.", "generation",
    )  # fmt: skip
    frequency_penalty: float = arg(
        0.0, "The same for each time that the token occurred.", "generation",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class StopArguments:
    """Where an answer ends."""

    stop_words: Sequence[str] = arg(
        (), "Texts that end an answer, besides the template's.", "generation", metavar="TEXT",
    )  # fmt: skip
