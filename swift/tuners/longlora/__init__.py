"""LongLoRA: LoRA with shifted sparse attention."""
