"""FourierFT (Gao et al., 2024), through peft."""
