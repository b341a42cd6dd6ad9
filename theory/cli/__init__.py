"""The command ``theory``."""

from theory.cli.commands import main as main
