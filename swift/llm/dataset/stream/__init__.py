"""Training on a stream: rows are read, encoded, shuffled and packed a block at a time, while training goes on.

A stream is a sequence of blocks. A block is so many rows, taken from all sources by a fixed rule; its samples are shuffled
(and packed) among themselves by the seed and the block's number. So memory holds two blocks whatever the size of the data,
and a place in the stream is one small value: where each source stood when the block began, and how much of the block was
used. Resuming seeks there and reads that one block again.

``mixture`` takes rows from sources, ``blocks`` makes samples of them, ``rows`` gives batches and remembers places,
``preparation`` puts them together.
"""

from swift.llm.dataset.stream.preparation import PreparedStream, prepare_stream
from swift.llm.dataset.stream.rows import StreamedRows

__all__ = ["PreparedStream", "StreamedRows", "prepare_stream"]
