"""What the chat page is and whom it talks to. Pure decisions with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from swift.llm.arguments.fields import specs
from swift.llm.arguments.serve import AppArguments
from swift.llm.plan.deploy import NOT_FOR_SERVERS
from swift.llm.plan.match import GENERATION
from swift.llm.plan.plans import InferPlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["AppUiPlan", "check_app_ui", "resolve_app_ui"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppUiPlan:
    """One chat page. ``infer`` is the model that is served for it, None where ``api_base`` names a server that runs already.

    ``served`` holds the arguments, as they were given, that the server of the model is started with; ``is_base``: the page
    begins with a text to go on with, as the model has no chat format.
    """

    command: str = "app-ui"
    host: str
    port: int
    share: bool
    title: str
    is_base: bool = False
    api_base: str | None = None
    infer: InferPlan | None = None
    served: Mapping[str, Any] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def check_app_ui(args: Any, sources: Mapping[str, str], key: Sequence[str] | None) -> Problems:
    """What is wrong with the page's own arguments; ``key``: the lines of --api_key_file."""
    problems = Problems()
    given = [name for name, source in sources.items() if not source.startswith("checkpoint")]
    for name, why in NOT_FOR_SERVERS.items():
        if name in given:
            problems.add(f"--{name}: {why}. Leave it out.")
    if not 0 <= args.port < 65536:
        problems.add(f"--port {args.port}: is a number from 0 (a free one) to 65535.")
    if args.api_base is not None:
        own = set(specs(AppArguments)) | {"dry_run"}
        others = [f"--{name}" for name in given if name not in own]
        if others:
            problems.add(f"{', '.join(others)}: the server at --api_base has its model and settings. Leave them out.")
        if not args.api_base.startswith(("http://", "https://")):
            problems.add(
                f"--api_base {args.api_base}: begins with http:// or https://, as in http://127.0.0.1:8000/v1."
            )
    elif args.api_key_file is not None:
        problems.add(
            "--api_key_file: is for a server that runs already. Give its address as --api_base, or leave it out."
        )
    if args.api_key_file is not None and not key:
        problems.add(f"--api_key_file {args.api_key_file}: holds no key. Write it into the first line.")
    return problems


def resolve_app_ui(args: Any, sources: Mapping[str, str], infer: InferPlan | None) -> AppUiPlan:
    """The plan of ``swift app-ui``."""
    reasons = Reasons(sources)
    own = set(specs(AppArguments)) | {"dry_run"}
    served = {} if infer is None else {name: getattr(args, name) for name in sources if name not in own}
    reasons.note("api_base", "the server that was named" if infer is None else "the model is served for this page only")
    return AppUiPlan(
        host=reasons.take("host", "host", args.host),
        port=reasons.take("port", "port", args.port),
        share=reasons.take("share", "share", args.share),
        title=args.api_base if infer is None else (infer.model.model_type or infer.model.path),
        is_base=infer is not None and infer.template.template_type == GENERATION,
        api_base=args.api_base,
        infer=None if infer is None else replace(infer, result_path=None),  # the page writes no answers to files
        served=served,
        reasons=reasons.by_field,
        facts={} if infer is None else infer.facts,
    )
