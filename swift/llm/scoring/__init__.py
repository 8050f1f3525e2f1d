"""How good answers are: their texts against labels, and how likely a model finds the labels. Knows no file and no screen."""
