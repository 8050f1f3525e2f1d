"""Rules of single families about reasoning that stays in earlier turns, modes named in the text, and turns of several parts."""

from __future__ import annotations

from swift.llm.core import Message
from swift.llm.template.behaviours.systems import by_plan, last_answer, taken
from swift.llm.template.draft import Draft, Turn
from swift.llm.template.tools.base import Fragment, RefusedError

NEWLINE = "\n"


def split_field(message: Message) -> tuple[str, str]:
    """Return (reasoning, text), reasoning only from its own field: tags in the text stay text."""
    return message.reasoning or "", message.content


def split_tags(message: Message) -> tuple[str, str]:
    """Return (reasoning, text); text with both tags is cut at the first closing one."""
    content = message.content
    if message.reasoning or not ("<think>" in content and "</think>" in content):
        return message.reasoning or "", content
    before, _, after = content.partition("</think>")
    return before.split("<think>")[-1], after


def split_always(message: Message) -> tuple[str, str]:
    """Return (reasoning, text); a closing tag ends the reasoning even where the field gives it, too."""
    content = message.content
    if "</think>" not in content:
        return message.reasoning or "", content
    reasoning = content.split("</think>")[0].rstrip(NEWLINE).split("<think>")[-1].lstrip(NEWLINE)
    return message.reasoning or reasoning, content.split("</think>")[-1].lstrip(NEWLINE)


def split_second(message: Message) -> tuple[str, str]:
    """Return (reasoning, text); the text ends at a second closing tag."""
    reasoning, _ = split_always(message)
    pieces = message.content.split("</think>")
    return reasoning, pieces[1].strip() if len(pieces) > 1 else message.content


def think_kept(draft: Draft) -> None:
    """Reasoning in every turn: the option ``think_block`` holds it, ``think_none`` stands for none.

    The prompt ends with ``think_on`` or ``think_off``; off unless thinking is switched on. With thinking on the last answer has
    a block, empty if need be; with thinking off it has none where the prompt closes it. ``answer_strip`` (left, both, line) tells how the text beside the block is trimmed.
    """
    options, wanted = draft.options, draft.enable_thinking
    block, none = options["think_block"], options.get("think_none", "")
    on, off = options["think_on"], options.get("think_off", "")
    if draft.generate:
        draft.opened = on if wanted else off
    last = last_answer(draft)
    for turn in draft.turns:
        if turn.role != "assistant":
            continue
        reasoning = turn.reasoning.strip()
        thought = bool(reasoning)
        if turn is last:
            thought = bool(wanted) or (thought and block.startswith(off))
        # An answer that may follow the prompt of both modes is trained behind the shorter one: it opens its block itself.
        turn.opened = on if thought and (wanted or not block.startswith(off)) else off
        before, after = block.split("{reasoning}") if thought else (none, "")
        content, markup = turn.parts[0]
        content = content.lstrip() if options["answer_strip"] == "left" else content.strip()
        if options["answer_strip"] == "line" and content:
            content += "\n"
        thoughts: list[Fragment] = [
            (before.removeprefix(turn.opened), True),
            (reasoning if thought else "", False),
            (after, True),
        ]
        turn.parts = [*thoughts, (content, markup), *turn.parts[1:]]


def think_kept_tags(draft: Draft) -> None:
    """As `think_kept`, where only a pair of tags in an answer's text counts as reasoning."""
    think_kept(draft)


def nemotron(draft: Draft) -> None:
    """Nemotron Nano v2: `/think` and `/no_think` in the texts switch thinking, and are taken out; only the last answer thinks."""
    thinking = by_plan(draft) is not False
    texts = [turn.message.content for turn in draft.turns if turn.role == "user"]
    for text in ["".join(text for text, _ in draft.system or ()), *texts]:
        if "/think" in text:
            thinking = True
        elif "/no_think" in text:
            thinking = False
    told = taken(draft)
    system = "".join(text for text, _ in draft.system or ())
    system = system.replace("/think", "").replace("/no_think", "").strip()
    lead: list[Fragment] = [("\n\n", True)] if system and told else []
    draft.system = [(system, False), *lead, *told]
    opening = "<think>\n" if thinking else "<think></think>"
    if draft.generate:
        draft.opened = opening
    last = last_answer(draft)
    for turn in draft.turns:
        if turn.role == "user":
            text = turn.message.content.replace("/think", "").replace("/no_think", "").strip()
            turn.parts = [(text, False)]
        elif turn.role == "assistant":
            turn.parts[0] = (turn.parts[0][0].strip(), turn.parts[0][1])
            if turn is not last:
                continue
            turn.opened = opening
            message = turn.message
            if thinking and message.reasoning:
                turn.parts.insert(0, (f"{message.reasoning.strip()}\n</think>\n\n", False))
            elif thinking and not message.tool_calls:
                # Reasoning in tags follows the prompt's open tag, which it must not repeat.
                text = message.content.strip()
                turn.parts = [(text.removeprefix("<think>").lstrip(NEWLINE) if "</think>" in text else text, False)]


