"""Prefix tuning (Li and Liang, 2021), through peft: keys and values of virtual tokens before each sample."""
