"""Full tuning: all weights, or those that are not frozen by name or by share."""
