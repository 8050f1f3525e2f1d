"""LoKr (Yeh et al., 2023), through peft."""
