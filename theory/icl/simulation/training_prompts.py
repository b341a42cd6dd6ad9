"""Prompts for training as torch tensors: many data laws at once, each drawn from its own generator.

Two exact ways to draw the context: every example, or sufficient statistics. One layer of linear attention sees the
examples only through ``Z'Z``; with Z rotated so that all examples' common mean lies in the first row, Bartlett's
decomposition gives d + 2 rows with the same ``Z'Z`` in law, at a cost that does not depend on n (ours).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from theory.core.errors import ParameterError
from theory.icl.prompt_law import PromptLaw


@dataclass(frozen=True, eq=False)
class Batch:
    """Prompts of M models: ``tokens`` (M, B, rows, d + 1) hold [x_i; y_i], the latest last, zeros before the first.

    ``task`` (M, B, d) is the query's, times the label scale. ``query`` (M, B, d) is one drawn query; given the context,
    queries have mean ``query_mean`` (M, B, d) and covariance ``query_root query_root'``, root (M, d, d).
    """

    tokens: Any
    task: Any
    query: Any
    query_mean: Any
    query_root: Any

    def error(self, direction: Any) -> Any:
        """Squared error (M, B) of the prediction ``x' direction`` averaged over queries, label noise left out."""
        torch: Any = import_module("torch")

        off = self.task - direction
        spread = torch.linalg.vecdot(off @ self.query_root, off @ self.query_root)
        return spread + torch.linalg.vecdot(off, self.query_mean) ** 2

    def flipped(self) -> Any:
        """The tokens with all labels negated."""
        tokens = self.tokens.clone()
        tokens[..., -1] *= -1
        return tokens


