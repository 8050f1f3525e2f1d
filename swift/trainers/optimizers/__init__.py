"""Optimizers: the table of names (no torch), the groups of parameters, and one module for each method that is ours."""
