"""Is a row the format that the model's own tokenizer asks for? Compares ids, conversation by conversation; and, for a chat
template without a row, whether a prompt is the beginning of the sample that goes on from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from swift.llm.core import Conversation, Encoded, Message, ToolCall
from swift.llm.template.template import Template
from swift.llm.tokenizer import TextTokenizer
from swift.utils.errors import DataError

State: TypeAlias = Literal["equal", "different", "behind", "skipped"]
"""``behind``: only what follows the last trained token differs, which changes neither training nor prompts."""
VERDICT = "template_check.json"
"""The file of a run folder, and of a checkpoint, that holds a verdict."""
AROUND = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """The first token that differs: its number, the text before it, and what each side writes there."""

    token: int
    before: str
    ours: str
    theirs: str

    def lines(self, ours: str = "row", theirs: str = "chat template") -> list[str]:
        """Both texts one above the other, and a caret under the first character that differs."""
        before, left, right = (_visible(text) for text in (self.before, self.ours, self.theirs))
        same = next((i for i, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), None)
        place = min(len(left), len(right)) if same is None else same
        width = max(len(ours), len(theirs))
        return [
            f"{ours:>{width}}: {before}{left}",
            f"{theirs:>{width}}: {before}{right}",
            " " * (width + 2 + len(before) + place) + "^",
        ]


@dataclass(frozen=True, slots=True)
class Result:
    """One comparison: the ``sample`` of a conversation, or the ``prompt`` before its last answer. ``why`` it was skipped."""

    conversation: str
    what: Literal["sample", "prompt"]
    state: State
    why: str = ""
    difference: Difference | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the comparison found. ``checked`` counts the comparisons that both sides can express.

    ``first_difference`` shows the first conversation whose ids differ, in context. ``loss_free``: only what follows the last
    trained token differs, which changes neither training nor prompts. ``template`` is the row's name; ``own``: there is no
    row, and prompts were compared with samples; ``notes`` what the template says of itself.
    """

    equal: bool
    checked: int
    first_difference: str | None = None
    loss_free: bool = False
    template: str = ""
    own: bool = False
    results: tuple[Result, ...] = ()
    notes: tuple[str, ...] = ()

    def different(self) -> tuple[Result, ...]:
        """The comparisons whose ids differ where it matters."""
        return tuple(result for result in self.results if result.state == "different")

    def warning(self) -> str | None:
        """What to say at the start of a run, None where there is nothing to say."""
        if self.equal or self.loss_free or not self.checked:
            return None
        names = ", ".join(dict.fromkeys(result.conversation for result in self.different()))
        what = f"THE TEMPLATE {self.template} DOES NOT ENCODE WHAT THIS TOKENIZER'S OWN CHAT TEMPLATE DOES"
        if self.own:
            what = "THIS TOKENIZER'S CHAT TEMPLATE ASKS FOR ANSWERS IN ANOTHER WAY THAN IT WRITES THEM DOWN"
        return f"{what} ({names}):\n{self.first_difference}"


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict as ``template_check.json`` holds it."""
    return asdict(verdict)


def _conversation(*turns: tuple[str, str], tools: Sequence[Mapping[str, Any]] = ()) -> Conversation:
    return Conversation(tuple(Message(role, text) for role, text in turns), tools=tuple(tools))  # type: ignore[arg-type]


_WEATHER: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look up the weather of a town.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "description": "Name of the town."}},
            "required": ["town"],
        },
    },
}
_CALL = ToolCall("get_weather", {"town": "Oslo, Norway"}, "call00001")

CONVERSATIONS: Mapping[str, Conversation] = {
    "question": _conversation(("user", "What is the capital of France?"), ("assistant", "Paris.")),
    "system": _conversation(
        ("system", "Be brief."), ("user", "Why is the sky blue?"), ("assistant", "Light is scattered.")
    ),
    "two rounds": _conversation(
        ("user", "Name a fruit."), ("assistant", "An apple."), ("user", "Another one?"), ("assistant", "A pear.")
    ),
    "unicode": _conversation(("user", "梨 🍐 e\u0301 ไทย"), ("assistant", "A pear — 梨 🍐, Ελληνικά, ½ ².")),
    "white space": _conversation(
        ("user", "\n  def f(x):\n\treturn x\n\n"), ("assistant", "  ```python\nf(1)\n```  \n")
    ),
    "empty answer": _conversation(("user", "Say nothing."), ("assistant", "")),
    "two users": _conversation(("user", "One thing."), ("user", "And another."), ("assistant", "Both, then.")),
    "reasoning": Conversation(
        (Message("user", "What is 6 times 7?"), Message("assistant", "It is 42.", reasoning="Six sevens are 42."))
    ),
    "tools": _conversation(("user", "Is it cold in Oslo?"), ("assistant", "I can look it up."), tools=(_WEATHER,)),
    "tool call": Conversation(
        (Message("user", "Is it cold in Oslo?"), Message("assistant", "", tool_calls=(_CALL,))), tools=(_WEATHER,)
    ),
    "tool result": Conversation(
        (
            Message("user", "Is it cold in Oslo?"),
            Message("assistant", "", tool_calls=(_CALL,)),
            Message("tool", '{"degrees": -7}', tool_call_id="call00001", name="get_weather"),
            Message("assistant", "Yes: it has minus seven degrees."),
        ),
        tools=(_WEATHER,),
    ),
}
"""Built in: what a format has to get right. Those that one of the two sides cannot express are skipped."""
_CLOSED: Final = "the row closes the last answer, which the chat template's own text leaves open"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "reasoning": ("Six sevens are 42.",),
    "tools": ("Look up the weather of a town.",),
    "tool call": ("Look up the weather of a town.", "Norway"),
    "tool result": ("Look up the weather of a town.", "Norway", "-7"),
}
"""What a side must write of a conversation to have expressed it."""


def verify(
    template: Template,
    tokenizer: TextTokenizer,
    conversations: Sequence[Conversation] | Mapping[str, Conversation] | None = None,
) -> Verdict:
    """Render conversations by the row and by the tokenizer's chat template, for training and as prompts, and compare ids.

    A tokenizer without a chat template gives an empty, equal verdict; for a template that is the tokenizer's own the prompts
    are compared with the beginnings of the samples. Takes about a tenth of a second.
    """
    if tokenizer.chat_template is None:
        return Verdict(True, 0, template=template.name)
    # Compared as the format stands: no limit, no other system text than the conversation's, control tokens as text.
    plan = replace(
        template.plan, max_length=None, system=None, train_on_inputs=False, last_round=False, loss_scale=None
    )
    ours = Template(template.row, tokenizer, plan)
    theirs = Template(None, tokenizer, plan)
    chosen = _named(conversations) if conversations is not None else _built_in(tokenizer)
    if template.row is None:
        results = [result for name, one in chosen.items() for result in _prefix(theirs, name, one)]
    else:
        results = [result for name, one in chosen.items() for result in _compared(ours, theirs, name, one)]
    found = [result for result in results if result.state == "different"]
    behind = [result for result in results if result.state == "behind"]
    first = next(iter([*found, *behind]), None)
    return Verdict(
        equal=not found and not behind,
        checked=sum(result.state != "skipped" for result in results),
        first_difference=None if first is None else _told(first, template),
        loss_free=bool(behind) and not found,
        template=template.name,
        own=template.row is None,
        results=tuple(results),
        notes=theirs.notes if template.row is None else template.notes,
    )


def _named(conversations: Sequence[Conversation] | Mapping[str, Conversation]) -> Mapping[str, Conversation]:
    if isinstance(conversations, Mapping):
        return conversations
    return {str(one.place or f"conversation {number}"): one for number, one in enumerate(conversations, 1)}


def _built_in(tokenizer: TextTokenizer) -> Mapping[str, Conversation]:
    typed = " ".join([text for text in tokenizer.special_tokens if text][:6])
    control = _conversation(("user", f"What does {typed} mean?"), ("assistant", f"{typed} are marks."))
    return {**CONVERSATIONS, "control tokens": control} if typed else CONVERSATIONS


def _compared(ours: Template, theirs: Template, name: str, conversation: Conversation) -> Iterator[Result]:
    """The sample of a conversation, and the prompt before its last answer, by the row and by the chat template."""
    assert ours.row is not None
    loses = ours.row.options.get("upstream_loses")
    has_system = conversation.messages[0].role == "system"
    asked = conversation
    if conversation.messages[-1].role == "assistant":
        asked = replace(conversation, messages=conversation.messages[:-1])
    for what in ("sample", "prompt"):
        generate = what == "prompt"
        chosen = asked if generate else conversation
        why = _unfit(ours, theirs, name, chosen, generate)
        if not generate and not why and (loses == "reasoning" or (loses == "system" and has_system)):
            why = f"the chat template's text of a whole conversation lacks the {loses}; the prompt is compared"
        if why:
            yield Result(name, what, "skipped", why)
            continue
        if generate:
            got, expected, trained = ours.encode_prompt(chosen), theirs.encode_prompt(chosen), 0
        else:
            sample, official = ours.encode(chosen), theirs.encode(chosen)
            if not isinstance(sample, Encoded) or not isinstance(official, Encoded):
                yield Result(name, "sample", "skipped", "there is nothing to train")
                continue
            got, expected = sample.input_ids.tolist(), official.input_ids.tolist()
            trained = int(sample.trained.nonzero()[0][-1]) + 1
        if got == expected:
            yield Result(name, what, "equal")
            continue
        if not generate and _left_open(ours, theirs, chosen, got, expected):
            yield Result(name, what, "equal", _CLOSED)
            continue
        state: State = "behind" if trained and got[:trained] == expected[:trained] else "different"
        yield Result(name, what, state, difference=_difference(ours.tokenizer, got, expected))


def _left_open(
    ours: Template, theirs: Template, conversation: Conversation, got: list[int], expected: list[int]
) -> bool:
    """Whether the chat template's own text ends with the answer, and ours goes on only with what ends an answer.

    The last token of ``expected`` is then not the template's: a sample without an end would train a model that never stops.
    """
    added = ours.tokenizer.decode(expected[-1:])
    if theirs.text_of_whole(conversation).rstrip().endswith(added) or got[: len(expected) - 1] != expected[:-1]:
        return False
    rest = ours.tokenizer.decode(got[len(expected) - 1 :]).strip()
    return rest in {*(ours.tokenizer.decode([id_]) for id_ in ours.stop_ids), *ours.stop_strings} - {""}


def _unfit(ours: Template, theirs: Template, name: str, conversation: Conversation, generate: bool) -> str:
    """Why a conversation cannot be compared: one side refuses it or leaves out what it is about."""
    for side, who in ((ours, "the row"), (theirs, "the chat template")):
        try:
            text = "".join(segment.text for segment in side.render(conversation, generate))
        except DataError as error:
            return f"{who} refuses it: {str(error).rsplit(': ', 1)[-1]}"
        said = json.dumps([asdict(message) for message in conversation.messages], ensure_ascii=False)
        said += json.dumps(conversation.tools, ensure_ascii=False)
        if any(word in said and word not in text for word in _WORDS.get(name, ())):
            return f"{who} leaves out what it is about"
    return ""


def _prefix(own: Template, name: str, conversation: Conversation) -> Iterator[Result]:
    """Whether the prompt for each answer is, token for token, a beginning of the sample."""
    try:
        sample = own.encode(conversation)
        prompts = [
            own.encode_prompt(replace(conversation, messages=conversation.messages[:number]))
            for number, message in enumerate(conversation.messages)
            if message.role == "assistant" and number
        ]
    except DataError as error:
        yield Result(name, "prompt", "skipped", str(error).rsplit(": ", 1)[-1])
        return
    if not isinstance(sample, Encoded):
        yield Result(name, "prompt", "skipped", sample.reason)
        return
    ids = sample.input_ids.tolist()
    for prompt in prompts:
        if ids[: len(prompt)] == prompt:
            yield Result(name, "prompt", "equal")
            continue
        yield Result(name, "prompt", "different", difference=_difference(own.tokenizer, prompt, ids))


def _told(result: Result, template: Template) -> str:
    if result.difference is None:
        return result.why
    sides = ("prompt", "sample") if template.row is None else ("row", "chat template")
    where = f"{result.conversation} ({result.what}), token {result.difference.token}"
    return "\n".join([where, *result.difference.lines(*sides)])


def _difference(tokenizer: TextTokenizer, got: list[int], expected: list[int]) -> Difference:
    place = next(
        (number for number, pair in enumerate(zip(expected, got, strict=False)) if pair[0] != pair[1]),
        min(len(expected), len(got)),
    )
    return Difference(
        place,
        tokenizer.decode(got[max(0, place - AROUND) : place]),
        tokenizer.decode(got[place : place + AROUND]),
        tokenizer.decode(expected[place : place + AROUND]),
    )


def _visible(text: str) -> str:
    """White space that a terminal would swallow, written out."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
