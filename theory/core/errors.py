"""Errors that a person can act on: each names the parameter, the value and what is allowed."""

from __future__ import annotations


class BenchError(ValueError):
    """Base of all errors that are the input's fault; the command line exits with 2 on them."""


class ParameterError(BenchError):
    """A parameter value that is not allowed.

    >>> print(ParameterError("vocab_size", 99, "a whole number from 3 to 40"))
    vocab_size = 99 is not allowed: expected a whole number from 3 to 40.
    """

    def __init__(self, parameter: str, value: object, allowed: str) -> None:
        self.parameter, self.value, self.allowed = parameter, value, allowed
        shown = str(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        super().__init__(f"{parameter} = {shown} is not allowed: expected {allowed}.")


class DataError(BenchError):
    """Uploaded or given data that cannot be used; the message names the row and the value."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class Cancelled(Exception):
    """The person moved on: the experiment was asked to stop and did."""


class NoDevice(RuntimeError):
    """The device that was asked for is not on this machine."""
