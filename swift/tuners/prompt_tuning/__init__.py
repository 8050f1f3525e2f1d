"""Prompt tuning (Lester et al., 2021), through peft: embeddings of virtual tokens before each sample."""
