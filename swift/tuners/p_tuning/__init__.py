"""P-tuning (Liu et al., 2021), through peft: embeddings of virtual tokens, made by a small network."""
