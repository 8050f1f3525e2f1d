"""The bytes of a file as UTF-8: decompressed, without a byte order mark, from any offset. Knows no rows.

Damage (a cut off or corrupt compressed file) is not an exception here: what was good before it is given, then the content
ends, and ``damage`` says why.
"""

from __future__ import annotations

import codecs
import io
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from swift.llm.dataset.readers.rows import MAX_ROW

__all__ = ["COMPRESSED", "Content", "TooLongError"]

COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it
    _DAMAGE: tuple[type[Exception], ...] = (EOFError, zlib.error, OSError)
else:
    _DAMAGE = (EOFError, zlib.error, OSError, LZMAError)
_BLOCK = 1 << 18
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class TooLongError(Exception):
    """A line of more than MAX_ROW bytes, which was skipped; ``size`` of it in bytes."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a line of {size} bytes")
        self.size = size

    @property
    def reason(self) -> str:
        """The reason for the row ledger."""
        return f"longer than {MAX_ROW >> 20} MiB"


class Content:
    """The content of ``path`` from byte ``offset`` on. A plain file is sought, another is read up to there."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._raw = _Raw(path)
        self._raw.go_to(offset)
        self._buffer = io.BufferedReader(self._raw, _BLOCK)
        self.begin = self._raw.begin
        self._closed = False

    @property
    def damage(self) -> str | None:
        """Why the content ended before its end; complete once a read gave nothing."""
        return self._raw.damage

    def tell(self) -> int:
        """Bytes of the file on the disk that were used so far."""
        return 0 if self._closed else self._raw.used()

    def read(self) -> bytes:
        """The next block, empty at the end."""
        return self._buffer.read1(_BLOCK)

    def readline(self) -> bytes:
        """The next line with its line end, empty at the end.

        Raises TooLongError for one that is longer than MAX_ROW, and is behind it then.
        """
        line = self._buffer.readline(MAX_ROW)
        if len(line) < MAX_ROW or line.endswith(b"\n"):
            return line
        size = len(line)
        while line and not line.endswith(b"\n"):
            line = self._buffer.readline(_BLOCK)
            size += len(line)
        raise TooLongError(size)

    def close(self) -> None:
        """Free the file."""
        self._closed = True
        self._buffer.close()


class _Raw(io.RawIOBase):
    """Content as a raw stream; damage reads as its end. ``begin``: bytes of the mark before the content of a plain file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.damage: str | None = None
        self.begin = 0
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed in close
        self._plain = path.suffix.lower() not in COMPRESSED
        self._inner = self._file if self._plain else _decompressor(path.suffix.lower(), self._file)
        self._decoder: Any = None
        self._pending = b""
        while len(self._pending) < 4 and (more := self._pull(4 - len(self._pending))):
            self._pending += more
        for bom, encoding in _BOMS:
            if self._pending.startswith(bom):
                # lone surrogates become bytes that are not UTF-8, which costs their row only
                self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
                self._pending = self._transcode(self._pending[len(bom) :])
                return
        if self._pending.startswith(codecs.BOM_UTF8):
            self.begin = len(codecs.BOM_UTF8)
            self._pending = self._pending[self.begin :]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._pending or self._more(len(buffer))
        self._pending = data[len(buffer) :]
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data)

    def go_to(self, offset: int) -> None:
        if offset and self._plain and self._decoder is None:
            self._pending = b""
            self._file.seek(self.begin + offset)
            return
        while offset and (data := self._pending or self._more(_BLOCK)):
            self._pending = data[offset:]
            offset -= min(offset, len(data))

    def used(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        if not self.closed:
            with suppress(OSError):
                if self._inner is not self._file:
                    self._inner.close()
            self._file.close()
        super().close()

    def _more(self, size: int) -> bytes:
        """The next bytes of the content, none at its end."""
        while data := self._pull(max(size, 1)):
            if self._decoder is None:
                return data
            if text := self._transcode(data):
                return text
        if self._decoder is not None and self.damage is None:
            return self._transcode(b"", final=True)
        return b""

    def _transcode(self, data: bytes, final: bool = False) -> bytes:
        try:
            return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")  # type: ignore[no-any-return]
        except UnicodeDecodeError as error:
            self.damage = f"the text is not {error.encoding.upper()} ({error.reason})"
            return b""

    def _pull(self, size: int) -> bytes:
        if self.damage is not None:
            return b""
        try:
            # read1 gives what there is; read would lose what it has gathered when the damage comes
            return self._inner.read(size) if self._plain else self._inner.read1(size)  # type: ignore[union-attr]
        except _DAMAGE as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk, not the file
            self.damage = f"the compressed file is damaged or cut off ({str(error).rstrip('.')})"
            return b""


def _decompressor(suffix: str, file: Any) -> Any:
    if suffix == ".gz":
        import gzip

        return gzip.GzipFile(fileobj=file, mode="rb")
    if suffix == ".bz2":
        import bz2

        return bz2.BZ2File(file)
    if suffix == ".xz":
        import lzma

        return lzma.LZMAFile(file)
    return _Zstandard(file)


class _Zstandard:
    """zstd through Arrow, which has it built in and tells a cut off file."""

    def __init__(self, file: Any) -> None:
        import pyarrow as pa

        self._stream = pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")

    def read1(self, size: int) -> bytes:
        # small reads: an error takes with it what the same call had read before
        return self._stream.read(min(size, 8192))  # type: ignore[no-any-return]

    def close(self) -> None:
        self._stream.close()
