"""The ways that plain conversations take through a chat template: learnt once, and then a matter of exchanging texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from swift.llm.core import Conversation, Message
from swift.llm.template.rendering import Rendering, compile_template, missed
from swift.llm.template.spans import Answer, Places, places
from swift.llm.template.tools import RefusedError

if TYPE_CHECKING:
    from swift.llm.template.chat_template import ChatTemplate
    from swift.llm.template.trace import Skeleton

# A template asks little of a text: so few ways for a shape, and so many shapes, are all that data has.
_WAYS: Final = 16
_SHAPES: Final = 512


class Traced:
    """The ways that plain conversations have taken through a template, by their shape. Only ever added to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._template: Any = None
        self._known: dict[Any, list[Skeleton]] = {}

    def possible(self, sources: Sequence[Message], conversation: Conversation) -> bool:
        """Whether a conversation is plain: texts by role, and nothing else."""
        if conversation.tools or conversation.template_kwargs:
            return False
        return all(
            one.reasoning is None and not one.tool_calls and one.name is None and one.tool_call_id is None
            for one in sources
        )

    def fill(
        self, template: ChatTemplate, sources: Sequence[Message], contents: Sequence[str], conversation: Conversation
    ) -> tuple[str, list[Answer | None], Places] | None:
        """The text, answers and places of a conversation that goes a known way, or one that can be learnt; else None."""
        shape = tuple([message.role for message in sources])
        known = self._known.get(shape, [])
        for skeleton in known:
            if skeleton.fits(contents):
                template.notes.update(skeleton.notes)
                return skeleton.fill(contents)
        made = self._learn(template, sources, contents, conversation)
        if made is None:
            return None
        # Where there is no room left it is learnt anew each time: what is found never depends on what was there before.
        if len(known) < _WAYS and len(self._known) < _SHAPES:
            self._known[shape] = [*known, made]
        template.notes.update(made.notes)
        return made.fill(contents)

    def _learn(
        self, template: ChatTemplate, sources: Sequence[Message], contents: Sequence[str], conversation: Conversation
    ) -> Skeleton | None:
        """Trace one conversation; None where that cannot be done, or gives anything else than rendering it as usual."""
        from swift.llm.template.trace import Skeleton, Trace, UntraceableError

        trace = Trace(contents)
        messages = [
            template.shape.of({"role": message.role, "content": trace.said(number)})
            for number, message in enumerate(sources)
        ]
        notes: dict[str, None] = {}
        try:
            if self._template is None:
                self._template = compile_template(self._text, traced=True)
            compiled = self._template

            def render(number: int, generate: bool) -> str:
                return template.write(messages[:number], (), {}, generate, template=compiled)[0] if number else ""

            def where(text: str) -> Places:
                return places(text, trace.owners)

            text, generated = template.write(messages, (), {}, False, template=compiled)
            if template.marks_generation:
                found: list[Answer | None] = [template.generated(text, *span) for span in generated]
            else:
                found = template.locator(notes).answers(messages, render, where)
        except (UntraceableError, RefusedError):
            return None
        if trace.failed:
            return None
        notes.update(missed(sources, where(text)))
        made = Skeleton(text, trace, found, where(text), tuple(notes))
        rendering = Rendering(template, conversation)
        usual = rendering.render(rendering.messages, False)[0]
        return made if made.fits(contents) and made.fill(contents)[0] == usual else None
