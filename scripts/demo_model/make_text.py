"""Plain text for the demo model: all stories and a few easy books; the last rows are for validation.

python make_text.py --data ../shared/data/pt --out work/
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

# Short sentences and a small vocabulary. The other books would need a larger model.
BOOKS = (
    "Aesop: Aesop's Fables",
    "Beatrix Potter: Great Big Treasury of Beatrix Potter",
    "L. Frank Baum: The Wonderful Wizard of Oz",
)
STORIES_KEPT = 64
CHUNKS_KEPT = 4


def sources(data: Path) -> Iterator[tuple[list[str], int]]:
    """Each source's texts in order, and how many of the last are kept for validation."""
    yield [row["text"] for row in _rows(data / "tinystories.jsonl")], STORIES_KEPT
    books = list(_rows(data / "childrens_books.jsonl"))
    for title in BOOKS:
        yield [row["text"] for row in books if row["book"] == title], CHUNKS_KEPT


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)


def main() -> None:
    """Write train.jsonl and val.jsonl."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder of the two sources")
    parser.add_argument("--out", type=Path, required=True, help="folder for train.jsonl and val.jsonl")
    args = parser.parse_args()
    train: list[str] = []
    val: list[str] = []
    for texts, kept in sources(args.data):
        train += texts[:-kept]
        val += texts[-kept:]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, texts in (("train", train), ("val", val)):
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts)
        (args.out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
        print(f"{name}.jsonl: {len(texts):,} texts, {sum(map(len, texts)):,} characters")


if __name__ == "__main__":
    main()
