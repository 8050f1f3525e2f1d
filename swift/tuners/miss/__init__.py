"""MiSS (Kang & Yin, 2024; Bone before), through peft."""
