"""Rules of single families about what stands in the system block: dates, modes, tools and the texts around them."""

from __future__ import annotations

import json
from typing import Any

from swift.llm.core import Message
from swift.llm.template.draft import Draft, Turn, day_text
from swift.llm.template.tools.apriel import ANSWER_FORMAT
from swift.llm.template.tools.apriel import FORMATS as APRIEL
from swift.llm.template.tools.base import Fragment, RefusedError
from swift.llm.template.tools.cohere import ORDER
from swift.llm.template.tools.llama import builtin_call


def taken(draft: Draft) -> list[Fragment]:
    """The description of the tools, which the calling rule puts in its place."""
    told, draft.told = draft.told or [], None
    return told


def by_plan(draft: Draft) -> bool | None:
    """Whether to think, as the run was told; formats whose template knows no ``enable_thinking`` ignore a row's own."""
    return None if "enable_thinking" in draft.conversation.template_kwargs else draft.enable_thinking


def last_answer(draft: Draft) -> Turn | None:
    """The turn that generation would write, None where no answer stands last."""
    return draft.turns[-1] if draft.turns and draft.turns[-1].role == "assistant" else None


def llama3_1(draft: Draft) -> None:
    """Llama 3.1 to 3.3: the date and the mode open the system block; tools stand there or in the first user turn.

    A row's ``template_kwargs`` may give ``date_string``, ``builtin_tools`` (then calls end with `<|eom_id|>`, and those of the
    named tools are Python) and ``tools_in_user_message``.
    """
    kwargs = draft.conversation.template_kwargs
    builtin = kwargs.get("builtin_tools")
    told = taken(draft)
    head = "Environment: ipython\n" if told or "builtin_tools" in kwargs else ""
    if "builtin_tools" in kwargs:
        head += "Tools: " + ", ".join(one for one in builtin or () if one != "code_interpreter") + "\n\n"
    date = kwargs.get("date_string") or day_text(draft.date)
    head += f"Cutting Knowledge Date: December 2023\nToday Date: {date}\n\n"
    if told and not kwargs.get("tools_in_user_message", True):
        head += (
            "You have access to the following functions. To call a function, please respond with JSON for a function "
            'call.Respond in the format {"name": function name, "parameters": dictionary of argument name and its value}.'
            "Do not use variables.\n\n"
        )
        system = [(head, True), *told[1:]]
    else:
        system = [(head, True)]
        if told:
            asking = next((turn for turn in draft.turns if turn.role == "user"), None)
            if asking is None:
                raise RefusedError("tools, and no user turn to describe them in")
            asking.parts = [*told, *asking.parts]
    draft.system = [*system, *(draft.system or ())]
    if "builtin_tools" not in kwargs:
        return
    for turn in draft.turns:
        for call in turn.message.tool_calls:
            turn.close = "<|eom_id|>"
            if call.name in (builtin or ()):
                turn.parts = builtin_call(call)


def command_r(draft: Draft) -> None:
    """Command R+ with tools: a preamble around the system text, and the order to act in front of the last answer.

    The official text repeats the order behind a whole conversation; there it would be no part of the prompt.
    """
    told = taken(draft)
    if not told:
        return
    options = draft.options
    context = draft.system or [(options["tool_context"], True)]
    draft.system = [(options["tool_preamble"], True), *context, *told]
    order: list[Fragment] = [(options["order_open"], True), (ORDER, True), (options["order_close"], True)]
    if draft.generate:
        draft.before = order
    answer = last_answer(draft)
    if answer is not None:
        answer.before = order


