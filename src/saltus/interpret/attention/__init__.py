"""What heads attend to: probes, scores, roles, and pictures."""
