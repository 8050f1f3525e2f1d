"""Rules about what stands between turns: answers closed by the next marker, turns named by their author, tools up front."""

from __future__ import annotations

import re

from swift.llm.core import Message
from swift.llm.template.behaviours.systems import by_plan, taken
from swift.llm.template.draft import Draft, Turn
from swift.llm.template.tools.base import RefusedError
from swift.llm.template.tools.deepseek import OUTPUTS_END

# A name stands among control tokens, so it may hold nothing that could be one.
_NAME = re.compile(r"[\w .:/@-]+")


def close_with_next(draft: Draft) -> None:
    """GLM: an answer has no closing token of its own; the marker of the next turn ends it, and is what the model learns.

    The options ``markers`` and ``unmarked`` name each role's marker and its wrap without it. Behind the last answer stands the
    marker that would come: a tool's answer after a call, else the user.
    """
    markers, unmarked = draft.options["markers"], draft.options["unmarked"]
    for number, turn in enumerate(draft.turns):
        following = draft.turns[number + 1] if number + 1 < len(draft.turns) else None
        if turn.role != "assistant":
            continue
        if following is None:
            turn.close = markers["tool" if turn.message.tool_calls else "user"]
        elif following.role == "assistant":
            turn.close = ""
        else:
            turn.close = markers[following.role]
            following.wrap = unmarked[following.role]


def nothink_suffix(draft: Draft) -> None:
    """GLM: with thinking off each question ends with `/nothink`."""
    if draft.enable_thinking is False:
        for turn in draft.turns:
            if turn.role == "user" and not turn.text().endswith("/nothink"):
                turn.parts.append(("/nothink", True))


def gather_system(draft: Draft) -> None:
    """DeepSeek, Hunyuan: all system texts stand in front, joined with the option ``system_join``; without it the last counts."""
    later = [turn for turn in draft.turns if turn.role == "system"]
    if not later:
        return
    join = draft.options.get("system_join")
    draft.turns = [turn for turn in draft.turns if turn.role != "system"]
    if join is None:
        draft.system = later[-1].parts
        return
    for turn in later:
        draft.system = [*(draft.system or ()), *([(join, True)] if join and draft.system else []), *turn.parts]


def deepseek(draft: Draft) -> None:
    """DeepSeek: an answer to a tool's results follows them without a marker, as it was written, and prompts end there, too.

    With the option ``marked_by`` "user" only what answers a user has the marker.
    """
    only_user = draft.options.get("marked_by") == "user"
    closes_outputs = draft.options.get("outputs_end", True)
    before = "system"
    last = len(draft.turns) - 1
    for number, turn in enumerate(draft.turns):
        following = draft.turns[number + 1].role if number < last else "assistant"
        if turn.role == "tool" and closes_outputs and following != "user":
            turn.parts.append((OUTPUTS_END, True))
        elif turn.role == "assistant" and (before == "tool" or (only_user and before != "user")):
            turn.open = ""
            if turn.parts and before == "tool" and turn.message.reasoning is None:
                turn.parts[0] = (turn.message.content, False)
            elif turn.message.reasoning and number == last:
                turn.parts[0] = (f"<think>\n{turn.message.reasoning}\n</think>\n\n{turn.message.content}", False)
        before = turn.role
    if draft.generate and (before == "tool" or (only_user and before != "user")):
        draft.open = ""


def kimi(draft: Draft) -> None:
    """Kimi K2: tools are declared in front of all; turns bear their author's ``name`` where there is one.

    The official template puts a line break behind its own system text (and behind no other).
    """
    told = taken(draft)
    if draft.options.get("default_break") and draft.default and draft.system is not None:
        _first_turn(draft).before = [("\n", True)]
    if told:
        if draft.system is not None:
            draft.turns.insert(0, Turn("system", draft.system, Message("system", "")))
            draft.system = None
        first = _first_turn(draft)
        first.before = [*told, *(first.before or [])]
    if not draft.options.get("names"):
        return
    for turn in draft.turns:
        name = turn.message.name
        if not name or (turn.role == "system" and turn is draft.turns[0] and not turn.message.content):
            continue
        if not _NAME.fullmatch(name):
            raise RefusedError(f"the name {name!r} of a turn has other signs than letters, digits and ' .:/@-'")
        marker = {"user": "<|im_user|>", "assistant": "<|im_assistant|>"}.get(turn.role, "<|im_system|>")
        if turn.role == "assistant":
            turn.open = f"{marker}{name}<|im_middle|>"
        else:
            turn.wrap = f"{marker}{name}<|im_middle|>{{content}}<|im_end|>"


def _said(draft: Draft) -> bool:
    return any(text for text, _ in draft.system or ())


def _first_turn(draft: Draft) -> Turn:
    if not draft.turns:
        raise RefusedError("no turn but a system text")
    return draft.turns[0]


def observation(draft: Draft) -> None:
    """StepFun: a later system turn named "observation" is written under that name."""
    for turn in draft.turns:
        if turn.role == "system" and turn.message.name == "observation":
            turn.wrap = "<|im_start|>observation\n{content}<|im_end|>\n"


def seed(draft: Draft) -> None:
    """Seed-OSS: a second system block names the budget for thinking; an empty one opens the prompt with a closed thought.

    A row's ``template_kwargs`` may give ``thinking_budget`` (tokens); thinking switched off for the run is a budget of 0.
    """
    off = by_plan(draft) is False
    budget = draft.conversation.template_kwargs.get("thinking_budget", 0 if off else -1)
    options = draft.options
    draft.enable_thinking = budget != 0
    if budget != -1:
        interval = next(
            (step for limit, step in options["budget_steps"] if budget <= limit), options["budget_steps"][-1][1]
        )
        text = options["budget_text" if budget else "no_budget_text"]
        text = text.replace("{budget}", str(budget)).replace("{interval}", str(interval))
        block = [(f"<seed:bos>system\n{text}\n<seed:eos>", True)]
        if draft.turns:
            draft.turns[0].before = block
        else:
            draft.before = block
    for turn in draft.turns:
        # A call that neither text nor reasoning precedes begins on the line that the marker has opened already.
        if turn.role == "assistant" and turn.message.tool_calls and not turn.parts[0][0] and not turn.reasoning.strip():
            turn.parts = turn.parts[2:]


def hunyuan(draft: Draft) -> None:
    """Hunyuan 3: the system block ends with the effort of reasoning, which is none unless it is asked for.

    A row's ``template_kwargs`` may give ``reasoning_effort`` (no_think, low, high); thinking switched on for the run is "high".
    ``preserved_thinking`` false drops reasoning of earlier answers where tools are given.
    """
    kwargs = draft.conversation.template_kwargs
    effort = kwargs.get("reasoning_effort", "high" if by_plan(draft) else "no_think")
    if effort not in ("no_think", "low", "high"):
        raise RefusedError(f"reasoning_effort {effort!r}; no_think, low or high is expected")
    draft.enable_thinking = effort != "no_think"
    draft.options = {
        **draft.options,
        "think_keep": "all" if kwargs.get("preserved_thinking", bool(draft.conversation.tools)) else "after",
    }
    told = taken(draft)
    if told:
        draft.system = [*(draft.system or ()), ("\n\n" if _said(draft) else "", True), *told]
    draft.system = [*(draft.system or ()), (f"<｜reasoning_mode:opensource｜>reasoning_effort:{effort}", True)]
