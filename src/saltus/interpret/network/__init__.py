"""A model opened up: its parts by name, prompts as tokens, and what it scores on them."""
