"""HRA (Yuan et al., 2024), through peft."""
