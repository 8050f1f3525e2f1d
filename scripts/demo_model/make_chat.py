"""Chat rows for the demo model: hand-written pieces (pieces.yaml) and real short stories, put together.

The same stories and seed give the same file, byte for byte. Knows no tokenizer and no model.

    python make_chat.py --stories tinystories.jsonl --out chat.jsonl
"""

import argparse
import itertools
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Message = dict[str, str]
Pieces = dict[str, Any]

SLOT = re.compile(r"\{(?:([Aa]n) )?(\w+)\}")
SENTENCE_END = re.compile(r'(?<=[.!?"])\s+(?=[A-Z"])')
LONGEST_STORY = 700  # characters; about 170 tokens
SHARE_WITH_SYSTEM = 0.15
SHARE_LOOSE = 0.12  # questions as people type them: no capital, no full stop


def load_pieces() -> Pieces:
    """The hand-written pieces beside this file."""
    pieces: Pieces = yaml.safe_load(Path(__file__).with_name("pieces.yaml").read_text(encoding="utf-8"))
    return pieces


def fill(text: str, words: dict[str, str]) -> str:
    """Put the words into the slots of a piece; `{an x}` takes the article, `{X}` a capital letter."""

    def put(match: re.Match[str]) -> str:
        article, slot = match.groups()
        word = words[slot.lower()]
        if article:
            return f"{article if word[0] in 'aeiou' else article[0]} {word}"
        return word[0].upper() + word[1:] if slot[0].isupper() else word

    return SLOT.sub(put, text)


def with_article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def chat(*turns: str, system: str | None = None) -> list[Message]:
    """Messages of a chat whose turns alternate, the user first."""
    head = [] if system is None else [{"role": "system", "content": system}]
    roles = itertools.cycle(("user", "assistant"))
    return head + [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=False)]


@dataclass(frozen=True)
class Hero:
    """Who a story is about, read from its opening: "a girl named Mia"."""

    kind: str
    name: str


class Talk:
    """Small talk, facts and things to remember, from the pieces alone."""

    def __init__(self, pieces: Pieces, rng: random.Random) -> None:
        self.pieces = pieces
        self.rng = rng

    def pair(self) -> tuple[str, str]:
        """One question of the small talk with one of its answers."""
        group = self.rng.choice(self.pieces["pairs"])
        return self.rng.choice(group["ask"]), self.rng.choice(group["say"])

    def pairs(self) -> Iterator[list[Message]]:
        """Every question of the small talk, alone, with up to two of its answers."""
        for group in self.pieces["pairs"]:
            for ask in group["ask"]:
                for say in self.rng.sample(group["say"], min(2, len(group["say"]))):
                    yield chat(ask, say)

    def runs(self, count: int) -> Iterator[list[Message]]:
        """Two or three unrelated questions in one chat."""
        for _ in range(count):
            turns = [self.either() for _ in range(self.rng.choice((2, 2, 3)))]
            yield chat(*itertools.chain.from_iterable(turns))

    def fact(self) -> tuple[str, str]:
        """One question about a fact of the tables, with its answer."""
        table = self.rng.choice(self.pieces["tables"])
        row = self.rng.choice(list(table["rows"].items()))
        form = self.rng.choice(table["forms"])
        words = {"a": str(row[0]), "b": str(row[1])}
        return fill(self.rng.choice(form["ask"]), words), fill(self.rng.choice(form["say"]), words)

    def either(self) -> tuple[str, str]:
        """Small talk or a fact."""
        return self.pair() if self.rng.random() < 0.6 else self.fact()

    def facts(self) -> Iterator[list[Message]]:
        """Every question of the tables."""
        for table in self.pieces["tables"]:
            for (left, right), form in itertools.product(table["rows"].items(), table["forms"]):
                for ask in form["ask"]:
                    words = {"a": str(left), "b": str(right)}
                    yield chat(fill(ask, words), fill(self.rng.choice(form["say"]), words))

    def words(self) -> dict[str, str]:
        """One word for every slot; the numbered slot takes another word than the plain one."""
        words = {}
        for slot, choices in self.pieces["slots"].items():
            words[slot], words[slot + "2"] = self.rng.sample(choices, 2)
        return words

    def dialogs(self) -> Iterator[list[Message]]:
        """The written chats with their slots filled, most of which ask back what was said before."""
        for dialog in self.pieces["dialogs"]:
            for _ in range(dialog["count"]):
                words = self.words()
                picked = [self.rng.choice(options) for options in dialog["turns"]]
                turns = list(self._answers(picked, words))
                if dialog.get("pause") and self.rng.random() < 0.3:
                    turns[2:2] = self.either()
                system = dialog.get("system")
                yield chat(*turns, system=fill(self.rng.choice(system), words) if system else None)

    def _answers(self, picked: Sequence[str], words: dict[str, str]) -> Iterator[str]:
        """Filled turns; the three @ marks are answers that depend on how the question was put."""
        for number, piece in enumerate(picked):
            if piece == "@echo":
                named = SLOT.search(picked[number - 1])
                assert named
                yield words[named[2]].capitalize() + "."
            elif piece.startswith("@name "):
                said = SLOT.search(picked[number - 1])
                assert said
                yield fill(piece.removeprefix("@name "), {"name": words[said[2]]})
            elif piece.startswith("@you "):
                yield fill(piece.removeprefix("@you "), words).replace(" my ", " your ")
            else:
                yield fill(piece, words)


