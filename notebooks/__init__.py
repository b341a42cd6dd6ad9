"""The rooms as marimo notebooks, and the app that serves them: ``python -m notebooks``."""
