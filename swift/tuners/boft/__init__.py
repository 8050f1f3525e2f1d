"""BOFT (Liu et al., 2023), through peft."""
