"""A person's files, read once for all rooms: parsed, never executed."""
