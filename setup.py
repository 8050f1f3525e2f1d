"""Thin: the metadata is in pyproject.toml, the requirements in requirements/*.txt, the version in swift/__init__.py."""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
EXTRAS = ("train", "infer", "serve", "eval", "ui", "quant", "optim", "hub", "remote", "dev")


def read_requirements(name: str) -> list[str]:
    """The requirement lines of ``requirements/<name>.txt``, without comments."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in (line.split("#")[0].strip() for line in lines) if line]


def read_version() -> str:
    """The ``__version__`` of the package, read without importing it."""
    found = re.search(r'^__version__ = "([^"]+)"', (ROOT / "swift" / "__init__.py").read_text(), re.M)
    assert found, "swift/__init__.py states no __version__"
    return found.group(1)


extras = {name: read_requirements(name) for name in EXTRAS}
extras["all"] = sorted({line for name in EXTRAS if name != "dev" for line in extras[name]})
setup(version=read_version(), install_requires=read_requirements("base"), extras_require=extras)
