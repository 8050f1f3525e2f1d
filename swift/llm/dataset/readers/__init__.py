"""Files to rows, format by format, from any place in the file. Knows no column and no data set."""

from swift.llm.dataset.readers.kinds import KINDS, read_file, suffix_of
from swift.llm.dataset.readers.rows import Position, Unusable

__all__ = ["KINDS", "Position", "Unusable", "read_file", "suffix_of"]
