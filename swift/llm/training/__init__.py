"""What the training verbs share: arguments to plan, plan to data, data to a trained model. Knows no command line."""