def smollm3(draft: Draft) -> None:
    """SmolLM3: the system block names the mode, which a flag in the system text, else ``enable_thinking``, decides."""
    thinking = draft.enable_thinking is not False
    told = taken(draft)
    system = "".join(text for text, _ in draft.system or ())
    if "/no_think" in system:
        thinking = False
    elif "/think" in system:
        thinking = True
    system = system.replace("/no_think", "").replace("/think", "").rstrip()
    mode = "think" if thinking else "no_think"
    draft.system = [
        (f"## Metadata\n\nKnowledge Cutoff Date: June 2025\nReasoning Mode: /{mode}\n\n", True),
        ("## Custom Instructions\n\n", True),
        (system, False) if system else (draft.options["instructions"][mode], True),
        ("\n\n", True),
        *told,
    ]
    empty = "<think>\n\n</think>\n"
    if draft.generate and not thinking:
        draft.opened = empty
    for turn in draft.turns:
        if turn.role != "assistant":
            continue
        content, markup = turn.parts[0]
        turn.parts[0] = (content.lstrip(NEWLINE), markup)
        if not thinking:
            turn.opened = empty
        elif turn.reasoning:
            turn.parts.insert(0, (f"<think>\n{turn.reasoning.strip()}\n</think>\n", False))


def rwkv(draft: Draft) -> None:
    """RWKV World: earlier answers without their reasoning; the prompt ends with what ``enable_thinking`` asks for."""
    wanted = draft.enable_thinking
    empty = " <think>\n</think>"
    opening = "" if wanted is None else " <think>" if wanted else empty
    if draft.generate:
        draft.opened = opening
    last = last_answer(draft)
    for turn in draft.turns:
        if turn.role != "assistant":
            continue
        content = turn.parts[0][0].strip()
        lead = " "
        if turn is last:
            turn.opened = opening
            if (turn.reasoning and wanted is None) or wanted:
                lead = f" <think>\n{turn.reasoning.strip()}\n</think>\n".removeprefix(opening)
            elif wanted is False:
                lead = "\n"
        turn.parts = [(lead, True), (content, False), *turn.parts[1:]]


def apertus(draft: Draft) -> None:
    """Apertus: a developer block names mode and tools; an assistant's block lasts, over calls and results, to the next question.

    The official prompt opens a second block behind a tool's result, where the official text of a whole conversation goes on
    in the first: here both go on. The last answer is closed, too.
    """
    told = taken(draft)
    mode = "enabled" if draft.enable_thinking else "disabled"
    tools: list[Fragment] = [("\n", True), *told] if told else [(" disabled", True)]
    developer: list[Fragment] = [
        (f"<|developer_start|>Deliberation: {mode}\nTool Capabilities:", True),
        *tools,
        ("<|developer_end|>", True),
    ]
    if draft.turns:
        draft.turns[0].before = developer
    else:
        draft.before = developer
    inside = False
    for number, turn in enumerate(draft.turns):
        if turn.role == "assistant":
            if inside:
                turn.open = ""
            inside = True
            last = number + 1 == len(draft.turns)
            if (not last and draft.turns[number + 1].role in ("assistant", "tool")) or (
                last and turn.message.tool_calls
            ):
                turn.close = ""
            if turn.reasoning:
                begin, end = draft.options["think_begin"], draft.options["think_end"]
                thoughts: list[Fragment] = [(begin, True), (turn.reasoning, False), (end, True)]
                turn.parts = [*thoughts, *turn.parts]
        elif turn.role == "tool":
            if not inside:
                raise RefusedError("a tool's answer without a call before it")
        else:
            inside = False
    if draft.generate and inside:
        draft.open = ""


def solar(draft: Draft) -> None:
    """Solar Open: one system block of parts; reasoning, calls and texts are blocks of their own.

    A row's ``template_kwargs`` may give ``default_system_prompt`` (false: without it), ``reasoning_effort`` (low, minimal: the
    prompt holds an empty thought), ``think_render_option`` (lastthink, all, none) and ``response_format``.
    """
    kwargs = draft.conversation.template_kwargs
    blocks: list[list[Fragment]] = []
    if kwargs.get("default_system_prompt", True):
        blocks.append([(draft.options["provider"].replace("{iso_date}", draft.date.isoformat()), True)])
    systems = [draft.system] if draft.system else []
    systems += [turn.parts for turn in draft.turns if turn.role == "system"]
    if systems:
        texts = [fragment for text in systems for fragment in (("\n\n", True), *text)]
        blocks.append([("## System Prompt", True), *texts])
    told = taken(draft)
    if told:
        blocks.append(told)
    if kwargs.get("response_format"):
        before, after = draft.options["answer_schema"].split("{content}")
        blocks.append([(before, True), (str(kwargs["response_format"]), False), (after, True)])
    draft.system = [fragment for number, block in enumerate(blocks) for fragment in (*_gap(number), *block)] or None
    draft.turns = [turn for turn in draft.turns if turn.role != "system"]
    opened = "<|begin|>assistant"
    quiet = kwargs.get("reasoning_effort", "high") in ("low", "minimal")
    if quiet:
        opened = "<|begin|>assistant<|think|><|end|><|begin|>assistant"
        draft.open = opened
    question = max((number for number, turn in enumerate(draft.turns) if turn.role == "user"), default=-1)
    shown = kwargs.get("think_render_option", "lastthink")
    last = last_answer(draft)
    for number, turn in enumerate(draft.turns):
        if turn.role != "assistant":
            continue
        if turn is last:
            turn.open = opened
        if turn.message.tool_calls:
            turn.close = "<|calls|>"
        else:
            turn.parts = [("<|content|>", True), *turn.parts]
        kept = shown == "all" or (shown == "lastthink" and number > question)
        if turn.reasoning and kept and not (quiet and turn is last):
            turn.parts = [*_thought(turn), *turn.parts]


def _gap(number: int) -> list[Fragment]:
    return [("\n\n", True)] if number else []


def _thought(turn: Turn) -> list[Fragment]:
    return [("<|think|>", True), (turn.reasoning, False), ("<|end|><|begin|>assistant", True)]
