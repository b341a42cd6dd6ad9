"""A person's own data: how it is read, and what is said about it."""
