"""What may be said to each command: frozen dataclasses, one text for each argument. No torch, no checks, no
effects.
"""
