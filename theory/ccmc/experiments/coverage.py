"""What likelihood alone says about coverage: the same prompts fitted by Newton's method from several starts.

The next tokens are those of infinitely many repetitions of each prompt, so that what remains undetermined is the
prompts' fault and not chance's. Nothing here knows about graphs.
"""

from __future__ import annotations

import numpy as np
from xarray import Dataset

from theory.ccmc.experiments.turns import on_instances
from theory.ccmc.parameters import Params
from theory.ccmc.probes import generator_of, key_counts, probe_prompts
from theory.ccmc.problem import Chain, Floats
from theory.core.vocabulary import Experiment, Plan

STARTS = 8
FLAT = 1e-10
"""Curvature, relative to a token's own, below which a direction counts as flat."""
ROUNDING = 1e-13
"""Largest curvature that rounding gives to a direction without any."""
MOST_STEPS = 200
LONGEST_STEP = 2.0
SHORTEST_STEP = 1e-8
"""Newton's method stops at a step shorter than this, in nats."""


class Undecided(Exception):
    """Curvature between what rounding makes of zero and what Newton's method can use."""


def _laws(scores: Floats, log_counts: Floats) -> tuple[Floats, Floats]:
    """Next-token laws (U, K) of choice sets with these log counts, and the log of their masses (U,)."""
    entries = scores + log_counts
    top = entries.max(axis=1, keepdims=True)
    mass = np.exp(entries - top)
    total = mass.sum(axis=1, keepdims=True)
    return mass / total, (top + np.log(total))[:, 0]


def _curvature(laws: Floats) -> tuple[Floats, Floats, Floats]:
    """Eigenvalues and eigenvectors of the Fisher information scaled to a unit diagonal, and the scale (K,)."""
    # Its rows sum to 0: a diagonal summed from the others keeps small curvatures exact.
    information = -(laws.T @ laws)
    np.fill_diagonal(information, 0.0)
    np.fill_diagonal(information, -information.sum(axis=1))
    scale = 1 / np.sqrt(np.diag(information))
    values, vectors = np.linalg.eigh(scale[:, None] * information * scale)
    return values, vectors, scale


def newton(log_counts: Floats, target: Floats, start: Floats) -> tuple[Floats, Floats]:
    """Fit scores (K,) to target laws (U, K) of choice sets from ``start``; flat directions keep the start's value.

    Every token is in some set with another one. Every set weighs the same: whether its law can be learnt does not
    depend on how often it comes. Also returns the scaled curvatures (K,) where it ended, ascending.

    Raises:
        Undecided: a curvature is neither zero nor usable, or 200 steps did not suffice.
    """
    wins = target.sum(axis=0)
    scores = start.copy()

    def loss(trial: Floats) -> float:
        return float(_laws(trial, log_counts)[1].sum() - wins @ trial)

    for _ in range(MOST_STEPS):
        laws = _laws(scores, log_counts)[0]
        values, vectors, scale = _curvature(laws)
        flat = values < FLAT
        if np.abs(values[flat]).max(initial=0.0) > ROUNDING:
            raise Undecided
        gradient = laws.sum(axis=0) - wins
        usable = vectors[:, ~flat]
        direction: Floats = scale * (usable @ (usable.T @ (scale * gradient) / values[~flat]))
        # A step that moves no flat direction: what the likelihood does not see stays where it started.
        unseen: Floats = np.linalg.qr(scale[:, None] * vectors[:, flat])[0].astype(np.float64)
        direction = direction - unseen @ (unseen.T @ direction)
        if np.abs(direction).max() < SHORTEST_STEP:
            return scores - direction, values
        # Far away, a long step would end where some laws are 0 or 1 to rounding.
        size = min(1.0, LONGEST_STEP / float(np.abs(direction).max()))
        decrement, before = float(gradient @ direction), loss(scores)
        # Below this decrement rounding hides the decrease of the loss, and full Newton steps contract.
        while decrement > 1e-9 * len(target) and loss(scores - size * direction) > before - 0.25 * size * decrement:
            size /= 2
            if size < 1e-10:
                raise Undecided
        scores = scores - size * direction
    raise Undecided


def _coverage(params: Params, chain: Chain) -> Dataset:
    size = chain.vocab_size
    starts = generator_of(chain, 4).standard_normal((STARTS, size, size))
    fitted = starts.copy()
    curvature = np.zeros((size, size))
    with np.errstate(divide="ignore"):
        log_counts = np.log(chain.counts)
    for k in np.unique(chain.last[np.sum(chain.counts > 0, axis=1) > 1]).tolist():
        rows = (chain.last == k) & (np.sum(chain.counts > 0, axis=1) > 1)
        seen = chain.counts[rows].any(axis=0)
        sets = log_counts[rows][:, seen]
        target = _laws(np.log(chain.transition[k, seen]), sets)[0]
        try:
            for start in range(STARTS):
                fitted[start, k, seen], curvature[k, seen] = newton(sets, target, starts[start, k, seen])
        except Undecided:
            reason = "some prompts hardly inform about P: rounding hides which log-ratios they determine"
            return Dataset(attrs={"not_run": f"Not judged: {reason}."})
    counts, last = key_counts(chain, probe_prompts(chain, params.prompt_length))
    with np.errstate(divide="ignore"):
        probe_log_counts = np.log(counts)
    laws = np.stack([_laws(scores[last], probe_log_counts)[0] for scores in fitted])
    shares = np.log(np.where(counts > 0, laws, 1.0))
    dims = ("start", "last", "token")
    steep = curvature[curvature >= FLAT]
    return Dataset(
        {
            "started": (dims, starts, {"units": "nats"}),
            "fitted": (dims, fitted, {"units": "nats"}),
            "information_rank": ((), len(steep)),
            "law_spread": (("prompt",), np.ptp(shares, axis=0).max(axis=1), {"units": "nats"}),
        }
    )


def _plan(params: Params, problem: Chain, replicates: int) -> Plan:
    step = 1e-4 + 3e-7 * problem.vocab_size**2 + 3.5e-8 * len(problem.last)
    seconds = STARTS * 8 * problem.vocab_size * step
    return Plan(seconds * replicates, 32 * problem.counts.size, "instance")


newton_fits = Experiment("ccmc/newton_fits", frozenset({"prompt_length"}), "instance", _plan, on_instances(_coverage))
