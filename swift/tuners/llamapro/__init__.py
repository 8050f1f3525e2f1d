"""LLaMA Pro: new blocks between frozen ones."""
