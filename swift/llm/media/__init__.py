"""Images on their way to a model: where they come from, and what is in them. Knows no template, no tensor and no model."""
