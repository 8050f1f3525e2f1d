"""OFT (Qiu et al., 2023), through peft."""
