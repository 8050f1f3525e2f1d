"""`swift template check`: is the template the format that the model's own tokenizer asks for, and what of it is trained?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from swift.llm.arguments.commands.template import OWN
from swift.llm.catalog.registries import MODEL_MAPPING, TEMPLATE_MAPPING
from swift.llm.core import Conversation, Encoded
from swift.llm.plan.facts import read_chat_template
from swift.llm.plan.find import find_model, register_rows
from swift.llm.plan.match import match_model, template_fingerprint
from swift.llm.plan.plans import DataPlan, TemplatePlan
from swift.llm.template import Template, open_template
from swift.llm.template.check import CONVERSATIONS, VERDICT, Result, Verdict, verdict_as_json, verify
from swift.llm.tokenizer import TextTokenizer, load_tokenizer
from swift.utils.errors import ArgumentError, DataError, PlanError
from swift.utils.files import read_json, write_json_atomic
from swift.utils.hub import recorded_id

__all__ = ["check", "main"]

RED, GREEN, YELLOW, RESET = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"


def main(parsed: Any) -> int:
    """Run `swift template check`: 0 where nothing that matters differs, 1 where something does."""
    args = parsed.args
    if args.model is None:
        raise ArgumentError("--model: which model was not said. Give a folder, a model_type or a hub id.")
    register_rows(SimpleNamespace(custom_register_path=args.custom_register_path, custom_dataset_info=None))
    folder, name, why = find_template(args)
    tokenizer = load_tokenizer(folder)
    plan = TemplatePlan(
        template_type=name, system=args.system, enable_thinking=args.enable_thinking, date=args.template_date
    )
    template = open_template(name, tokenizer, plan)
    conversations = None if args.conversations is None else read(args.conversations)
    verdict = check(template, tokenizer, conversations)
    if args.save is not None:
        path = Path(args.save)
        write_json_atomic(path / VERDICT if path.is_dir() else path, {**verdict_as_json(verdict), "why": why})
    if args.json:
        print(json.dumps({**verdict_as_json(verdict), "why": why}, ensure_ascii=False, indent=2))
    else:
        colour = sys.stdout.isatty()
        for line in report(verdict, why, template, tokenizer, colour=colour):
            print(line)
        shown = _shown(verdict, {**CONVERSATIONS, **(conversations or {})}, args.show)
        for line in show_tokens(template, tokenizer, *shown, colour=colour):
            print(line)
    return 1 if verdict.different() else 0


def check(
    template: Template, tokenizer: TextTokenizer, conversations: Mapping[str, Conversation] | None = None
) -> Verdict:
    """Compare a template with the tokenizer's chat template. Raises DataError where there is nothing to compare with."""
    if tokenizer.chat_template is None:
        raise DataError(
            f"The tokenizer has no chat template of its own, so template {template.name} has nothing to be compared with. "
            "Nothing is wrong with that: base models have none."
        )
    return verify(template, tokenizer, conversations)


def find_template(args: Any) -> tuple[Path, str | None, str]:
    """The tokenizer's folder, the template's name (None: the tokenizer's own chat template), and why it is that one."""
    local = Path(args.model).expanduser()
    folder = local
    if args.model in MODEL_MAPPING or not local.is_dir():
        named = args.model in MODEL_MAPPING
        wanted = SimpleNamespace(
            model_type=args.model if named else None, model_id_or_path=None if named else args.model,
            model_revision=args.model_revision, use_hf=args.use_hf, hub_token=args.hub_token,
        )  # fmt: skip
        facts, row, why = find_model(wanted, {}, need_weights=False)
        folder, name = Path(facts.path), row.template
    elif (local / "plan.json").is_file():
        name, why = (
            read_json(local / "plan.json")["template"]["template_type"],
            "the run that wrote this folder used it",
        )
    else:
        name, why = _of_folder(local)
    if args.template_type == OWN:
        return folder, None, "--template_type own"
    if args.template_type != "AUTO":
        return folder, TEMPLATE_MAPPING.find(args.template_type).name, f"--template_type {args.template_type}"
    return folder, name, why


