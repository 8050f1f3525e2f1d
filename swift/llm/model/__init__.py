"""Weights in and out: from a plan to a loaded model, and from a model to files that are whole or absent."""