def granite(draft: Draft) -> None:
    """Granite 3.3: what the default system text says of tools or thinking; ``controls`` in the marker of the answer.

    A row's ``template_kwargs`` may give ``thinking`` and ``controls``.
    """
    kwargs = draft.conversation.template_kwargs
    if draft.default and draft.system is not None:
        mode = "plain"
        if draft.conversation.tools:
            mode = "tools"
        elif kwargs.get("thinking", by_plan(draft)):
            mode = "thinking"
        draft.system = [*draft.system, (draft.options["modes"][mode], True)]
    if kwargs.get("controls"):
        controls = json.dumps(kwargs["controls"], ensure_ascii=False)
        opened = f"<|start_of_role|>assistant {controls}<|end_of_role|>"
        draft.open = opened
        answer = last_answer(draft)
        if answer is not None:
            answer.open = opened


def granite_3_0(draft: Draft) -> None:
    """Granite 3.0: the tools are a block in front of the system text."""
    told = taken(draft)
    if draft.system is not None:
        draft.turns.insert(0, Turn("system", draft.system, Message("system", "")))
        draft.system = None
    if told and draft.turns:
        draft.turns[0].before = told


def functionary(draft: Draft) -> None:
    """Functionary: a first system block with the tools, the system text as a second one; calls end with `<|eom_id|>`."""
    told = taken(draft)
    interpreter = any(tool.get("type") == "code_interpreter" for tool in draft.conversation.tools)
    if draft.system is not None:
        draft.turns.insert(0, Turn("system", draft.system, Message("system", "")))
    first = "Environment: ipython\n\n" if interpreter else "\n"
    draft.system = [(first + "Cutting Knowledge Date: December 2023\n\n", True), *told]
    for turn in draft.turns:
        if turn.message.tool_calls:
            turn.close = "<|eom_id|>"


def firefunction(draft: Draft) -> None:
    """Firefunction: rules and tools behind the system text, then the date (``datetime`` in a row's ``template_kwargs``)."""
    told = taken(draft)
    if not told:
        return
    system = draft.system or [("You are a helpful assistant with access to functions.", True)]
    today = draft.conversation.template_kwargs.get("datetime", draft.date.isoformat())
    draft.system = [*system, *told, (f"\nToday is {today}.", True)]


def apriel(draft: Draft) -> None:
    """Apriel: its own text opens every system block; tools without a system text make a block of their own in front."""
    told = taken(draft)
    own: Fragment = (draft.options["preamble"], True)
    for turn in draft.turns:
        if turn.role == "system":
            turn.parts = [own, *turn.parts]
    if draft.system is not None:
        draft.system = [own, *draft.system, *([("\n", True), *told] if told else [])]
    else:
        if told:
            draft.turns.insert(0, Turn("system", [own], Message("system", "")))
        draft.system = [own, *told, (ANSWER_FORMAT, True)] if told else [own]
    answer = last_answer(draft)
    if answer is not None and answer.message.tool_calls:
        # A model cannot know the ids that calls get later: what it is to write has none.
        calls = [_without_id(call) for call in answer.message.tool_calls]
        answer.parts = APRIEL[0].calls(answer.message.content, calls)


def _without_id(call: Any) -> Any:
    return type(call)(call.name, call.arguments)


def laguna(draft: Draft) -> None:
    """Laguna: a system block where there is a text or a tool; how to call depends on thinking."""
    told = taken(draft)
    system = draft.system or []
    if not "".join(text for text, _ in system).strip():
        system = []
    if system:
        text, markup = system[-1]
        system = [("\n", True), *system[:-1], (text.rstrip(), markup)]
    if told:
        how = "call_thinking" if draft.enable_thinking else "call_plain"
        system = [*system, *told, (draft.options[how], True)]
    draft.system = system or None


def bielik(draft: Draft) -> None:
    """Bielik: with thinking switched on, the system block, where there is one, ends with the order to think."""
    if draft.system is not None and draft.enable_thinking:
        draft.system = [*draft.system, (draft.options["think_order"], True)]


def llama4(draft: Draft) -> None:
    """Llama 4: the question that tools are told in is trimmed, other questions are not."""
    if draft.conversation.tools:
        asking = next((turn for turn in draft.turns if turn.role == "user"), None)
        if asking is not None:
            text, markup = asking.parts[-1]
            asking.parts[-1] = (text.strip(), markup)
