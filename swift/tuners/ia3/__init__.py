"""IA3 (Liu et al., 2022), through peft."""
