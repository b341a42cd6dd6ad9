"""What the claims are judged on."""
