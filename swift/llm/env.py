"""`swift env list|add|check|remove`: environments of their own for engines that exclude each other."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swift.environments.create import check_imports, create, remove
from swift.environments.locate import Located, build_for, env_root, has_gpu, locate
from swift.environments.rows import ENVIRONMENTS, EnvironmentRow
from swift.llm.arguments.environments import EnvArguments
from swift.llm.catalog.registries import ENGINE_MAPPING
from swift.utils.errors import ArgumentError, EnvironmentsError, SwiftError

__all__ = ["env_main", "main"]

QUESTION = "What is the capital of France?"


def main(parsed: Any) -> int:
    """Run the command: 0 where all is well, 1 where an environment is not as asked for."""
    return env_main(parsed.args)


def env_main(args: EnvArguments) -> int:
    """The same from an ``EnvArguments``. Raises SwiftError where the command line would show a message."""
    if args.action != "list" and not args.names:
        raise ArgumentError(f"swift env {args.action}: which environment? Known are {', '.join(ENVIRONMENTS)}.")
    rows = [ENVIRONMENTS.find(name) for name in args.names] or list(ENVIRONMENTS.values())
    root = env_root(args.env_dir)
    action: Callable[[EnvArguments, EnvironmentRow, Path], tuple[bool, dict[str, Any]]] = {
        "list": _list, "add": _add, "check": _check, "remove": _remove,
    }[args.action]  # fmt: skip
    results = [action(args, row, root) for row in rows]
    told = [result for _, result in results]
    if args.json:
        print(json.dumps({"env_dir": str(root), "environments": told}, ensure_ascii=False, indent=2))
    else:
        for line in _lines(args, root, told):
            print(line)
    return 0 if all(is_well for is_well, _ in results) else 1


def _list(args: EnvArguments, row: EnvironmentRow, root: Path) -> tuple[bool, dict[str, Any]]:
    return True, _told(row, locate(row, root))


def _add(args: EnvArguments, row: EnvironmentRow, root: Path) -> tuple[bool, dict[str, Any]]:
    started = time.monotonic()
    answers: list[str] = []

    def check(made: Located) -> None:
        if args.smoke and made.folder is not None and _engine_of(row) is not None:
            _say(args)("a first prompt (the engine compiles at its first start)")
            answers.append(smoke(row, Path(made.folder).parent, made))

    found = create(
        row, root, again=args.again, installer=args.installer, torch_index=args.torch_index, check=check, say=_say(args),  # type: ignore[arg-type]
    )  # fmt: skip
    told = {**_told(row, found), "seconds": round(time.monotonic() - started, 1)}
    if answers:
        told["answer"] = answers[0]
    return found.usable, told


def _check(args: EnvArguments, row: EnvironmentRow, root: Path) -> tuple[bool, dict[str, Any]]:
    found = locate(row, root)
    told = _told(row, found)
    if not found.usable or found.python is None:
        return False, {**told, "problem": f"{found.why}. Make it with: swift env add {row.name}"}
    try:
        check_imports(row, found.python)
        if args.smoke and _engine_of(row) is not None:
            told["answer"] = smoke(row, root, found)
    except SwiftError as error:
        return False, {**told, "state": "broken", "problem": str(error)}
    return True, told


def _remove(args: EnvArguments, row: EnvironmentRow, root: Path) -> tuple[bool, dict[str, Any]]:
    was_there = remove(row, root)
    return was_there, {"name": row.name, "state": "removed" if was_there else "absent", "why": f"in {root}"}


def smoke(row: EnvironmentRow, root: Path, located: Located) -> str:
    """Let the row's engine answer one question with the demo model, in the environment that was located; returns the answer.

    Raises EngineError with the end of its log where it does not.
    """
    import asyncio

    from swift.demo import MODEL
    from swift.llm.answering.planning import make_infer_plan
    from swift.llm.answering.service import open_service
    from swift.llm.arguments.commands import InferArguments
    from swift.llm.core import Conversation, Message, Sampling

    engine = _engine_of(row)
    assert engine is not None
    arguments: dict[str, Any] = {
        "model_type": "demo-chat", "infer_backend": engine, "env_dir": str(root), "save_result": False, "dtype": "fp32",
        "max_model_len": 512,
    }  # fmt: skip
    if "enforce_eager" in ENGINE_MAPPING[engine].arguments:
        arguments |= {"enforce_eager": True, "max_num_seqs": 4}
    assert MODEL.is_dir()
    plan = make_infer_plan(
        InferArguments(**arguments), dict.fromkeys(arguments, "swift env"), located={row.name: located}
    )
    with open_service(plan) as service:
        answer = asyncio.run(service.answer(Conversation((Message("user", QUESTION),)), Sampling(max_new_tokens=16)))
    if not answer.text.strip():
        raise EnvironmentsError(f"{row.title} gave an empty answer to {QUESTION!r}.")
    return answer.text.strip()


def _engine_of(row: EnvironmentRow) -> str | None:
    """The engine that lives in the environment; None for one that holds something else."""
    return next((engine.name for engine in ENGINE_MAPPING.values() if engine.environment == row.name), None)


def _told(row: EnvironmentRow, found: Located) -> dict[str, Any]:
    build = build_for(row, gpu=has_gpu())
    packages: Mapping[str, str] = found.record.get("packages") or {}
    return {
        "name": row.name, "title": row.title, "state": found.state, "why": found.why, "build": found.build,
        "folder": found.folder, "python": found.python if found.usable else None,
        "requires": list(build.requires) if build is not None else [],
        "versions": {name: packages[name] for name in ("torch", "transformers", row.name, f"{row.name}-cpu") if name in packages},
        "taken_out": found.record.get("taken_out", []), "help": row.help,
    }  # fmt: skip


def _say(args: EnvArguments) -> Callable[[str], None]:
    """Progress goes to standard error, so that --json stays JSON."""

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    return say


def _lines(args: EnvArguments, root: Path, told: Sequence[Mapping[str, Any]]) -> list[str]:
    width = max(len(str(one["name"])) for one in told)
    lines = []
    for one in told:
        versions = ", ".join(f"{name} {version}" for name, version in one.get("versions", {}).items())
        lines.append(f"{one['name']:<{width}}  {one['state']:<8}  {versions or one['why']}")
        if args.action == "list":
            lines.append(f"{'':<{width}}  {'':<8}  {one['help']}")
            if one["state"] in ("stale", "broken"):
                lines.append(f"{'':<{width}}  {'':<8}  {one['why']}; swift env add {one['name']} repairs it")
        if "problem" in one:
            lines.append(str(one["problem"]))
        if "answer" in one:
            lines.append(f"{'':<{width}}  {'':<8}  {QUESTION!r} was answered: {one['answer'][:100]!r}")
    if args.action == "list":
        free = shutil.disk_usage(next(one for one in (root, *root.parents) if one.exists())).free / 2**30
        lines.append(f"in {root} ({free:.0f} GiB free); make one with: swift env add NAME")
    return lines
