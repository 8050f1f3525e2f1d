"""VeRA (Kopiczko et al., 2023), through peft."""
