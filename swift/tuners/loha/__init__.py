"""LoHa (Hyeon-Woo et al., 2021; Yeh et al., 2023), through peft."""
