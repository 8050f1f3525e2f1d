"""A name to a local folder: what is on this machine as it is, everything else from ModelScope or Hugging Face.

The hubs' own packages do the transfer: they write under temporary names, rename at the end and go on where they stopped.
They are imported when a download is really needed. Knows no model and no row.
"""

from __future__ import annotations

import errno
import glob
import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from swift.utils import environ
from swift.utils.errors import DataError, ModelError, SwiftError
from swift.utils.files import disk_error
from swift.utils.lazy import require
from swift.utils.registry import nearest
from swift.utils.repository_layout import choose_files

__all__ = ["fetch_dataset", "is_hub_id", "package_folder", "recorded_id", "resolve"]

HUBS = {True: "Hugging Face", False: "ModelScope"}
SMALL_FILES = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken", "*.py")
"""Configuration and tokenizer: all that a plan needs of a model."""

MODEL_FILES = (*SMALL_FILES, "*.safetensors")
"""What a model is loaded from. Pickled weights are never fetched: loading them can run any code."""

UNUSED_FILES = ("original/*", "consolidated*", "onnx/*", "*.onnx.json", "runs/*", "checkpoint-*/*")

Kind = Literal["model", "dataset"]
T = TypeVar("T")


def resolve(
    name: str | os.PathLike[str],
    *,
    use_hf: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
    only_config: bool = False,
    check_latest: bool = True,
    known: Iterable[str] = (),
) -> Path:
    """Return the folder of a model: an existing folder, a ``package:folder``, or a hub id fetched into the hub's cache.

    ``use_hf`` None follows the variable USE_HF. ``only_config`` fetches no weights; a later call without it adds them to
    the same folder. ``check_latest`` False takes what is cached without asking the hub. ``known`` are names to suggest.
    Raises ModelError, MissingPackageError, DiskError.
    """
    text = os.fspath(name)
    if (inside := package_folder(text)) is not None:
        return inside
    local = Path(text).expanduser()
    if local.exists():
        return local
    near = nearest(text, known)
    hint = f" Did you mean --model_type {' or '.join(near)}?" if near else ""
    if not is_hub_id(text):
        raise ModelError(
            f"{text}: there is no such folder, and a hub id looks like owner/name.{hint} `swift list models` shows the names."
        )
    hf = environ.USE_HF.read() if use_hf is None else use_hf
    folder = _fetch(
        "model", text, hf=hf, revision=revision, token=token, check_latest=check_latest, hint=hint,
        allow=SMALL_FILES if only_config else MODEL_FILES, ignore=UNUSED_FILES,
    )  # fmt: skip
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{text}: {HUBS[hf]} has it without a config.json: not a model that can be loaded. Check the id."
        )
    if not only_config and not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{text}: {HUBS[hf]} has no safetensors weights of it, and others are not loaded, since they can run any code."
            " Take a revision or a copy that has them."
        )
    return folder


def is_hub_id(text: str) -> bool:
    """Whether the text has the form ``owner/name``."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*", text) is not None


def package_folder(text: str) -> Path | None:
    """The folder that ``"package:folder"`` names inside an installed package; None where the text is not of that form.

    Raises ModelError where the package does not hold it.
    """
    match = re.fullmatch(r"([A-Za-z_]\w+(?:\.\w+)*):([\w./-]+)", text)
    if match is None:
        return None
    package, folder = match.groups()
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (found := Path(place) / folder).is_dir():
            return found
    raise ModelError(
        f"{text}: the package {package} holds no folder {folder!r}. Install swift again with its data files."
    )


def recorded_id(folder: Path) -> str | None:
    """The hub id that a folder of a hub's cache was fetched by, as its place in the cache records it; else None."""
    path = Path(os.path.abspath(folder))
    for part, parent in zip(path.parts[::-1], path.parents, strict=False):
        # models--owner--name/snapshots/<commit> (Hugging Face); models/owner--name/snapshots/<revision> (ModelScope)
        if part.startswith("models--") and part.count("--") >= 2:
            return part.removeprefix("models--").replace("--", "/", 1)
        if parent.name == "models" and "--" in part and path.parent.name == "snapshots":
            return part.replace("--", "/", 1)
    if len(path.parts) > 3 and path.parts[-3] == "models" and (path / ".msc").exists():
        return f"{path.parts[-2]}/{path.parts[-1].replace('___', '.')}"  # models/owner/name (ModelScope before 1.38)
    return None


