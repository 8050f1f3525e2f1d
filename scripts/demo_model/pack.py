"""The last checkpoint of a run as the folder that comes with the package: bf16, tokenizer, model card.

python pack.py --last runs/pt                                            prints the last checkpoint
python pack.py --run runs/sft --tokenizer start --out swift/demo/model   writes the folder
"""

import argparse
import re
import shutil
from pathlib import Path

LARGEST = 12_000_000  # bytes of the whole folder, since it travels with every clone


def last_checkpoint(run: Path) -> Path:
    """The `checkpoint-N` folder with the largest N below `run`."""
    named = ((re.fullmatch(r"checkpoint-(\d+)", path.name), path) for path in run.rglob("checkpoint-*"))
    found = sorted((int(match[1]), path) for match, path in named if match)
    if not found:
        raise SystemExit(f"{run} holds no checkpoint: training did not come to its first save.")
    return found[-1][1]


def pack(run: Path, tokenizer: Path, out: Path) -> int:
    """Write the folder in place of an older one; returns its size in bytes."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    model = AutoModelForCausalLM.from_pretrained(last_checkpoint(run), dtype=torch.bfloat16)
    model.generation_config = GenerationConfig.from_pretrained(tokenizer)
    shutil.rmtree(out, ignore_errors=True)
    model.save_pretrained(out)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / name, out / name)
    shutil.copy(Path(__file__).with_name("card.md"), out / "README.md")
    for path in out.iterdir():
        path.chmod(0o644)
    return sum(path.stat().st_size for path in out.iterdir())


def main() -> None:
    """Print the last checkpoint, or write the folder and refuse one that is too large."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--last", type=Path, help="print the last checkpoint of this run and do nothing else")
    parser.add_argument("--run", type=Path, help="folder of the run to pack")
    parser.add_argument("--tokenizer", type=Path, help="folder that training started from")
    parser.add_argument("--out", type=Path, help="folder to write")
    args = parser.parse_args()
    if args.last:
        print(last_checkpoint(args.last))
        return
    if not (args.run and args.tokenizer and args.out):
        parser.error("--run, --tokenizer and --out go together")
    size = pack(args.run, args.tokenizer, args.out)
    print(f"{args.out}: {size:,} bytes")
    if size > LARGEST:
        raise SystemExit(f"{args.out}: at most {LARGEST:,} bytes are allowed. Use fewer or narrower layers.")


if __name__ == "__main__":
    main()
