"""The models that are trained on prompts, many at once: attention, H3, softmax, and preconditioners (2407.10005).

All but softmax predict ``x' p`` for the query x, with a direction p (d,) that only the context decides. Tokens are
``z_i = [x_i; y_i]``; the query's token ``[x; 0]`` is masked out of its own context. Torch loads with the first call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from theory.core.errors import ParameterError
from theory.icl.problem import Floats

MODELS = ("attention", "h3", "softmax", "preconditioner", "factored")
INITIAL, SOFTMAX_INITIAL = 0.7, 0.5
"""Standard deviation of initial outputs ``h``; matrices have it over the square root of their size."""
READING = 0.1
"""Linear attention starts with values that read the label, up to this multiple of the usual random part.

From values at random many runs end in a poor local minimum of rank one, which uses features as values (ours).
"""


@cache
def model_classes() -> dict[str, Any]:
    """The classes (``torch.nn.Module``) by name; each holds M models, the first axis of all its parameters.

    ``direction(tokens)`` maps tokens (M, B, rows, d + 1) to p (M, B, d); ``forward(tokens, query, present)`` maps them
    and queries (M, B, d) to predictions (M, B). ``present`` (M, rows) says which rows hold examples.

    attention: ``z' Wq Wk' Z'Z Wv h / n``, matrices (M, D, D), h (M, D), D = d + 1.
    h3: channel c sums ``filter_i (Wk' z_i)_c (Wv' z_i)_c / n``, gated by ``h_c (Wq' z)_c``; filter (M, n), latest last.
    softmax: ``sum softmax(z' Wq Wk' z_i) z_i' Wv h``. preconditioner: W (M, d, d). factored: ``scale U V'`` with the
    columns beyond the rank masked.
    """
    torch: Any = import_module("torch")
    nn = torch.nn

    class Linear(nn.Module):
        def direction(self, tokens: Any) -> Any:
            raise NotImplementedError

        def forward(self, tokens: Any, query: Any, present: Any = None) -> Any:
            return torch.linalg.vecdot(self.direction(tokens), query)

    class Attention(Linear):
        def __init__(self, weights: Mapping[str, Any], lengths: Any) -> None:
            nn.Module.__init__(self)
            _register(self, weights)
            self.register_buffer("lengths", lengths[:, None, None])

        def direction(self, tokens: Any) -> Any:
            value = self.value @ self.output[:, :, None]
            read = (tokens.flatten(1, 2) @ value).view(tokens.shape[:3])
            summed = (read[:, :, None] @ tokens)[:, :, 0]
            return summed @ (self.key @ self.query.mT)[:, :, :-1] / self.lengths

    class Convolution(Attention):
        def direction(self, tokens: Any) -> Any:
            moment = (tokens * self.filter[:, None, -tokens.shape[2] :, None]).mT @ tokens
            pairs = (self.key[:, :, None] * self.value[:, None]).flatten(1, 2)
            channels = moment.flatten(2) @ pairs * self.output[:, None]
            return channels @ self.query[:, :-1].mT / self.lengths

    class Softmax(nn.Module):
        def __init__(self, weights: Mapping[str, Any], lengths: Any) -> None:
            nn.Module.__init__(self)
            _register(self, weights)

        def forward(self, tokens: Any, query: Any, present: Any = None) -> Any:
            asked = query @ (self.query @ self.key.mT)[:, :-1]
            scores = (tokens @ asked[..., None])[..., 0]
            if present is not None:
                scores = scores.masked_fill(~present[:, None], -torch.inf)
            values = (tokens.flatten(1, 2) @ (self.value @ self.output[:, :, None])).view(scores.shape)
            return torch.linalg.vecdot(scores.softmax(dim=2), values)

    class Preconditioner(Linear):
        def __init__(self, weights: Mapping[str, Any], lengths: Any) -> None:
            nn.Module.__init__(self)
            _register(self, weights)

        def preconditioner(self) -> Any:
            return self.weights

        def direction(self, tokens: Any) -> Any:
            correlation = (tokens[..., None, :, -1] @ tokens[..., :-1])[:, :, 0]
            return correlation @ self.preconditioner().mT

    class Factored(Preconditioner):
        def __init__(self, weights: Mapping[str, Any], lengths: Any) -> None:
            masked = dict(weights)
            mask = masked.pop("mask", torch.ones_like(masked["left"][:, :1]))
            Preconditioner.__init__(self, masked, lengths)
            self.register_buffer("mask", mask)

        def preconditioner(self) -> Any:
            return self.scale[:, None, None] * (self.left * self.mask) @ self.right.mT

    return dict(zip(MODELS, (Attention, Convolution, Softmax, Preconditioner, Factored), strict=True))


def initial_weights(name: str, dim: int, length: int, generator: Any, rank: int | None = None) -> dict[str, Any]:
    """One model's initial parameters, float64 on the CPU, so that they are the same on every device.

    Raises:
        ParameterError: the model is unknown, or the rank is not between 0 and d.
    """
    torch: Any = import_module("torch")

    if name not in MODELS:
        raise ParameterError("model", name, "one of " + ", ".join(MODELS))
    if rank is not None and not 0 <= rank <= dim:
        raise ParameterError("rank", rank, f"a whole number from 0 to {dim}")

    def normal(*shape: int, scale: float) -> Any:
        return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)

    if name == "preconditioner":
        return {"weights": torch.zeros(dim, dim, dtype=torch.float64)}
    if name == "factored":
        factors = {side: normal(dim, dim, scale=INITIAL / dim) for side in ("left", "right")}
        mask = (torch.arange(dim) < (dim if rank is None else rank)).to(torch.float64)[None]
        return factors | {"scale": torch.ones((), dtype=torch.float64), "mask": mask}
    size = dim + 1
    scale = SOFTMAX_INITIAL if name == "softmax" else INITIAL
    found = {part: normal(size, size, scale=scale / size**0.5) for part in ("query", "key", "value")}
    found["output"] = normal(size, scale=scale)
    if name == "attention":
        found["query"], found["key"] = 0.5 * found["query"], 0.5 * found["key"]
        found["value"] = torch.eye(size, dtype=torch.float64) + READING * found["value"]
        found["output"] = READING * found["output"]
        found["output"][-1] += 1
    if name == "h3":
        found["filter"] = 1 + normal(length, scale=0.1)
    return found


def build(
    name: str,
    weights: Sequence[Mapping[str, Any]],
    lengths: Sequence[int],
    *,
    device: str = "cpu",
    dtype: Any = None,
) -> Any:
    """One module of M models from each one's parameters; filters of shorter prompts are padded in front."""
    torch: Any = import_module("torch")

    options: dict[str, Any] = {"device": device, "dtype": dtype or torch.float32}
    longest = max(lengths)
    stacked: dict[str, Any] = {}
    for part in weights[0]:
        arrays = [np.asarray(own[part], dtype=np.float64) for own in weights]
        if part == "filter":
            arrays = [np.pad(array, (longest - len(array), 0)) for array in arrays]
        stacked[part] = torch.tensor(np.stack(arrays), **options)
    return model_classes()[name](stacked, torch.tensor(lengths, **options))


def weights_of(module: Any, index: int, length: int) -> dict[str, Floats]:
    """The parameters of model ``index`` as float64 arrays; a filter has its own ``length``, masked factors are 0."""
    found = {name: value.detach()[index].cpu().numpy().astype(np.float64) for name, value in module.named_parameters()}
    mask = dict(module.named_buffers()).get("mask")
    if mask is not None:
        found["left"] = found["left"] * mask[index].cpu().numpy()
    if "filter" in found:
        found["filter"] = found["filter"][-length:]
    return found


def _register(module: Any, weights: Mapping[str, Any]) -> None:
    nn: Any = import_module("torch.nn")
    for name, value in weights.items():
        module.register_parameter(name, nn.Parameter(value.clone()))
