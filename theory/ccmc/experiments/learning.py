"""Measured estimates of the base chain: next tokens drawn again and again for the same prompts, and fitted each time.

``fits`` compares each estimate with the truth that its next tokens were drawn from; for a person's own log the truth is
the P that was estimated from it. ``separation`` asks whether an estimate is finite by making a ridge vanish. Neither
uses Fisher information or graphs of choices to measure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.linalg import orth
from xarray import Dataset

from theory.ccmc.experiments.turns import Told, on_instances, with_logarithms
from theory.ccmc.fitting import RowFits, centred, fit_rows, log_likelihood, wins_of
from theory.ccmc.label_sets import drawn_labels, label_sets, next_laws
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats, Integers
from theory.ccmc.prompt_coverage import coverage_of
from theory.core.errors import Cancelled
from theory.core.vocabulary import Experiment, Plan, Stop

RIDGES = (1e-8, 1e-11)
"""Ridges per prompt: between them a runaway log-ratio grows by about the log of their ratio, 6.9, a finite one by 0."""
DIVERGED = 0.5 * float(np.log(RIDGES[0] / RIDGES[1]))
MOST_ROWS = 2_000_000


def _measure(chain: Chain, generators: Sequence[np.random.Generator]) -> Dataset:
    laws, component = next_laws(chain), coverage_of(chain.counts, chain.last).component
    truth = centred(np.log(chain.transition), component)
    # Only the sums are kept: all draws of a large problem together would not fit into memory.
    wins = np.stack([wins_of(chain.last, drawn_labels(chain, laws, generator)) for generator in generators])
    found = fit_rows(chain.counts, chain.last, chain.weight, wins)
    exists = found.converged.all(axis=1) & _finite(chain, wins, found)
    error = found.logits - truth
    gained = log_likelihood(chain.counts, chain.last, chain.weight, wins, found.logits)
    gained -= log_likelihood(chain.counts, chain.last, chain.weight, wins, truth)
    values = {
        "squared_error": np.sum(error**2, axis=(1, 2)),
        "weights_error": _weights_error(chain, error),
        "kl": _mean_divergence(chain, laws, found.logits),
        "likelihood_ratio": 2 * gained,
    }
    kept = {name: ("replicate", np.where(exists, found, np.nan)) for name, found in values.items()}
    return Dataset(kept | {"exists": ("replicate", exists)})


def _finite(chain: Chain, wins: Integers, found: RowFits) -> npt.NDArray[np.bool_]:
    """Whether each estimate stays where it is when a vanishing ridge pulls at it, (R,)."""
    pulled = fit_rows(chain.counts, chain.last, chain.weight, wins, ridge=RIDGES[0]).logits
    return np.abs(pulled - found.logits).max(axis=(1, 2)) < 1.0


def _weights_error(chain: Chain, error: Floats) -> Floats:
    """|W(Â) − W(A)|² of attention weights in S: least-squares weights for the difference of logits, projected on S."""
    embed = chain.vectors
    left = np.asarray(orth((embed[1:] - embed[0]).T), dtype=np.float64)
    inverse = np.asarray(np.linalg.pinv(embed), dtype=np.float64)
    weights = (left.T @ inverse) @ np.swapaxes(error, 1, 2) @ inverse.T
    return np.sum(weights**2, axis=(1, 2))


def _mean_divergence(chain: Chain, laws: Floats, logits: Floats) -> Floats:
    """KL(π* ‖ π̂) averaged over the training prompts, (R,)."""
    entropy = np.sum(laws * np.log(np.where(laws > 0, laws, 1.0)), axis=1)
    log_counts = np.log(np.maximum(chain.counts, 1))
    total = np.full(len(logits), float(chain.weight @ (entropy - np.sum(laws * log_counts, axis=1))))
    for k in np.unique(chain.last).tolist():
        rows = chain.last == k
        mass = np.exp(logits[:, k])
        total += chain.weight[rows] @ np.log(chain.counts[rows] @ mass.T)
        total -= logits[:, k] @ (chain.weight[rows] @ laws[rows])
    return total / chain.n_samples


def _fits(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    block = int(np.clip(MOST_ROWS // max(len(chain.last), 1), 1, params.replicates))
    parts: list[Dataset] = []
    for start in range(0, params.replicates, block):
        if stop():
            raise Cancelled
        runs = range(start, min(start + block, params.replicates))
        parts.append(_measure(chain, [np.random.default_rng((seed, run)) for run in runs]))
        told(runs.stop / params.replicates)
    return xr.concat(parts, "replicate")


def _separation(params: Params, chain: Chain) -> Dataset:
    sets = label_sets(chain, params.replicates)
    wins = wins_of(chain.last, sets)
    ranges: list[Floats] = []
    for ridge in RIDGES:
        found = fit_rows(chain.counts, chain.last, chain.weight, wins, ridge=ridge)
        if not found.converged.all():
            reason = f"{int((~found.converged).sum())} of {found.converged.size} fits did not converge"
            return Dataset(attrs={"not_run": f"Not judged: {reason}."})
        ranges.append(np.ptp(found.logits, axis=2))
    about = {"units": "nats", "long_name": "growth of the largest log-ratio as the ridge vanishes"}
    return Dataset({"growth": (("replicate", "last"), ranges[1] - ranges[0], about)})


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    rows, size = problem.counts.shape
    seconds = params.replicates * (5e-5 + 2.5e-7 * rows * size)
    return Plan(seconds * replicates, 8 * rows * (size**2 + 4 * size), "replicate")


fits = Experiment("ccmc/fits", frozenset({"replicates"}), "seed", _plan, with_logarithms(_fits))
separation = Experiment("ccmc/separation", frozenset({"replicates"}), "instance", _plan, on_instances(_separation))
