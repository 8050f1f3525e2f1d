"""An adapter and its base to plain weights. Knows no training and no command line."""
