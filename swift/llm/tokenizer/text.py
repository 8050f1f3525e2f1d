"""`TextTokenizer`: the fast tokenizer of a model folder, read from its own `tokenizer.json`, with control tokens kept apart.

transformers is not asked to build it: for some classes it makes the tokenizer anew from vocabulary and merges and loses
the normalizer and pre-tokenizer of the file (seen in 5.17 with `LlamaTokenizer`), which gives other ids.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from swift.llm.tokenizer.bulk import Bulk
from swift.llm.tokenizer.files import CONFIG, FAST, NAMED, TokenizerFiles, read_files
from swift.utils.environ import export
from swift.utils.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from tokenizers import Tokenizer as Backend

# Classes that transformers 5 rebuilds from vocabulary and merges, dropping what tokenizer.json says about both sides.
REBUILT = ("LlamaTokenizer", "LlamaTokenizerFast", "CodeLlamaTokenizer", "CodeLlamaTokenizerFast")
_LONG = 2**14  # characters
SpaceMark = Literal["never", "first", "always"]


def load_tokenizer(folder: str | Path) -> TextTokenizer:
    """Read the tokenizer of a model folder. Raises ModelError where there is none or where a file is broken."""
    files = read_files(folder)
    path = files.folder / FAST
    text = path.read_text(encoding="utf-8") if path.is_file() else _convert(files.folder)
    return TextTokenizer(text, files)


def _convert(folder: Path) -> str:
    """Make the text of a tokenizer.json for a folder that has only a sentencepiece or vocabulary file."""
    from transformers import AutoTokenizer  # late: costs seconds, and few folders need it

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # any library error here means: this folder's tokenizer cannot be read
        raise ModelError(f"{folder} has no {FAST}, and transformers cannot convert its tokenizer: {error}") from None
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"The tokenizer of {folder} has no fast version ({type(tokenizer).__name__}). "
            f"Use a copy of the model that comes with {FAST}."
        )
    return str(backend.to_str())


def _read_backend(text: str, where: Path) -> Backend:
    # The warning about forks is for programs that fork by accident; ours starts its workers before it encodes.
    if "TOKENIZERS_PARALLELISM" not in os.environ:
        export("TOKENIZERS_PARALLELISM", "true")
    from tokenizers import Tokenizer as Backend

    try:
        backend = Backend.from_str(text)
    except Exception as error:  # the library raises a bare Exception for whatever it finds wrong
        raise ModelError(f"{where} is not a tokenizer file that can be read ({error}). Download it again.") from None
    # A file may carry the length limit and the padding of whoever saved it; both would change ids silently.
    backend.no_truncation()
    backend.no_padding()
    return backend


class TextTokenizer:
    """Follows `swift.llm.core.Tokenizer`. `backend` leaves the text of control tokens as text.

    Control tokens (`special_tokens`) are the added tokens marked special in any of the files and the named ones (bos, eos,
    pad, ...). Other added tokens, such as `<think>`, are recognised in every text.
    """

    def __init__(self, text: str, files: TokenizerFiles, control: Iterable[str] = ()) -> None:
        self._text = text
        self._files = files
        self._control = tuple(control)
        self.backend: Backend = _read_backend(text, files.folder / FAST)
        self._complete(self.backend)
        self.backend.encode_special_tokens = True
        self.files = files.files
        self.added_tokens: Mapping[str, AddedToken] = {
            token.content: token for token in self.backend.get_added_tokens_decoder().values()
        }
        ids = {token.content: id_ for id_, token in self.backend.get_added_tokens_decoder().items() if token.special}
        self.special_tokens: Mapping[str, int] = ids
        self.vocab_size: int = self.backend.get_vocab_size()
        self.bos_token, self.bos_token_id = self._named("bos_token")
        self.eos_token, self.eos_token_id = self._named("eos_token")
        self.pad_token, self.pad_token_id = self._named("pad_token")
        self.named_tokens: Mapping[str, str | None] = files.named
        self.chat_templates: Mapping[str, str] = files.templates
        self.chat_template: str | None = files.templates.get("default")
        self.fingerprint: str = self._fingerprint()

    @classmethod
    def from_hf(cls, tokenizer: Any) -> TextTokenizer:
        """Take over a transformers fast tokenizer. Raises ModelError where it has none of the `tokenizers` library inside."""
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ModelError(
                f"{type(tokenizer).__name__} is not a fast tokenizer of transformers, nor a TextTokenizer."
            )
        template = tokenizer.chat_template
        templates = template if isinstance(template, dict) else {"default": template} if template else {}
        named = {name: getattr(tokenizer, name, None) for name in NAMED}
        folder = Path(tokenizer.name_or_path or ".")
        return cls(backend.to_str(), TokenizerFiles(folder, (), {}, named, (), {}, templates))

    def _complete(self, backend: Backend) -> None:
        """Add what only tokenizer_config.json knows, and mark as special what any file calls so."""
        from tokenizers import AddedToken

        for id_, entry in sorted(self._files.added.items()):
            content = entry["content"]
            if backend.token_to_id(content) is None:
                flags = {key: entry[key] for key in ("lstrip", "rstrip", "single_word", "normalized") if key in entry}
                backend.add_tokens([AddedToken(content, special=bool(entry.get("special")), **flags)])
                if backend.token_to_id(content) != id_:
                    raise ModelError(
                        f"{self._files.folder / CONFIG} puts {content!r} at id {id_}, where {FAST} has another token. "
                        "The two files do not belong together: download the tokenizer again."
                    )
        special = [entry["content"] for entry in self._files.added.values() if entry.get("special")]
        special += [token for token in self._files.named.values() if token] + list(self._files.extra_special)
        known = {token.content: token for token in backend.get_added_tokens_decoder().values()}
        for content in dict.fromkeys([*special, *self._control]):
            token = known.get(content)
            if token is not None and token.special:
                continue
            if token is None and backend.token_to_id(content) is None:
                continue  # named in the configuration, absent from the vocabulary: transformers would give it a new id
            flags = {"lstrip": token.lstrip, "rstrip": token.rstrip} if token is not None else {}
            backend.add_special_tokens([AddedToken(content, special=True, normalized=False, **flags)])

    def _named(self, name: str) -> tuple[str | None, int | None]:
        text = self._files.named.get(name)
        return (text, None if text is None else self.backend.token_to_id(text))

    def _fingerprint(self) -> str:
        """sha256 (hex) over the names and the bytes of all files of the tokenizer."""
        digest = hashlib.sha256()
        if not self.files:  # taken over from memory
            digest.update(json.dumps([self._text, dict(self.named_tokens), dict(self.chat_templates)]).encode())
        for path in self.files:
            digest.update(f"{path.relative_to(self._files.folder).as_posix()}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """`tokenizer.json` as data."""
        return json.loads(self._text)  # type: ignore[no-any-return]

    @cached_property
    def space_mark(self) -> SpaceMark:
        """Where a space mark is put before a text: never, only at the very start, or before every piece between markers."""
        return _space_mark(self.description.get("normalizer"), self.description.get("pre_tokenizer"))

    @cached_property
    def continuing(self) -> Backend:
        """The same tokenizer for a text that goes on where other text ended: it puts no space mark in front."""
        if self.space_mark == "never":
            return self.backend
        changed = dict(self.description)
        for part in ("normalizer", "pre_tokenizer"):
            changed[part] = _without_mark(changed.get(part))
        backend = _read_backend(json.dumps(changed, ensure_ascii=False), self._files.folder / FAST)
        self._complete(backend)
        backend.encode_special_tokens = True
        return backend

    @cached_property
    def bulk(self) -> Bulk:
        """Encodes lists of texts as `backend` does, faster where there are many."""
        return Bulk(self.backend)

    @cached_property
    def bulk_continuing(self) -> Bulk:
        """The same for `continuing`."""
        return self.bulk if self.continuing is self.backend else Bulk(self.continuing)

    @cached_property
    def permissive(self) -> TextTokenizer:
        """A copy that reads the text of a control token as that token, as transformers does by default."""
        copy = TextTokenizer(self._text, self._files, self._control)
        copy.backend.encode_special_tokens = False
        copy.continuing.encode_special_tokens = False
        return copy

    def guard(self, tokens: Iterable[str]) -> TextTokenizer:
        """Return a tokenizer that also keeps these tokens for the template; itself where it does already."""
        more = [
            token
            for token in tokens
            if token not in self.special_tokens and self.backend.token_to_id(token) is not None
        ]
        return TextTokenizer(self._text, self._files, (*self._control, *more)) if more else self

    @cached_property
    def starts_with_bos(self) -> bool:
        """Whether the tokenizer itself begins a text with its bos token."""
        given = self._files.config.get("add_bos_token")
        if isinstance(given, bool):
            return given and self.bos_token_id is not None
        start = self.backend.encode("", add_special_tokens=True).ids
        return bool(start) and start[0] == self.bos_token_id

    def encode(self, text: str) -> list[int]:
        """Plain text to ids: nothing is added, and the text of a special token stays text."""
        if len(text) > _LONG:  # encode keeps the interpreter's lock; in a server others would wait for it
            return self.encode_batch([text])[0]
        return list(self.backend.encode(text, add_special_tokens=False).ids)

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """Like `encode`, for many texts at once on all cores."""
        return [encoding.ids for encoding in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Ids to text, special tokens written out unless skipped."""
        return str(self.backend.decode(list(ids), skip_special_tokens=skip_special_tokens))

    def contents(self) -> dict[str, bytes]:
        """File name to bytes, as a checkpoint should hold them: such that transformers reads the same ids from them.

        The files are the original bytes, but for a `tokenizer_class` that transformers 5 would rebuild without the
        pre-tokenizer of tokenizer.json.
        """
        out = {path.relative_to(self._files.folder).as_posix(): path.read_bytes() for path in self.files}
        if FAST not in out:
            out[FAST] = self._text.encode()
        if self._files.config.get("tokenizer_class") in REBUILT:
            changed = {**self._files.config, "tokenizer_class": "PreTrainedTokenizerFast"}
            out[CONFIG] = (json.dumps(changed, ensure_ascii=False, indent=2) + "\n").encode()
        return out

    def save(self, folder: str | Path) -> None:
        """Write `contents()` into a folder."""
        for name, content in self.contents().items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def hf(self) -> Any:
        """Return a transformers PreTrainedTokenizerFast with the same vocabulary, named tokens and chat template."""
        from transformers import PreTrainedTokenizerFast

        backend = _read_backend(self._text, self._files.folder / FAST)
        self._complete(backend)
        named = {name: text for name, text in self._files.named.items() if text is not None}
        length = self._files.config.get("model_max_length")
        kwargs: dict[str, Any] = {} if length is None else {"model_max_length": length}
        build: Any = PreTrainedTokenizerFast
        tokenizer = build(tokenizer_object=backend, clean_up_tokenization_spaces=False, **named, **kwargs)
        if self.chat_templates:
            only_default = set(self.chat_templates) == {"default"}
            tokenizer.chat_template = self.chat_template if only_default else dict(self.chat_templates)
        return tokenizer


