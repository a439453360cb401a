"""What can be read off a network: lenses, direct effects on the logits, integrated gradients."""
