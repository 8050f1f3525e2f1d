"""LoRA (Hu et al., 2021) and its relatives that peft has under one configuration: DoRA, rsLoRA, LoRA+, PiSSA, OLoRA."""
