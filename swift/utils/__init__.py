"""The ground floor: errors, registries, late imports, files, log. Standard library only; knows nothing of
models.
"""
