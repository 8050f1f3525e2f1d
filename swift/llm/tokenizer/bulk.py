"""Many texts to ids. Where there is much to encode, by fastokens, after it has given the same ids here; else by `tokenizers`.

fastokens is another implementation of the same file format, which remembers words; on natural text it needs a small part
of the time. It is believed only as far as it is checked: when it is opened it must agree with `tokenizers` on every
character of the scripts in use and on all texts at hand, and afterwards on one text in `CHECKED`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from swift.utils.environ import SWIFT_FAST_TOKENIZER
from swift.utils.errors import DataError
from swift.utils.log import logger

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

__all__ = ["Bulk", "InexactError"]

WORTHWHILE = 4_000_000
"""Characters after which the other implementation is opened: reading the vocabulary anew takes about two seconds."""
MANY = 2**15
"""Characters at once that count for it: a server that reads one prompt at a time would only be held up."""
CHECKED = 16
_PROBED = 0x3100  # alphabets, marks, symbols, kana; of what lies above (ideographs, emoji) one in 64

_pool_of: list[int] = []  # the process in which fastokens has started its threads; they do not survive a fork


class InexactError(DataError):
    """fastokens gave other ids than `tokenizers`, for a text after those that it was first tried on."""


class Bulk:
    """Encodes lists of texts like its `backend` does, which stays the authority."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._characters = 0
        self._texts = 0
        self._fast: Any = None
        self._tried = False
        self._lock = Lock()

    @property
    def is_fast(self) -> bool:
        """Whether fastokens is at work."""
        return self._fast is not None

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The ids of each text, without added tokens. Raises InexactError where the two implementations differ."""
        with self._lock:
            num_characters = sum(map(len, texts))
            if num_characters >= MANY:
                self._characters += num_characters
            if not self._tried and self._characters >= WORTHWHILE:
                self._tried = True
                self._fast = self._open(texts)
        if self._fast is None or _is_fork():
            return self._by_backend(texts)
        found = self._by_fast(self._fast, texts)
        with self._lock:
            first = -self._texts % CHECKED
            self._texts += len(texts)
        sample = range(first, len(texts), CHECKED)
        for i, ids in zip(sample, self._by_backend([texts[i] for i in sample]), strict=True):
            if found[i] != ids:
                self._fast = None
                raise InexactError(
                    f"fastokens gives other ids than tokenizers, for {texts[i][:200]!r}. Set {SWIFT_FAST_TOKENIZER.name}=false."
                )
        return found

    def _by_backend(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def _by_fast(self, fast: Any, texts: list[str]) -> list[list[int]]:
        if not _pool_of:
            _pool_of.append(os.getpid())
        ids, offsets = fast.encode_batch_flat(texts, split_special_tokens=self._backend.encode_special_tokens)
        flat = np.frombuffer(ids, np.uint32).tolist()
        at = np.frombuffer(offsets, np.uint64).tolist()
        return [flat[start:end] for start, end in pairwise(at)]

    def _open(self, texts: list[str]) -> Any:
        """fastokens with this vocabulary; None where it is absent or switched off, cannot read the file, or differs."""
        if not SWIFT_FAST_TOKENIZER.read() or _is_fork():
            return None
        try:
            from fastokens import Tokenizer

            fast = Tokenizer.from_json_str(self._backend.to_str())
        except ImportError:
            return None
        except Exception as error:  # whatever it does not know: the authority is still there
            logger.debug("fastokens cannot read this tokenizer (%s); tokenizers is used", error)
            return None
        tried = [*_probes(), *texts]
        for text, one, other in zip(tried, self._by_fast(fast, tried), self._by_backend(tried), strict=True):
            if one != other:
                logger.debug("fastokens gives other ids for %r; tokenizers is used", text[:200])
                return None
        return fast


def _is_fork() -> bool:
    return bool(_pool_of) and _pool_of[0] != os.getpid()


def _probes() -> Iterator[str]:
    """Texts in which each character stands beside a letter, a digit, itself, a space and the end of a line."""
    for code in [*range(_PROBED), *range(_PROBED, 0x20000, 64)]:
        if not 0xD800 <= code < 0xE000:
            c = chr(code)
            yield f"a{c}b {c}1{c}{c} {c}\n{c} 's{c}"
