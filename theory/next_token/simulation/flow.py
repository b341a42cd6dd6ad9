"""Gradient flow in log-time: ``dW / d tau = -exp(tau) dL / dW`` with tau = log(time), far beyond what steps reach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.integrate import solve_ivp

from theory.core.errors import Cancelled, ParameterError
from theory.next_token.condensation import Condensation
from theory.next_token.convex import Block, assemble, blocks
from theory.next_token.problem import Prompts

Floats = npt.NDArray[np.float64]

START = -5.0
"""Log-time at which the flow starts from zero weights: nothing has moved by then."""
FULL_LIMIT = 300.0
"""Largest log-time of the full flow; with cycles rounding stalls the solver beyond about 20."""


def log_time_flow(prompts: Prompts, log_times: Floats, stop: Callable[[], bool] | None = None) -> Floats:
    """(m, K, K) logits [token, last] of the gradient flow from zero weights at ascending ``log_times``.

    An implicit solver (Radau, relative tolerance 1e-8, exact Jacobian) on the data themselves. Reliable up to 300 for
    acyclic data, up to about 20 otherwise: :func:`relaxed_flow` goes on from there.

    Raises:
        ParameterError: a log-time outside (-5, 300].
        Cancelled: ``stop()`` turned true.
    """
    times = _checked(log_times, FULL_LIMIT)
    parts = blocks(prompts)
    return assemble(parts, [_flow(block, times, stop) for block in parts], prompts.vocab_size)


def _flow(block: Block, times: Floats, stop: Callable[[], bool] | None) -> Floats:
    def velocity(time: float, point: Floats) -> Floats:
        if stop is not None and stop():
            raise Cancelled
        return -np.exp(time) * block.derivatives(point)[0]

    def jacobian(time: float, point: Floats) -> Floats:
        return -np.exp(time) * block.derivatives(point)[1]

    return _integrate(velocity, jacobian, block.design.shape[1], times)


def relaxed_flow(graph: Condensation, log_times: Floats) -> Floats:
    """(m, c) component levels of the flow with the finite scores frozen at their limit, orthonormal embeddings (ours).

    ``n_C dz_C / d tau = sum_B a_CB exp(tau - z_C + z_B) - sum_A a_AC exp(tau - z_A + z_C)``: valid once the finite
    part has settled, and stable to any log-time. Rows are log-times, columns the components of ``graph``.
    """
    times = _checked(log_times, np.inf)
    levels = np.zeros((len(times), graph.n_components))
    for k in graph.columns:
        nodes = slice(graph.scc_starts[k], graph.scc_starts[k + 1])
        mine = slice(graph.edge_starts[k], graph.edge_starts[k + 1])
        incidence = np.zeros((mine.stop - mine.start, nodes.stop - nodes.start))
        at = np.arange(len(incidence))
        incidence[at, graph.edges[mine, 0] - nodes.start] = 1.0
        incidence[at, graph.edges[mine, 1] - nodes.start] = -1.0
        levels[:, nodes] = _relaxed(incidence, np.log(graph.weights[mine]), graph.size[nodes], times)
    return levels


def _relaxed(incidence: Floats, log_weights: Floats, sizes: npt.NDArray[np.int64], times: Floats) -> Floats:
    pull = incidence.T / sizes[:, None]

    # A trial point of the solver may overshoot far: the cap keeps its forces finite and is never active on the flow.
    def forces(time: float, levels: Floats) -> Floats:
        return np.exp(np.minimum(time + log_weights - incidence @ levels, 300.0))

    def velocity(time: float, levels: Floats) -> Floats:
        return pull @ forces(time, levels)

    def jacobian(time: float, levels: Floats) -> Floats:
        return -(pull * forces(time, levels)) @ incidence

    return _integrate(velocity, jacobian, len(sizes), times)


def _integrate(
    velocity: Callable[[float, Floats], Floats], jacobian: Callable[[float, Floats], Floats], dim: int, times: Floats
) -> Floats:
    answer = solve_ivp(
        velocity,
        (START, float(times[-1])),
        np.zeros(dim),
        method="Radau",
        t_eval=times,
        jac=jacobian,
        rtol=1e-8,
        atol=1e-10,
    )
    return np.asarray(answer.y.T, dtype=np.float64)


def _checked(log_times: Floats, limit: float) -> Floats:
    times = np.asarray(log_times, dtype=np.float64)
    if len(times) == 0 or not (np.diff(times) >= 0).all() or not START < times[0] <= times[-1] <= limit:
        raise ParameterError("log_time", times.tolist(), f"ascending numbers above {START:g} and at most {limit:g}")
    return times
