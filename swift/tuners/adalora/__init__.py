"""AdaLoRA (Zhang et al., 2023), through peft: ranks shared out by importance while training."""
