"""What is really simulated."""
