"""Answers as text: a template and an engine together. Knows no tensor, no file and no screen."""
