"""Tensor code that training and the engine share: attention by sample, and the loss at trained positions only."""