def _of_folder(folder: Path) -> tuple[str | None, str]:
    """The template of a model's folder, or of one that holds a tokenizer only."""
    text = read_chat_template(folder)
    if (folder / "config.json").is_file():
        match = match_model(read_json(folder / "config.json"), text, None, recorded_id(folder))
        if match.row is None:
            raise PlanError(
                [f"--model {folder}: several rows fit; say which template: --template_type NAME ({match.why})"]
            )
        return match.row.template, match.why
    if text is None:
        return None, "the folder holds a tokenizer without a chat template"
    fingerprint = template_fingerprint(text)
    # A base model may come with the chat template of its family: it says nothing about the format (as in `match_model`).
    knowing = (row for row in MODEL_MAPPING.values() if fingerprint in row.chat_templates and "base" not in row.tags)
    fitting = {row.template for row in knowing} - {None}
    if len(fitting) == 1:
        return fitting.pop(), "the row of models with this chat template"
    named = f"rows of several formats know this chat template: {', '.join(sorted(map(str, fitting)))}"
    return None, f"{named if fitting else 'no row knows this chat template'}; it is looked at by itself"


def read(path: str) -> dict[str, Conversation]:
    """Conversations of a file by place. Raises DataError where none can be used."""
    from swift.llm.dataset.preparation import read_conversations

    rows = list(read_conversations(DataPlan(dataset=(), val_dataset=(path,))))
    found = {f"{Path(path).name}:{row.place.line}": row for row in rows if isinstance(row, Conversation) and row.place}
    if not found:
        lost = next((row.reason for row in rows if not isinstance(row, Conversation)), "it is empty")
        raise DataError(f"--conversations {path}: no row can be used ({lost}).")
    return found


def report(verdict: Verdict, why: str, template: Template, tokenizer: TextTokenizer, *, colour: bool) -> Iterator[str]:
    """The verdict as lines."""
    own = template.row is None
    yield f"template: {'the chat template of the tokenizer' if own else verdict.template} ({why})"
    yield "  prompts against the beginnings of samples" if own else "  against the chat template of the tokenizer"
    width = max((len(result.conversation) for result in verdict.results), default=0)
    by_name: dict[str, list[Result]] = {}
    for result in verdict.results:
        by_name.setdefault(result.conversation, []).append(result)
    for name, results in by_name.items():
        reasons = dict.fromkeys(result.why for result in results if result.why)
        states = ", ".join(f"{result.what} {_state(result, colour)}" for result in results)
        yield f"  {name:<{width}}  {states}{''.join(f'  ({reason})' for reason in reasons)}"
    if verdict.first_difference is not None:
        yield "first difference"
        lines = verdict.first_difference.splitlines()
        for line in lines:
            yield f"  {RED}{line}{RESET}" if colour and line.strip() == "^" else f"  {line}"
    for note in verdict.notes:
        yield f"note: {note}"
    stops = ", ".join(repr(tokenizer.decode([id_])) for id_ in template.stop_ids)
    yield f"an answer ends at {', '.join([part for part in (stops, *map(repr, template.stop_strings)) if part]) or 'nothing'}"
    wrong = len(verdict.different())
    if wrong:
        yield f"{RED if colour else ''}DIFFERENT in {wrong} of {verdict.checked} comparisons{RESET if colour else ''}"
    elif verdict.loss_free:
        yield f"equal in {verdict.checked} comparisons, but for what follows the last trained token"
    else:
        yield f"equal in {verdict.checked} comparisons"


def _state(result: Result, colour: bool) -> str:
    paint = {"different": RED, "behind": YELLOW, "equal": GREEN}.get(result.state, "") if colour else ""
    text = "differs behind the last trained token" if result.state == "behind" else result.state
    return f"{paint}{text}{RESET if paint else ''}"


def _shown(verdict: Verdict, known: Mapping[str, Conversation], asked: str | None) -> tuple[str, Conversation]:
    """The conversation to show: the one that was asked for, else the first that differs, else the first."""
    if asked is None:
        names = [
            result.conversation for result in (*verdict.different(), *verdict.results) if result.conversation in known
        ]
        asked = names[0] if names else next(iter(known))
    if asked not in known:
        raise ArgumentError(f"--show {asked!r}: there is no such conversation. Choose from {', '.join(known)}.")
    return asked, known[asked]


def show_tokens(
    template: Template, tokenizer: TextTokenizer, name: str, conversation: Conversation, *, colour: bool
) -> Iterator[str]:
    """The tokens of one conversation, with what is trained of them."""
    from swift.llm.training.preview import show_sample

    sample = template.encode(conversation)
    yield f"tokens of {name!r} ({'trained tokens are green' if colour else 'trained tokens stand in [[ ]]'})"
    yield f"  {show_sample(sample, tokenizer, colour=colour) if isinstance(sample, Encoded) else sample.reason}"
