"""What infer and merge-lora share: arguments to plan, plan to a chat service, a chat in the terminal, answers to rows."""
