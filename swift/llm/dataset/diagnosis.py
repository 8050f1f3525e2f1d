"""What is wrong with a whole file, and the command that puts it right: said once, not row by row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swift.llm.catalog.rows import DatasetRow
from swift.llm.dataset.formats.draft import RowFormat
from swift.llm.dataset.turns import Lost, TurnOptions, parse_json

__all__ = ["explain", "why_not"]

_ANSWERS = frozenset(("response", "output", "answer", "completion", "chosen", "RESPONSE"))
_SHAPES_TEXT = (
    "query + response; instruction + output; conversations [{from, value}]; messages [{role, content}]; "
    "conversation [{human, assistant}]; text; question + answer; prompt + completion; prompt + chosen + rejected"
)
# Names that people give to the columns of format 1, in small letters and without signs; the first that is there counts.
_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "query": ("query", "question", "instruction", "prompt", "input", "inputs", "user", "human", "request", "q", "ask",
              "problem", "task", "usermessage", "source", "src", "context", "title"),
    "response": ("response", "answer", "output", "outputs", "completion", "target", "targets", "assistant", "reply", "bot",
                 "gpt", "solution", "a", "result", "generation", "assistantmessage", "modelanswer", "summary", "tgt",
                 "chosen", "chosenresponse"),
    "rejected_response": ("rejectedresponse", "rejected", "rejectedanswer", "worse"),
    "system": ("system", "systemprompt", "systemmessage", "sys"),
}  # fmt: skip
_ROLE_KEYS = ("role", "from", "speaker", "author", "sender", "who", "name", "type")
_TEXT_KEYS = ("content", "value", "text", "message", "utterance", "says", "body")
_USERS = ("user", "human", "person", "customer", "patient", "client", "question", "student", "guest", "q", "me")


def why_not(
    given: Mapping[str, Any],
    nulls: Sequence[str],
    wanted: tuple[str, tuple[frozenset[str], ...]] | None,
    turns_key: str | None,
) -> str:
    """Say why no format reads a row: ``nulls`` are columns that would do if they were not null."""
    if nulls:
        return "empty answer" if _ANSWERS.intersection(nulls) else f"null in column {', '.join(nulls)}"
    found = _names(given)
    if turns_key:
        return f"no column {turns_key!r}: found {found}"
    if wanted is not None:
        name, needs = wanted
        return f"type {name} needs {' or '.join(' + '.join(sorted(one)) for one in needs)}: found {found}"
    return f"no known columns: found {found}"


def _names(columns: Iterable[Any]) -> str:
    names = sorted(map(str, columns))
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "none"


def explain(reason: str, values: Any, row: DatasetRow, formats: Mapping[str, RowFormat]) -> str:
    """Give the advice for a reason that all rows share; ``values`` is one of the rows."""
    values = {key: one for key, one in values.items() if one is not None} if isinstance(values, dict) else {}
    if reason.startswith(("no known columns", "no column", "type ")):
        return _columns_advice(values or dict.fromkeys(_found(reason), ""), row, formats)
    if reason.startswith("unknown role"):
        return _roles_advice(re.findall(r"'([^']*)'", reason), values, row)
    if "names no role" in reason:
        return _turn_keys_advice(values, row)
    if reason.startswith("empty"):
        return _empty_advice(reason, values, row)
    if "neither JSON nor a Python literal" in reason:
        return "Write the column as a list, or as its JSON text (json.dumps), not as the text of an object's name or of a table."
    if reason.startswith(("not alternating: the assistant begins", "the last turn is the")):
        return (
            "If the two roles are swapped, name them: "
            + _command(row, conversations={"user_role": "WHO ASKS", "assistant_role": "WHO ANSWERS"})
        )  # fmt: skip
    if reason.startswith("wrong type: label"):
        return 'A label is a JSON boolean: {"label": true}. Texts and numbers are not guessed at; write true or false.'
    if reason.startswith("no rejected answer"):
        return (
            "Pairs are query + response + rejected_response, or prompt + chosen + rejected. Other names: "
            + _command(row, columns={"YOURS": "response", "YOURS TOO": "rejected_response"})
        )  # fmt: skip
    if reason.startswith("wrong type"):
        return (
            "Rows are read as JSON: texts in quotes, lists of turns as lists. Repair the file, or name its columns: "
            + _command(row, columns={"YOURS": "query", "YOURS TOO": "response"})
        )
    return ""


def _found(reason: str) -> list[str]:
    found = reason.rpartition("found ")[2]
    return [] if found == "none" else found.split(", ")


def _columns_advice(values: Mapping[str, Any], row: DatasetRow, formats: Mapping[str, RowFormat]) -> str:
    columns = frozenset(map(str, values))
    sign = next((sign for sign in ";|\t" if len(columns) == 1 and sign in next(iter(columns))), None)
    if sign is not None:
        return f"The header is one column with {sign!r} in it: .csv is read with commas, .tsv with tabs. Write the file so, or as JSON."
    fitting = _fitting(columns, formats)
    lines = []
    if fitting:
        names = " or ".join(f"`{name}`" for name in fitting)
        read = "/".join(f"`{one}`" for one in sorted(_most(columns, formats[fitting[0]])))
        lines.append(
            f"{read} found; did you mean type {names}? {_command(row, type=fitting[0])}{_in_yaml(row, fitting[0])}"
        )
    turns = _turns_column(values)
    renames = _guessed_renames(columns)
    if turns is not None:
        lines.append(f"Column {turns[0]!r} holds turns: {_command(row, conversations=turns[1])}")
    elif renames:
        told = ", ".join(f"{old!r} is the {new}" for old, new in renames.items())
        lines.append(f"If {told}: {_command(row, columns=renames)}")
    lines.append(f"Known shapes: {_SHAPES_TEXT}.")
    if len(lines) == 1:
        lines[0] += " Rename the columns in the file, or register it with a rename: " + _command(
            row, columns={"YOURS": "query", "YOURS TOO": "response"}
        )
    return "\n".join(lines)


def _most(columns: frozenset[str], one: RowFormat) -> frozenset[str]:
    return max((need for need in one.needs if need <= columns), key=len)


def _fitting(columns: frozenset[str], formats: Mapping[str, RowFormat]) -> list[str]:
    """Formats that only a name calls for and that these columns satisfy, those that read most columns first."""
    sizes = {
        name: len(_most(columns, one))
        for name, one in formats.items()
        if not one.auto and any(need <= columns for need in one.needs)
    }
    most = max(sizes.values(), default=0)
    return [name for name, size in sizes.items() if size == most][:4]


def _guessed_renames(columns: frozenset[str]) -> dict[str, str]:
    """Which columns could be those of format 1, by their names; empty unless one could be the answer."""
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in sorted(columns)}
    renames: dict[str, str] = {}
    for new, names in _SYNONYMS.items():
        old = next((plain[name] for name in names if name in plain and plain[name] not in renames), None)
        if old is not None:
            renames[old] = new
    return renames if "response" in renames.values() and "query" in renames.values() else {}


def _turns_column(values: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """A column that holds a list of turns under a name of its own, and the options that read it."""
    for name, value in values.items():
        if isinstance(value, str) and value.lstrip()[:2] in ("[{", "[ "):
            try:
                value = parse_json(value, name)
            except Lost:
                continue
        if isinstance(value, list) and value and all(isinstance(turn, dict) for turn in value):
            keys = _turn_keys(value)
            if keys is not None:
                return str(name), {"conversations_key": str(name), **keys}
    return None


def _turn_keys(turns: Sequence[Mapping[str, Any]]) -> dict[str, str] | None:
    role = next((key for key in _ROLE_KEYS if isinstance(turns[0].get(key), str)), None)
    text = next((key for key in _TEXT_KEYS if isinstance(turns[0].get(key), str) and key != role), None)
    if role is None or text is None:
        return None
    speakers = dict.fromkeys(str(turn.get(role)) for turn in turns)
    return {"from_key": role, "value_key": text, **_who(list(speakers))}


def _who(speakers: Sequence[str]) -> dict[str, str]:
    """Name the user and the assistant among two speakers: the one who sounds like it asks, else the one who begins."""
    others = [one for one in speakers if one.lower() not in ("system", "tool")]
    if not others or {one.lower() for one in others} <= {"user", "assistant", "human", "gpt", "bot"}:
        return {}
    user = next((one for one in others if one.lower() in _USERS), others[0])
    rest = [one for one in others if one != user]
    return {"user_role": user, **({"assistant_role": rest[0]} if rest else {})}


def _roles_advice(names: Sequence[str], values: Mapping[str, Any], row: DatasetRow) -> str:
    """Say who the unknown names are: the one who is missing of user and assistant, or who asks and who answers."""
    said = _speakers(values, row)
    roles = TurnOptions.of(row.conversations).roles
    known = {roles.get(name) or roles.get(name.strip().lower()) for name in said}
    missing = [role for role in ("user", "assistant") if role not in known]
    guess: dict[str, str] = {}
    if len(missing) == 2 and len(names) > 1:
        guess = _who(names)
    elif names:
        guess = {f"{missing[0] if missing else 'tool'}_role": names[0]}
    return (
        "Known roles: system; user, human; assistant, gpt, bot; tool, observation; function_call. Others are named in a "
        f"registration: {_command(row, conversations={**row.conversations, **guess})}"
    )


def _speakers(values: Mapping[str, Any], row: DatasetRow) -> list[str]:
    keys = (row.conversations.get("conversations_key"), "conversations", "messages", "conversation")
    for value in (values[str(key)] for key in keys if key in values):
        try:
            turns = parse_json(value, "the turns")
        except Lost:
            continue
        if isinstance(turns, list):
            by = (row.conversations.get("from_key"), "role", "from")
            found = [next((turn[key] for key in by if key in turn), "") for turn in turns if isinstance(turn, dict)]
            return [one for one in found if isinstance(one, str)]
    return []


def _turn_keys_advice(values: Mapping[str, Any], row: DatasetRow) -> str:
    found = _turns_column(values)
    options = {"from_key": "YOURS", "value_key": "YOURS TOO"} if found is None else found[1]
    return f"Turns are {{role, content}} or {{from, value}}. Other keys are named in a registration: {_command(row, conversations=options)}"


def _empty_advice(reason: str, values: Mapping[str, Any], row: DatasetRow) -> str:
    empty = [str(name) for name, value in values.items() if isinstance(value, str) and not value.strip()]
    texts = [
        name
        for name, value in values.items()
        if isinstance(value, str) and value.strip() and name not in ("id", "system")
    ]
    answers = [name for name in empty if name in _ANSWERS or name == "text"]
    if not answers or not texts:
        return ""
    guess = next((name for name in _guessed_answers(texts) if name not in answers), "THE ANSWER'S COLUMN")
    return (
        f"Column {answers[0]!r} is empty in these rows; texts are in {', '.join(map(repr, texts))}. If the answer is in another "
        f"column: {_command(row, columns={guess: 'response'})}"
    )


def _guessed_answers(names: Sequence[str]) -> list[str]:
    plain = {re.sub(r"[^a-z]", "", name.lower()): name for name in names}
    return [plain[name] for name in _SYNONYMS["response"] if name in plain]


def _where(row: DatasetRow) -> tuple[str, str]:
    if row.path is not None:
        return "dataset_path", row.path
    return ("hf_dataset_id", row.hf) if row.hf is not None else ("dataset_id", row.ms or "FILE")


def _command(row: DatasetRow, **what: Any) -> str:
    """The flags that register the source so."""
    key, value = _where(row)
    info = json.dumps({"mine": {key: value, **what}}, ensure_ascii=False).replace("'", "'\\''")
    return f"--custom_dataset_info '{info}' --dataset mine"


def _in_yaml(row: DatasetRow, name: str) -> str:
    return f" (in a YAML file: datasets: [{{path: {_where(row)[1]}, type: {name}}}])"