class Stories:
    """Chats around real stories: asked for by word or by name, and asked about afterwards."""

    def __init__(self, texts: Iterable[str], pieces: Pieces, rng: random.Random) -> None:
        self.asks: Pieces = pieces["story"]
        self.slots: dict[str, list[str]] = pieces["slots"]
        self.rng = rng
        harsh = re.compile(rf"\b(?:{'|'.join(self.asks['harsh'])})\b", re.I)
        tidy = (re.sub(r"\s*\n\s*", "\n", text).strip() for text in texts)
        whole = (t for t in dict.fromkeys(tidy) if 120 <= len(t) <= LONGEST_STORY and t[-1] in '.!"')
        self.texts = [text for text in whole if not harsh.search(text)]
        rng.shuffle(self.texts)
        heroes = "|".join(self.asks["heroes"])
        self._named = re.compile(rf"\b({heroes})(?: \w+){{0,2}} (?:named|called) ([A-Z][a-z]+)")
        self._places = "|".join(self.asks["places"])

    def hero(self, text: str) -> Hero | None:
        """The hero, where the opening names exactly one."""
        opening = " ".join(SENTENCE_END.split(text)[:3])
        found = self._named.findall(opening)
        return Hero(*found[0]) if len(found) == 1 and len(re.findall(r"named|called", opening)) == 1 else None

    def topics(self, text: str) -> list[str]:
        """The words that the story is really about: named early and again later."""
        opening = text[:220].lower()
        found = (w for w in self.asks["words"] if re.search(rf"\b{w}\b", opening))
        return [w for w in found if len(re.findall(rf"\b{w}s?\b", text.lower())) >= 3]

    def renamed(self, text: str, hero: Hero) -> tuple[str, Hero] | None:
        """The story with another name for its girl or boy; None where there is neither."""
        if hero.kind not in ("girl", "boy"):
            return None
        name = self.rng.choice([n for n in self.slots[hero.kind] if n not in text])
        return re.sub(rf"\b{hero.name}\b", name, text), Hero(hero.kind, name)

    def questions(self, text: str, hero: Hero | None) -> list[tuple[str, str]]:
        """Questions about a story that its text answers, each with the answer."""
        found: list[tuple[str, str]] = []
        if hero:
            kind, name = hero.kind, hero.name
            found.append((self._ask("name", kind), f"The name of the {kind} was {name}."))
            found.append((self._ask("who"), f"The story was about {with_article(kind)} named {name}."))
            places = dict.fromkeys(re.findall(rf"(?:went|walked|ran) to the ({self._places})\b", text))
            if len(places) == 1:
                found.append((f"Where did {name} go?", f"{name} went to the {next(iter(places))}."))
            start = " ".join(SENTENCE_END.split(text)[:4])
            loved = re.search(rf"\b(?:{name}|She|He|It) (?:lov|lik)e[ds] to ([a-z][^.,!?;\n]*)[.,!?]", start)
            if loved:
                found.append((self._ask("love", name), f"{name} liked to {loved[1]}."))
        ending = text[-160:]
        if re.search(r"\b(?:happy|happily|fun|smiled|friends|glad)\b", ending) and "sad" not in ending:
            found.append((self._ask("happy"), "Yes, it has a happy end."))
        return found

    def shortened(self, text: str) -> str | None:
        """First two sentences and the last, where the last closes the story; else None."""
        sentences = SENTENCE_END.split(text.replace("\n", " "))
        closing = re.match(r"(?:They|From that day|And they|The .* friends|\w+ and .* happy)", sentences[-1])
        if len(sentences) < 6 or not closing or '"' in sentences[0] + sentences[1] + sentences[-1]:
            return None
        return " ".join((*sentences[:2], sentences[-1]))

    def rows(self) -> Iterator[list[Message]]:
        """One chat for each story, of the kind that the story is good for, and a second for some."""
        for number, original in enumerate(self.texts):
            text, hero = original, self.hero(original)
            new = self.renamed(text, hero) if hero and self.rng.random() < 0.6 else None
            if new:
                text, hero = new
            opening = self._opening(text, hero)
            yield chat(*opening, *self._follow_up(text, hero, number))
            if number % 6 == 0:
                first, _, rest = text.partition(". ")
                if 20 < len(first) < 160 and rest:
                    yield chat(self._ask("begun", first + "."), rest)

    def sentences(self, per_word: int) -> Iterator[list[Message]]:
        """Short sentences of the stories, asked for by a word in them."""
        pool = [s for t in self.texts for s in SENTENCE_END.split(t.replace("\n", " ")) if 20 <= len(s) <= 70]
        clear = re.compile(r"(?:The|A|One|Every|There|Once|[A-Z][a-z]+ (?:and|was|had|saw)) ")
        good = [s for s in pool if '"' not in s and clear.match(s)]
        for word in self.asks["words"]:
            with_word = [s for s in good if re.search(rf"\b{word}\b", s)]
            for sentence in self.rng.sample(with_word, min(per_word, len(with_word))):
                yield chat(self._ask("sentence", word), sentence)

    def _ask(self, kind: str, word: str = "") -> str:
        return str(self.rng.choice(self.asks[kind])).format(x=word)

    def _noun(self, word: str) -> str:
        if word in self.asks["uncountable"]:
            return word
        if word in ("sun", "moon", "sea", "park", "forest", "zoo", "beach"):
            return "the " + word
        return with_article(word)

    def _opening(self, text: str, hero: Hero | None) -> tuple[str, ...]:
        """The turns that lead to the story, the story last."""
        topics = self.topics(text)
        if hero and hero.kind in ("girl", "boy") and self.rng.random() < 0.25:
            told = f"My name is {hero.name}."
            return told, f"Hello, {hero.name}! Nice to meet you.", "Tell me a story about me.", text
        if hero and self.rng.random() < 0.45:
            return self._ask("ask", f"{with_article(hero.kind)} named {hero.name}"), text
        if len(topics) > 1 and self.rng.random() < 0.4:
            return self._ask("ask", " and ".join(self._noun(t) for t in topics[:2])), text
        if topics:
            return self._ask("ask", self._noun(self.rng.choice(topics))), text
        return self._ask("any"), text

    def _follow_up(self, text: str, hero: Hero | None, number: int) -> tuple[str, ...]:
        """The turns after the story; often none."""
        kind = self.rng.random()
        about = self.questions(text, hero)
        if kind < 0.45 and about:
            picked = self.rng.sample(about, min(len(about), self.rng.choice((1, 1, 2))))
            return tuple(itertools.chain.from_iterable(picked))
        if kind < 0.55:
            return self._ask("thanks"), self._ask("welcome")
        if kind < 0.65:
            other = self.texts[number - 1]
            return (self._ask("another"), other) if len(text) + len(other) < 1200 else ()
        short = self.shortened(text)
        if kind < 0.85 and short:
            return self._ask("shorter"), short
        return ()


