"""What a server does: which address, which names, who may come in, and how much. Pure decisions with reasons.

Keys are kept as SHA-256 and never shown: a plan is printed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from swift.llm.plan.checkpoint import was_given
from swift.llm.plan.engine import CKPT_NAME
from swift.llm.plan.plans import InferPlan
from swift.llm.plan.problems import Problems, Reasons

__all__ = ["SERVER_NEEDS", "DeployPlan", "HttpPlan", "Keys", "resolve_deploy", "resolve_http"]

SERVER_NEEDS = ("fastapi>=0.115", "uvicorn>=0.30", "httpcore>=1.0.5")
"""What the server imports: the extra `serve`."""

MIB = 2**20
IMAGE_HOST = re.compile(r"(http://)?(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)(:[0-9]{1,5})?")
NOT_FOR_SERVERS: Mapping[str, str] = {
    "dataset": "a server answers its clients, no rows",
    "val_dataset": "a server answers its clients, no rows",
    "load_dataset_config": "a server answers its clients, no rows",
    "show_dataset_sample": "a server answers its clients, no rows",
    "eval_human": "a server has no chat in the terminal",
    "stream": "each client says whether its answer streams",
    "save_result": "a server writes no answers to files",
    "result_dir": "a server writes no answers to files",
}
"""Arguments that deploy has from infer and that mean nothing here."""


@dataclass(frozen=True, slots=True)
class Keys:
    """SHA-256 (hex) of the keys that are accepted: of clients (none: no key is asked for), and of whoever manages adapters."""

    clients: tuple[str, ...] = ()
    admin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpPlan:
    """How the service is reached. ``names``: what clients call the model, the first is its own.

    ``request_timeout_s`` None is without limit; ``log_interval_s`` 0 writes no statistics; ``max_queue`` counts answers.
    ``allowed_image_hosts``: hosts that images are fetched from; each within ``image_timeout_s``.
    """

    host: str = "0.0.0.0"
    port: int = 8000
    names: tuple[str, ...] = ()
    owned_by: str = "swift"
    keys: Keys = field(default_factory=Keys)
    ssl_keyfile: str | None = None
    ssl_certfile: str | None = None
    adapter_roots: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_image_hosts: tuple[str, ...] = ()
    max_images: int = 16
    image_timeout_s: float = 20.0
    max_queue: int = 256
    max_body_bytes: int = 16 * MIB
    max_tokens_limit: int | None = None
    request_timeout_s: float | None = 1800.0
    drain_timeout_s: float = 60.0
    log_interval_s: int = 10
    log_requests: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployPlan(InferPlan):
    """An inference plan whose service is reached over HTTP. ``seed`` None: each answer is drawn anew."""

    http: HttpPlan
    seed: int | None = None


def resolve_http(
    args: Any, sources: Mapping[str, str], keys: Mapping[str, Sequence[str]], image_timeout_s: float = 20.0
) -> tuple[HttpPlan, Problems, Reasons]:
    """The settings of the server, what is wrong with them, and their reasons. ``keys``: file to its lines."""
    problems, reasons = Problems(), Reasons(sources)
    for name, why in NOT_FOR_SERVERS.items():
        if not sources.get(name, "checkpoint").startswith("checkpoint"):
            problems.add(f"--{name}: {why}. Leave it out.")
    _check(args, keys, problems)
    files = {name: keys.get(path, ()) if path else () for name, path in (
        ("clients", args.api_key_file), ("admin", args.admin_api_key_file),
    )}  # fmt: skip
    clients = [*([args.api_key] if args.api_key else []), *files["clients"]]
    if files["admin"] and files["admin"][0] in clients:
        problems.add("--admin_api_key_file: holds a key of the clients, who could load adapters with it. Use another.")
    http = HttpPlan(
        host=reasons.take("http.host", "host", args.host),
        port=reasons.take("http.port", "port", args.port),
        owned_by=args.owned_by,
        keys=Keys(tuple(map(_digest, clients)), _digest(files["admin"][0]) if files["admin"] else None),
        ssl_keyfile=args.ssl_keyfile,
        ssl_certfile=args.ssl_certfile,
        adapter_roots=tuple(args.adapter_roots),
        allowed_origins=tuple(args.allowed_origins),
        allowed_image_hosts=tuple(args.allowed_image_hosts),
        max_images=args.max_images,
        image_timeout_s=image_timeout_s,
        max_queue=reasons.take("http.max_queue", "max_queue", args.max_queue),
        max_body_bytes=int(args.max_body_mb * MIB),
        max_tokens_limit=args.max_tokens_limit,
        request_timeout_s=args.request_timeout or None,
        drain_timeout_s=args.drain_timeout,
        log_interval_s=args.log_interval,
        log_requests=args.verbose is not False,
    )
    reasons.note("http.needs_key", f"{len(clients)} keys of clients" if clients else "nobody is asked for a key")
    return http, problems, reasons


def resolve_deploy(infer: InferPlan, args: Any, http: HttpPlan, reasons: Reasons) -> DeployPlan:
    """The plan of ``swift deploy``: names and seed need the model and what was said."""
    own = args.served_model_name or infer.model.model_type or Path(infer.model.path).name
    names = tuple(dict.fromkeys((own, *args.model_aliases)))
    reasons.note("http.names", reasons.sources.get("served_model_name", "the model's type and --model_aliases"))
    given = was_given("seed", reasons)
    default_adapter = infer.default_adapter
    if default_adapter not in (None, CKPT_NAME) and not was_given("use_adapter", reasons):
        default_adapter = None
        reasons.note(
            "default_adapter", "the model's name is the model; --use_adapter NAME lets an adapter answer to it"
        )
    reasons.note("seed", reasons.sources["seed"] if given else "answers are drawn anew; a client may give a seed")
    most = http.max_images
    if infer.engine is not None and 0 < infer.engine.pictures < most:
        most = infer.engine.pictures
        reasons.note("http.max_images", "the engine's limit of images in a prompt")
    of_infer = {
        name: why for name, why in infer.reasons.items() if name not in ("data", "generate.seed", "result_path")
    }
    values = {one.name: getattr(infer, one.name) for one in fields(InferPlan)}
    values |= {
        "command": "deploy", "result_path": None, "http": replace(http, names=names, max_images=most), "seed": args.seed if given else None,
        "default_adapter": default_adapter,
        "reasons": {**of_infer, **reasons.by_field},
    }  # fmt: skip
    return DeployPlan(**values)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _check(args: Any, keys: Mapping[str, Sequence[str]], problems: Problems) -> None:
    for flag, path in (("api_key_file", args.api_key_file), ("admin_api_key_file", args.admin_api_key_file)):
        if path is not None and not keys.get(path):
            problems.add(f"--{flag} {path}: holds no key. Write one a line into it.")
    if args.admin_api_key_file is not None and len(keys.get(args.admin_api_key_file, ())) > 1:
        problems.add(f"--admin_api_key_file {args.admin_api_key_file}: holds several keys, one is expected.")
    for wrong, message in (
        (not 0 <= args.port < 65536, f"--port {args.port}: is a number from 0 (a free one) to 65535."),
        (
            (args.ssl_keyfile is None) != (args.ssl_certfile is None),
            "--ssl_keyfile and --ssl_certfile: TLS needs both. Give the other, or leave out both.",
        ),
        (args.api_key == "", "--api_key: is empty. Leave it out to ask for none."),
        (
            args.adapter_roots and args.admin_api_key_file is None,
            "--adapter_roots: nobody may load adapters without an admin key. Give --admin_api_key_file.",
        ),
        (
            args.admin_api_key_file is not None and not args.adapter_roots,
            "--admin_api_key_file: is for loading adapters, which needs --adapter_roots. Give the folders they lie in.",
        ),
        (args.max_images < 1, f"--max_images {args.max_images}: is a count from 1 up."),
        (args.max_queue < 0, f"--max_queue {args.max_queue}: is a count from 0 up."),
        (not 0 < args.max_body_mb <= 4096, f"--max_body_mb {args.max_body_mb}: lies above 0 and up to 4096."),
        (
            args.max_tokens_limit is not None and args.max_tokens_limit < 1,
            f"--max_tokens_limit {args.max_tokens_limit}: is a count from 1 up.",
        ),
        (
            args.request_timeout < 0 or args.drain_timeout < 0,
            "--request_timeout and --drain_timeout: are seconds from 0 up.",
        ),
        (args.log_interval < 0, f"--log_interval {args.log_interval}: is in seconds from 0 (off) up."),
        (any(not name for name in (args.served_model_name or "-", *args.model_aliases)), "--model_aliases: a name is empty."),
    ):  # fmt: skip
        if wrong:
            problems.add(message)
    for host in args.allowed_image_hosts:
        if not IMAGE_HOST.fullmatch(host):
            problems.add(
                f"--allowed_image_hosts {host}: is written as example.org, *.example.org, example.org:8443 or *."
            )
    for folder in args.adapter_roots:
        if not Path(folder).is_dir():
            problems.add(f"--adapter_roots {folder}: no such folder.")
    for flag, file in (("ssl_keyfile", args.ssl_keyfile), ("ssl_certfile", args.ssl_certfile)):
        if file is not None and not Path(file).is_file():
            problems.add(f"--{flag} {file}: no such file.")