class Sampler:
    """Draws batches for several laws of one dimension; model i uses its own generator alone.

    Raises:
        ParameterError: dimensions differ, or statistics are asked for where examples are needed.
    """

    def __init__(
        self,
        laws: Sequence[PromptLaw],
        generators: Sequence[Any],
        *,
        statistics: bool = False,
        device: str = "cpu",
        dtype: Any = None,
    ) -> None:
        torch: Any = import_module("torch")

        if len({law.dim for law in laws}) != 1:
            raise ParameterError("dim", [law.dim for law in laws], "one dimension for all models of a batch")
        if statistics and not all(law.has_statistics for law in laws):
            raise ParameterError("statistics", True, "Gaussian features and one task per prompt")
        self.laws, self.dim, self.statistics = tuple(laws), laws[0].dim, statistics
        self.rows = self.dim + 2 if statistics else max(law.length for law in laws)
        self._options: dict[str, Any] = {"device": device, "dtype": dtype or torch.float32}
        self._generators = generators
        along = [law.task_root_of_time for law in laws]
        self._times = [None if root is None else torch.tensor(root.T.copy(), **self._options) for root in along]
        self._drifts = any(root is not None for root in along)

        def column(values: Sequence[float]) -> Any:
            return torch.tensor(values, **self._options)[:, None, None]

        self._features = torch.tensor(np.stack([law.feature_root for law in laws]), **self._options)
        self._tasks = torch.tensor(np.stack([law.task_root for law in laws]), **self._options)
        self._mean = torch.tensor(np.stack([law.task_mean for law in laws]), **self._options)[:, None]
        self._noise = column([law.noise_variance**0.5 for law in laws])
        self._label_scale = column([law.label_scale for law in laws])
        self._to_query, self._to_task = column([a.to_query for a in laws]), column([a.to_task for a in laws])
        self._scale = column([law.scale for law in laws])
        self._posterior = column([law.posterior[0] for law in laws])
        roots = [law.feature_root * law.posterior[1] ** 0.5 for law in laws]
        self._query_root = torch.tensor(np.stack(roots), **self._options)
        self._length_root = column([law.length**0.5 for law in laws])
        filled = [[row >= self.rows - law.length for row in range(self.rows)] for law in laws]
        self._present = torch.tensor(filled, **self._options)[:, None, :, None]
        if statistics:
            self._prepare_statistics()

    @property
    def present(self) -> Any:
        """Which rows of the tokens hold examples, (M, rows); of no meaning for statistics."""
        return self._present[:, 0, :, 0] > 0

    def draw(self, batch: int) -> Batch:
        """A fresh batch of ``batch`` prompts for every model."""
        torch: Any = import_module("torch")

        rows, models = self.rows, len(self.laws)
        entries = torch.zeros(models, batch, rows, self.dim, **self._options)
        noise = torch.zeros(models, batch, rows, **self._options)
        base = torch.empty(models, batch, self.dim, **self._options)
        times = rows + 1 if self._drifts else 1
        tasks = torch.empty(models, batch, times, self.dim, **self._options)
        if self.statistics:
            self._fill_statistics(batch, entries, noise, base, tasks)
        else:
            for index in range(models):
                self._fill(index, batch, entries, noise, base, tasks)
        tasks = (tasks.flatten(1, 2) @ self._tasks).view(tasks.shape) + self._mean[:, None]
        task = tasks[:, :, -1]
        query = base @ self._features
        shift = self._to_query * query + self._to_task * task
        mixed = (entries.flatten(1, 2) @ self._features).view(entries.shape) * self._scale[..., None]
        if self.statistics:
            mixed[:, :, 0] += self._length_root * shift
            total = mixed[:, :, 0] * self._length_root
        else:
            mixed = mixed + shift[:, :, None] * self._present
            total = mixed.sum(dim=2)
        labels = (mixed * (tasks[:, :, :-1] if self._drifts else tasks)).sum(dim=3)
        labels = self._label_scale * labels + self._noise * noise
        aligned = self._to_task * task
        return Batch(
            torch.cat([mixed, labels[..., None]], dim=3),
            self._label_scale * task,
            query + aligned,
            self._posterior * total + aligned,
            self._query_root,
        )

    def _fill(
        self,
        index: int,
        batch: int,
        entries: Any,
        noise: Any,
        base: Any,
        tasks: Any,
    ) -> None:
        torch: Any = import_module("torch")

        law, dim, generator = self.laws[index], self.dim, self._generators[index]
        drifts = law.task_root_of_time is not None
        shapes = (law.length * dim, law.length, dim, dim * (law.length + 1 if drifts else 1))
        drawn = torch.randn(batch, sum(shapes), generator=generator, **self._options)
        features, own_noise, base[index], own_tasks = drawn.split(shapes, dim=1)
        first = self.rows - law.length
        shaped = features.reshape(batch, law.length, dim)
        entries[index, :, first:] = shaped.sign() if law.signs else shaped
        noise[index, :, first:] = own_noise
        base[index] = base[index].sign() if law.signs else base[index]
        if drifts:
            # Time last: one product of matrices, not one for each prompt.
            drifting = own_tasks.reshape(batch * dim, law.length + 1) @ self._times[index]
            tasks[index, :, :first] = 0.0
            tasks[index, :, first:] = drifting.view(batch, dim, -1).mT
        else:
            tasks[index] = own_tasks[:, None]

    def _prepare_statistics(self) -> None:
        torch: Any = import_module("torch")

        dim = self.dim
        self._upper = torch.triu_indices(dim, dim, 1, device=self._options["device"])
        # Row j of the triangle has n - 1 - j degrees of freedom; the label noise outside its span has the rest.
        dof = [[max(law.length - 1 - row, 0) for row in range(dim + 1)] for law in self.laws]
        self._dof = np.maximum(dof, 1)
        self._active = torch.tensor(np.array(dof)[:, None] > 0, **self._options)
        # Torch draws no chi-squares from a generator; these come from numpy's, seeded by the model's own.
        whole = {"dtype": torch.int64, "device": self._options["device"]}
        states = [torch.randint(2**63 - 1, (), generator=own, **whole) for own in self._generators]
        self._chi_squares = [np.random.default_rng(int(state)).chisquare for state in states]

    def _fill_statistics(self, batch: int, entries: Any, noise: Any, base: Any, tasks: Any) -> None:
        torch: Any = import_module("torch")

        dim, models = self.dim, len(self.laws)
        shapes = (dim * (dim + 1) // 2, dim + 1, dim, dim)
        drawn = torch.empty(models, batch, sum(shapes), **self._options)
        squares = np.empty((models, batch, dim + 1))
        for index, generator in enumerate(self._generators):  # all else is done for all models at once
            drawn[index].normal_(generator=generator)
            squares[index] = self._chi_squares[index](self._dof[index], (batch, dim + 1))
        radius = torch.tensor(np.sqrt(squares), **self._options) * self._active
        features, labels, base[:], own_tasks = drawn.split(shapes, dim=2)
        tasks[:] = own_tasks[:, :, None]
        active = self._active[:, :, :dim]
        entries[:, :, 0] = features[..., :dim]
        rows, columns = self._upper
        entries[:, :, rows + 1, columns] = features[..., dim:] * active[:, :, rows]
        diagonal = torch.arange(dim, device=drawn.device)
        entries[:, :, diagonal + 1, diagonal] = radius[..., :dim]
        noise[:, :, 0] = labels[..., 0]
        noise[:, :, 1 : dim + 1] = labels[..., 1:] * active
        noise[:, :, dim + 1] = radius[..., dim]


def generator_of(*seed: int, device: str = "cpu") -> Any:
    """A torch generator for a seed of several numbers."""
    torch: Any = import_module("torch")

    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state))