def loosen(messages: list[Message], keep: frozenset[str], rng: random.Random) -> list[Message]:
    """The same chat with the user's short turns as people type them, for a share of the chats."""
    if rng.random() >= SHARE_LOOSE:
        return messages
    return [{**m, "content": _loose(m["content"], keep)} if m["role"] == "user" else m for m in messages]


def _loose(text: str, keep: frozenset[str]) -> str:
    first = re.split(r"\W", text)[0]
    plain = text if first in keep else text[:1].lower() + text[1:]
    return plain.rstrip(".?!") or text


def build(texts: Iterable[str], pieces: Pieces, seed: int) -> list[list[Message]]:
    """All chats, shuffled; no two are the same. One question may have several right answers."""
    rng = random.Random(seed)
    talk, stories = Talk(pieces, rng), Stories(texts, pieces, rng)
    keep = frozenset(["I", *(name for slot in ("girl", "boy", "pet") for name in pieces["slots"][slot])])
    small_talk = (talk.pairs(), talk.facts(), talk.runs(700), talk.dialogs())
    plain = itertools.chain(*small_talk, stories.rows(), stories.sentences(2))
    rows: dict[str, list[Message]] = {}
    for messages in plain:
        loose = loosen(messages, keep, rng)
        if loose[0]["role"] != "system" and rng.random() < SHARE_WITH_SYSTEM:
            loose = [{"role": "system", "content": rng.choice(pieces["systems"])}, *loose]
        rows.setdefault(json.dumps(loose), loose)
    found = list(rows.values())
    rng.shuffle(found)
    return found


def read_stories(path: Path) -> list[str]:
    """The `text` column of a jsonl file."""
    return [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Read the stories, write the chats."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--stories", type=Path, required=True, help='jsonl file with "text" on each line')
    parser.add_argument("--out", type=Path, required=True, help="jsonl file to write")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    rows = build(read_stories(args.stories), load_pieces(), args.seed)
    args.out.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows), encoding="utf-8")
    size = sum(len(m["content"]) for row in rows for m in row)
    print(f"{args.out}: {len(rows):,} chats, {size:,} characters")


if __name__ == "__main__":
    main()
