"""What travels between the parts: conversations, segments, encoded samples, sampling settings.

Knows no file, no tokenizer, no tensor library and no model; every value here is frozen.

Alphabet: ``T`` tokens of one sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row came from: a file or data set name, and its 1-based line (or row number where lines do not exist)."""

    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool by the assistant; ``arguments`` is the decoded JSON object, or the text where it is not JSON."""

    name: str
    arguments: Mapping[str, Any] | str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """One image, video or audio clip, by path, URL or data URL, in the order of its tag in the text.

    ``tag`` is the text that stands for it in a message; None: ``<image>``, ``<video>``, ``<audio>``, as data sets write it.
    """

    kind: Literal["image", "video", "audio"]
    source: str
    tag: str | None = None

    @property
    def written(self) -> str:
        """What stands for it in a message."""
        return self.tag if self.tag is not None else f"<{self.kind}>"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn. ``train`` overrides whether it carries loss (None: assistants do); ``weight`` scales that loss."""

    role: Role
    content: str
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    train: bool | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row of data in normal form. ``rejected`` and ``label`` are the preference columns; plain text is one assistant message.

    ``system_given`` tells an empty system text (which removes the template's own) from none at all. Rows that a chat
    template must not touch carry ``segments`` (a segment that is ``special`` is the row author's own markup: control tokens
    in it count, and ``{bos}``, ``{auto_bos}``, ``{eos}`` as its whole text stand for the tokenizer's) or ``encoded`` (ids
    made elsewhere); ``messages`` then only tell people what is said. ``objects`` are what ``<ref-object>`` and ``<bbox>``
    stand for; ``extra`` holds the columns that no format reads, where the data set's row keeps them.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    media: tuple[Media, ...] = ()
    rejected: tuple[Message, ...] = ()
    label: bool | None = None
    place: Place | None = None
    system_given: bool = False
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    encoded: Encoded | None = None
    objects: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the rendered text. ``special``: written by the template and one of the tokenizer's control tokens.

    ``train``: the model is its author. ``cut``: generation would start right before it, so no token may cross there.
    """

    text: str
    train: bool = False
    special: bool = False
    cut: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Encoded:
    """One sample as tokens: ``input_ids`` (T,) int32; ``trained`` (T,) bool, never true at position 0.

    ``loss_scale`` (T,) float32 or None (all ones); ``cut_tokens``: how many tokens the length limit took away.
    """

    input_ids: npt.NDArray[np.int32]
    trained: npt.NDArray[np.bool_]
    loss_scale: npt.NDArray[np.float32] | None = None
    cut_tokens: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that became no sample: why, where it was, and how many tokens it had (0 where it never became tokens)."""

    reason: str
    place: Place | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen and when to stop. ``temperature`` 0 (or ``do_sample`` false) is greedy.

    ``max_new_tokens`` None means up to the context length. ``top_k`` 0, ``top_p`` 1.0 and ``min_p`` 0.0 switch those filters
    off. ``presence_penalty`` and ``frequency_penalty`` are OpenAI's: taken from the scores of tokens of the answer, once and
    for each time they occurred. ``logit_bias`` adds to the scores of token ids. ``stop_ids`` end an answer beside the model's own
    ends, which ``ignore_eos`` takes away. ``seed`` makes this one request repeatable whatever runs beside it.
    """

    max_new_tokens: int | None = None
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    num_beams: int = 1
    stop: tuple[str, ...] = ()
    seed: int | None = None
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    stop_ids: tuple[int, ...] = ()
    ignore_eos: bool = False


@dataclass(frozen=True, slots=True)
class Grammar:
    """What an answer may look like. ``text``: a JSON schema, a regular expression or a Lark grammar; empty for ``json_object``."""

    kind: Literal["json_object", "json_schema", "regex", "lark"]
    text: str = ""


class Tokenizer(Protocol):
    """What the template and the service need of a tokenizer; ``swift.llm.tokenizer`` implements it without torch."""

    @property
    def vocab_size(self) -> int:
        """How many ids there are, added tokens included."""
        ...

    @property
    def bos_token(self) -> str | None:
        """The token that opens a text, where there is one."""
        ...

    @property
    def eos_token(self) -> str | None:
        """The token that ends a text or an answer."""
        ...

    @property
    def pad_token(self) -> str | None:
        """The token that fills."""
        ...

    @property
    def bos_token_id(self) -> int | None:
        """Its id."""
        ...

    @property
    def eos_token_id(self) -> int | None:
        """Its id."""
        ...

    @property
    def pad_token_id(self) -> int | None:
        """Its id."""
        ...

    @property
    def chat_template(self) -> str | None:
        """The official chat template (Jinja)."""
        ...

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Control tokens by their text."""
        ...

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the files that define it."""
        ...

    def encode(self, text: str) -> list[int]:
        """Plain text to ids: nothing is added, and the text of a special token stays text."""

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Ids to text, special tokens written out unless skipped."""


class BatchEncoder(Protocol):
    """The training side of a template, as the data path sees it."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides the ids and the mask."""
        ...

    def encode_batch(self, conversations: Sequence[Conversation]) -> list[Encoded | Dropped]:
        """One result for each conversation, in order."""
