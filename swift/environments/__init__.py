"""Interpreters of their own for packages that exclude each other: rows of what goes into one, where it lies, how it is made,
and processes started in it. Knows no ``swift.llm``, and nothing of what the packages do.
"""
