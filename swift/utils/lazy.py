"""Finding code late: by `"module:attr"`, and only after the packages it needs were checked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from swift.utils.errors import MissingPackageError

__all__ = ["load", "require"]


def load(path: str) -> Any:
    """Return the object that `"module:attr"` (or `"module:Class.method"`) names; `"module"` alone is the
    module.
    """
    module_name, _, attribute = path.partition(":")
    found: Any = import_module(module_name)
    for part in attribute.split(".") if attribute else ():
        found = getattr(found, part)
    return found


def require(*requirements: str, extra: str | None = None) -> None:
    """Check that packages such as `"vllm>=0.6"` are installed, by metadata and without importing them.

    Raises MissingPackageError that lists all that is missing or too old, with the pip line to type; `extra`
    names the file in `requirements/` that holds them. Markers count: `'triton; sys_platform == "linux"'` asks
    for nothing elsewhere.
    """
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import Requirement

    wrong: list[str] = []
    pip_args: list[str] = []
    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            installed = version(wanted.name)
        except PackageNotFoundError:
            wrong.append(f"{text} is not installed")
        else:
            if wanted.specifier.contains(installed, prereleases=True):
                continue
            wrong.append(f"{text} is needed, {installed} is installed")
        pip_args.append(f"'{wanted.name}{wanted.specifier}'" if wanted.specifier else wanted.name)
    if wrong:
        hint = f" (all of its kind are in requirements/{extra}.txt)" if extra else ""
        raise MissingPackageError(f"{'; '.join(wrong)}. Install with: pip install {' '.join(pip_args)}{hint}")
