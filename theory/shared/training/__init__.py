"""Many small models trained as one batched program."""
