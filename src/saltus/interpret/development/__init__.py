"""How what is inside a network formed: curves over checkpoints, and sentences about them."""
