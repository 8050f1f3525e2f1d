"""Engines: token ids in, token ids out. They know no text, no template and no row."""