def fetch_dataset(
    hub_id: str,
    *,
    use_hf: bool,
    subsets: Sequence[str] = (),
    split: Sequence[str] = ("train",),
    revision: str | None = None,
    token: str | None = None,
) -> tuple[Path, ...]:
    """Return the data files of a hub's data set, fetched into the hub's cache; no others are fetched.

    Which files belong to a subset and a split is decided by ``repository_layout``. Raises DataError, MissingPackageError.
    """
    if not is_hub_id(hub_id):
        raise DataError(f"{hub_id}: a hub id looks like owner/name.")
    offline = environ.HF_HUB_OFFLINE.read()

    def fetch(names: Sequence[str]) -> Path:
        return _fetch("dataset", hub_id, hf=use_hf, revision=revision, token=token, check_latest=not offline,
                      allow=[glob.escape(name) for name in names])  # fmt: skip

    root = fetch(("README.md",))
    if offline:  # the names of what an earlier run fetched are all that is known
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    else:
        names = _list_files(hub_id, hf=use_hf, revision=revision, token=token)
    card = root / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    chosen = choose_files(hub_id, names, text, subsets, split)
    root = fetch(chosen)
    if absent := [name for name in chosen if not (root / name).is_file()]:
        raise DataError(
            f"{hub_id}: {absent[0]} was not fetched. Run the command again, or download it and give its path."
        )
    return tuple(root / name for name in chosen)


def _list_files(name: str, *, hf: bool, revision: str | None, token: str | None) -> list[str]:
    """The paths of all files of a data repository."""
    if hf:
        require("huggingface_hub>=0.30", extra="hub")
        from huggingface_hub import HfApi

        api: Any = HfApi(token=token or environ.HF_TOKEN.read())
        kwargs: dict[str, Any] = {"repo_type": "dataset", "revision": revision}
    else:
        require("modelscope-hub>=0.4", extra="hub")
        from modelscope_hub import HubApi

        api = HubApi(token=token or environ.MODELSCOPE_API_TOKEN.read())
        kwargs = {"repo_type": "dataset", "revision": revision}
    try:
        found = _guard(lambda: api.list_repo_files(name, **kwargs), partial(_cut, HUBS[hf]))
    except _NotFetchedError as error:
        raise DataError(f"{name}: {error} {error.advice(hf)}") from error
    return [one if isinstance(one, str) else str(one.path) for one in found]


# --- the two hubs ---


def _fetch(
    kind: Kind,
    name: str,
    *,
    hf: bool,
    revision: str | None,
    token: str | None,
    check_latest: bool,
    allow: Sequence[str],
    ignore: Sequence[str] = (),
    hint: str = "",
) -> Path:
    download = _hugging_face if hf else _modelscope
    error_class = ModelError if kind == "model" else DataError
    offline = environ.HF_HUB_OFFLINE.read()
    fetch = partial(download, kind=kind, name=name, revision=revision, token=token, allow=allow, ignore=ignore)
    if offline or not check_latest:
        try:
            return fetch(local_only=True)
        except _NotFetchedError as error:
            if offline:
                raise error_class(
                    f"{name}: not a local folder and not in the cache of {HUBS[hf]}, and HF_HUB_OFFLINE forbids the network."
                    f"{hint} Unset it, give the path of a folder, or look in the cache of {HUBS[not hf]} with"
                    f" --use_hf {str(not hf).lower()}."
                ) from error
    try:
        return fetch(local_only=False)
    except _NotFetchedError as error:
        raise error_class(f"{name}: {error}{hint} {error.advice(hf)}") from error


