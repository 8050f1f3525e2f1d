"""Facts and arguments in, a frozen plan with reasons out. Nothing here loads a model or starts a run."""
