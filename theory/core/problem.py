"""A problem: the data that a claim is tested on, generated or uploaded, as plain arrays with a content hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Problem:
    """Base of each room's data type: a frozen dataclass whose fields are arrays, numbers, strings or tuples of strings.

    Generated and uploaded data are the same type, so nothing downstream knows where the data came from.
    """

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all fields: equal content, equal fingerprint, whatever produced it."""
        digest = hashlib.sha256(type(self).__name__.encode())
        for field in fields(self):
            value = getattr(self, field.name)
            digest.update(field.name.encode())
            if isinstance(value, np.ndarray):
                array = cast("npt.NDArray[Any]", value)
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
            else:
                digest.update(repr(value).encode())
        return digest.hexdigest()
