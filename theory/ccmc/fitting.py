"""Maximum likelihood for the base chain, for many sets of next tokens after the same prompts at once.

The log-likelihood of row k sees next tokens only through how often each was chosen: with f = log P_k and prompts u,

    ℓ(f) = Σ_j wins_j f_j − Σ_u w_u log Σ_j N_uj exp(f_j).

Its gradient and Hessian are N and N ⊗ N times vectors over prompts, so all sets share two matrix products per step.
:func:`theory.shared.choice.fit_choice` is the same estimate for one set of choices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.ccmc.problem import Booleans, Floats, Integers
from theory.ccmc.prompt_coverage import coverage_of

MOST_STEPS = 200
LONGEST_STEP = 4.0
"""Largest change of a logit in one step, in nats: where the estimate runs away, the quadratic model points too far."""


@dataclass(frozen=True, eq=False)
class RowFits:
    """``logits`` (R, K, K)[set, last, token], centred per component; ``converged`` (R, K) and ``steps`` (R, K)."""

    logits: Floats
    converged: Booleans
    steps: Integers


def wins_of(last: Integers, chosen: Integers) -> Integers:
    """How often each token was chosen after each last token: ``chosen`` (..., U, K) becomes (..., K, K).

    >>> wins_of(np.array([1, 1]), np.array([[2, 0], [1, 4]])).tolist()
    [[0, 0], [3, 4]]
    """
    size = chosen.shape[-1]
    found = np.zeros((*chosen.shape[:-2], size, size), dtype=np.int64)
    for k in range(size):
        found[..., k, :] = chosen[..., last == k, :].sum(axis=-2)
    return found


def centred(logits: Floats, component: Integers) -> Floats:
    """Logits (..., K, K)[last, token] less their mean over each component (K, K)[last, token] of the prompts.

    >>> centred(np.array([[1.0, 3.0], [1.0, 3.0]]), np.array([[0, 0], [0, 1]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    same = component[:, :, None] == component[:, None, :]
    average = same / same.sum(axis=2, keepdims=True)
    return logits - np.einsum("kij,...kj->...ki", average, logits)


def fit_rows(counts: Integers, last: Integers, weight: Integers, wins: Integers, *, ridge: float = 0.0) -> RowFits:
    """Maximum-likelihood logits by damped Newton steps, for R sets of next tokens after the same prompts.

    Shapes: ``counts`` (U, K) of the keys, ``last`` and ``weight`` (U,), ``wins`` (R, K, K)[set, last, token]. With
    ``ridge`` the loss has ridge/2 |f|² per prompt added to each row, which makes the estimate finite in any case;
    without it, logits of an estimate that does not exist run away (see :mod:`theory.ccmc.existence`).

    >>> counts, once = np.array([[1, 1]]), np.array([0])
    >>> fit_rows(counts, once, np.array([4]), np.array([[[3, 1], [0, 0]]])).logits[0, 0].round(4).tolist()
    [0.5493, -0.5493]
    """
    size = counts.shape[1]
    component = coverage_of(counts, last).component
    logits = np.zeros(wins.shape, dtype=np.float64)
    converged = np.ones(wins.shape[:2], dtype=np.bool_)
    steps = np.zeros(wins.shape[:2], dtype=np.int64)
    for k in range(size):
        rows = np.flatnonzero(last == k)
        if len(rows):
            row = _Row(counts[rows], weight[rows], component[k], ridge)
            logits[:, k], converged[:, k], steps[:, k] = row.fit(wins[:, k].astype(np.float64))
    return RowFits(centred(logits, component), converged, steps)


def log_likelihood(counts: Integers, last: Integers, weight: Integers, wins: Integers, logits: Floats) -> Floats:
    """Log-likelihood (R,), up to a term that depends on the data alone, of logits (R, K, K) or (K, K).

    Logits of −inf (zeros of P) are allowed where the token was never chosen.
    """
    table = np.broadcast_to(logits, wins.shape)
    top = table.max(axis=-1, keepdims=True)
    mass = np.exp(table - top)
    total = np.sum(wins * np.where(wins > 0, table - top, 0.0), axis=(1, 2))
    for k in range(counts.shape[1]):
        rows = np.flatnonzero(last == k)
        total -= weight[rows] @ np.log(counts[rows] @ mass[:, k].T)
    return total


class _Row:
    """The problem of one last token: its prompts, and the quantities that do not change between steps."""

    def __init__(self, counts: Integers, weight: Integers, component: Integers, ridge: float) -> None:
        self._counts, self._weight, self._ridge = (
            counts.astype(np.float64),
            weight.astype(np.float64),
            ridge * float(weight.sum()),
        )
        self._total = float(weight.sum())
        self._pairs = (self._counts[:, :, None] * self._counts[:, None, :]).reshape(len(counts), -1)
        # Any positive multiple of 11' per component fixes its free constant; this one keeps the matrix well scaled.
        self._lift = (component[:, None] == component[None, :]) * (self._total / len(component) ** 2)

    def fit(self, wins: Floats) -> tuple[Floats, Booleans, Integers]:
        scores, steps = np.zeros_like(wins), np.zeros(len(wins), dtype=np.int64)
        loss, gradient = self._loss(scores, wins)
        active = np.arange(len(wins))
        for _ in range(MOST_STEPS):
            active = active[np.abs(gradient[active]).max(axis=1) > 1e-12 * self._total]
            if not len(active):
                break
            here, mine = scores[active], wins[active]
            direction = self._newton(here, gradient[active])
            direction *= np.minimum(1.0, LONGEST_STEP / np.abs(direction).max(axis=1, keepdims=True))
            decrease = np.sum(gradient[active] * direction, axis=1)
            moved = self._search(here, mine, direction, loss[active], decrease)
            new_loss, new_gradient = self._loss(moved, mine)
            # Below this decrease rounding hides progress in the loss; then the gradient has to show it.
            stuck = decrease <= 1e-9 * self._total
            stuck &= np.abs(new_gradient).max(axis=1) >= np.abs(gradient[active]).max(axis=1)
            kept = active[~stuck]
            scores[kept], loss[kept], gradient[kept] = moved[~stuck], new_loss[~stuck], new_gradient[~stuck]
            steps[kept] += 1
            active = kept
        return scores, np.abs(gradient).max(axis=1) <= 1e-10 * self._total, steps

    def _masses(self, scores: Floats) -> tuple[Floats, Floats, Floats]:
        """Token masses (R, K) below a common top (R,), and their sums over the keys of each prompt (U, R)."""
        top = scores.max(axis=1)
        mass = np.exp(scores - top[:, None])
        return mass, top, self._counts @ mass.T

    def _loss(self, scores: Floats, wins: Floats) -> tuple[Floats, Floats]:
        mass, top, sums = self._masses(scores)
        loss = self._weight @ np.log(sums) + self._total * top - np.sum(wins * scores, axis=1)
        gradient = mass * ((self._weight[:, None] / sums).T @ self._counts) - wins + self._ridge * scores
        return loss + 0.5 * self._ridge * np.sum(scores**2, axis=1), gradient

    def _newton(self, scores: Floats, gradient: Floats) -> Floats:
        mass, _, sums = self._masses(scores)
        size = scores.shape[1]
        expected = mass * ((self._weight[:, None] / sums).T @ self._counts)
        products = ((self._weight[:, None] / sums**2).T @ self._pairs).reshape(-1, size, size)
        hessian = self._lift - products * mass[:, :, None] * mass[:, None, :]
        # Where an estimate runs away its curvature underflows; a rounding's worth of ridge keeps the system solvable.
        hessian += (expected + self._ridge + 1e-14 * self._total)[:, :, None] * np.eye(size)
        return np.asarray(np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0], dtype=np.float64)

    def _search(self, scores: Floats, wins: Floats, direction: Floats, loss: Floats, decrease: Floats) -> Floats:
        size = np.ones(len(scores))

        def enough(found: Floats) -> Booleans:
            return (found <= loss - 0.25 * size * decrease) | (decrease <= 1e-9 * self._total)

        short = ~enough(self._loss(scores - direction, wins)[0])
        while short.any() and size.min() > 1e-10:
            size[short] /= 2
            short = ~enough(self._loss(scores - size[:, None] * direction, wins)[0])
        return scores - size[:, None] * direction
