"""The OpenAI interface over HTTP in front of a chat service. Knows no tensor, no model file and no command line."""