class _NotFetchedError(SwiftError):
    """Why a download did not happen; ``kind`` decides the advice."""

    def __init__(self, reason: str, kind: Literal["absent", "denied", "cut"]) -> None:
        super().__init__(reason)
        self.kind = kind

    def advice(self, hf: bool) -> str:
        """What to do next."""
        other = f"--use_hf {str(not hf).lower()}"
        return {
            "absent": f"Check the id, or look on the other hub ({HUBS[not hf]}) with {other}.",
            "denied": "Ask for access on its page, then give --hub_token or set "
            + ("HF_TOKEN." if hf else "MODELSCOPE_API_TOKEN."),
            "cut": f"Nothing half-written is left. Run the command again when the network is back: it goes on where it stopped;"
            f" or try the other hub ({HUBS[not hf]}) with {other}, or give the path of a local folder.",
        }[self.kind]


def _hugging_face(
    *,
    kind: Kind,
    name: str,
    revision: str | None,
    token: str | None,
    allow: Sequence[str],
    ignore: Sequence[str],
    local_only: bool,
) -> Path:
    require("huggingface_hub>=0.30", extra="hub")
    from huggingface_hub import errors, snapshot_download

    def download() -> str:
        return str(
            snapshot_download(
                name,
                repo_type=kind,
                revision=revision,
                token=token or environ.HF_TOKEN.read(),
                allow_patterns=list(allow),
                ignore_patterns=list(ignore) or None,
                local_files_only=local_only,
            )
        )

    def classify(error: Exception) -> _NotFetchedError:
        if isinstance(error, errors.GatedRepoError):
            return _NotFetchedError("Hugging Face gives it only to people who were granted access.", "denied")
        if isinstance(error, errors.RevisionNotFoundError):
            return _NotFetchedError(f"Hugging Face has no revision {revision!r} of it.", "absent")
        if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
            return _NotFetchedError(f"Hugging Face has no such {kind} (or it is private).", "absent")
        return _cut("Hugging Face", error)

    return Path(_guard(download, classify))


def _modelscope(
    *,
    kind: Kind,
    name: str,
    revision: str | None,
    token: str | None,
    allow: Sequence[str],
    ignore: Sequence[str],
    local_only: bool,
) -> Path:
    # The small client alone: importing `modelscope` itself takes seconds.
    require("modelscope-hub>=0.4", extra="hub")
    from modelscope_hub import HubApi, errors

    def download() -> str:
        api = HubApi(token=token or environ.MODELSCOPE_API_TOKEN.read())
        return str(
            api.download_repo(
                name,
                kind,
                revision=revision,
                allow_patterns=list(allow),
                ignore_patterns=list(ignore) or None,
                local_files_only=local_only,
            )
        )

    def classify(error: Exception) -> _NotFetchedError:
        if isinstance(error, errors.NotExistError):
            what = f"revision {revision!r} of it" if revision else f"such {kind} (or it is private)"
            return _NotFetchedError(f"ModelScope has no {what}.", "absent")
        if isinstance(error, errors.AuthenticationError | errors.PermissionDeniedError):
            return _NotFetchedError("ModelScope gives it only to people who were granted access.", "denied")
        if isinstance(error, errors.NetworkError):  # its text is a page of addresses and numbers of attempts
            return _NotFetchedError("there is no connection to ModelScope.", "cut")
        return _cut("ModelScope", error)

    return Path(_guard(download, classify))


def _guard(download: Callable[[], T], classify: Callable[[Exception], _NotFetchedError]) -> T:
    """Call a hub's client; whatever it raises is told in our words (the packages share no base class for errors)."""
    try:
        return download()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM):
            raise disk_error(error, error.filename or "the hub's cache folder") from error
        raise classify(error) from error
    except Exception as error:
        raise classify(error) from error


def _cut(hub: str, error: Exception) -> _NotFetchedError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _NotFetchedError(f"cannot be fetched from {hub}: {first[:300].rstrip('.')}.", "cut")
