"""VB-LoRA (Li et al., 2024), through peft."""
