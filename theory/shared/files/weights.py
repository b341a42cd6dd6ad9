"""Trained attention layers as safetensors files: tensors only, nothing that could be executed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from theory.core.errors import DataError

Floats = npt.NDArray[np.float64]
TENSOR_NAMES = ("embed", "weights", "head")


def weights_to_safetensors(
    weights: Floats, embed: Floats, head: Floats, metadata: Mapping[str, str] | None = None
) -> bytes:
    """The layer as the content of a safetensors file with tensors ``embed``, ``weights`` and ``head`` (float64)."""
    from safetensors.numpy import save

    arrays = dict(zip(TENSOR_NAMES, (embed, weights, head), strict=True))
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata=dict(metadata or {}))


def weights_from_safetensors(content: bytes) -> dict[str, Floats]:
    """The tensors that :func:`weights_to_safetensors` wrote.

    Raises:
        DataError: the content is not such a file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except SafetensorError as error:
        raise DataError("safetensors", f"not a safetensors file: {error}") from None
    missing = [name for name in TENSOR_NAMES if name not in arrays]
    if missing:
        raise DataError("safetensors", f"the file lacks the tensors {', '.join(missing)}")
    return {name: arrays[name] for name in TENSOR_NAMES}