def _steps(part: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The members of a normalizer or pre-tokenizer, sequences laid flat."""
    if part is None:
        return []
    inner = part.get("normalizers") or part.get("pretokenizers")
    return [step for member in inner for step in _steps(member)] if inner is not None else [part]


def _space_mark(normalizer: Mapping[str, Any] | None, pre_tokenizer: Mapping[str, Any] | None) -> SpaceMark:
    if any(step["type"] == "Prepend" for step in _steps(normalizer)):
        return "always"
    for step in _steps(pre_tokenizer):
        if step["type"] == "Metaspace":
            scheme = step.get("prepend_scheme") or ("always" if step.get("add_prefix_space", True) else "never")
            return "first" if scheme == "first" else "never" if scheme == "never" else "always"
        if step["type"] == "ByteLevel" and step.get("add_prefix_space"):
            return "always"
    return "never"


def _without_mark(part: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if part is None or part["type"] == "Prepend":
        return None
    out = dict(part)
    for key in ("normalizers", "pretokenizers"):
        if key in out:
            out[key] = [kept for kept in map(_without_mark, out[key]) if kept is not None]
    if part["type"] == "Metaspace":
        out["prepend_scheme"] = "never"
        out.pop("add_prefix_space", None)
    if part["type"] == "ByteLevel":
        out["add_prefix_space"] = False
    return out
