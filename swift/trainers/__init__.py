"""The training loop, its settings, losses and checkpoints. Knows no data format, no template and no model catalog."""
