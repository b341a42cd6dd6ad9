"""Flows of the shares, integrated from their definition: the stationary law of the fast chain, by a linear solve.

At shares m the last token is a chain with transitions proportional to ``m_j P_kj``; its stationary law v drives
``dm/dtau = v - m``. Nothing here uses the structure (ring, reversibility, fixed points) that the predictions rest on.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.integrate import solve_ivp
from xarray import Dataset

from theory.ccmc.experiments.turns import Told, in_turn
from theory.ccmc.parameters import Params
from theory.ccmc.problem import Chain, Floats
from theory.ccmc.simulation.cost import log_times
from theory.ccmc.simulation.sampling import simulate
from theory.core.vocabulary import Experiment, Plan, Stop

RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-10, 1e-12
DISPLACEMENT, LINEAR_TIME = 1e-5, 2.0
LOG_SHARES = (-1000.0, -2000.0)
"""Initial log shares of the next token in the two paths along the ring, beside a share ``BESIDE`` of the third."""
BESIDE = 0.1
LONGEST_TIME = 1e8
STARTS, CLIMB_TIME, CLIMB_RECORDS = 4, 300.0, 300
BALANCED, STRETCH, TEXTS, SCATTER_RECORDS = 900, 100, 25, 25
"""Tokens of a balanced prompt on the ring, how much longer its texts become, how many there are, how often seen."""


def growth(transition: Floats, logs: Floats) -> Floats:
    """d log m/dtau at log shares ``logs`` (K,), which need not be normalised.

    v/m is read off the stationarity equation ``v_j = m_j sum_k P_kj v_k/(P m)_k``, which keeps its digits for shares
    that are too small for v itself.
    """
    shares = np.exp(logs - logs.max())
    shares /= shares.sum()
    reach = transition @ shares
    fast = transition * shares / reach[:, None]
    size = len(shares)
    system = fast.T - np.eye(size)
    system[-1] = 1.0
    law = cast(Floats, np.linalg.solve(system, np.append(np.zeros(size - 1), 1.0)))
    return transition.T @ (law / reach) - 1


def _path(transition: Floats, start: Floats, end: float, times: Floats | None = None, events: Any = None) -> Any:
    def speed(_: float, logs: Floats) -> Floats:
        return growth(transition, logs)

    return cast(Any, solve_ivp)(  # its type hints are partial
        speed,
        (0.0, end),
        start,
        method="LSODA",
        t_eval=times,
        events=events,
        rtol=RELATIVE_TOLERANCE,
        atol=ABSOLUTE_TOLERANCE,
    )


def linear_rate(transition: Floats, generator: np.random.Generator) -> complex:
    """Growth rate of a small random displacement from the uniform mix of three tokens, in the mode exp(-2 pi i k/3)."""
    direction = generator.standard_normal(3)
    direction -= direction.mean()
    mode = np.exp(-2j * np.pi * np.arange(3) / 3)
    start = np.log(1 / 3 + DISPLACEMENT * direction / np.linalg.norm(direction))
    end = np.exp(_path(transition, start, LINEAR_TIME).y[:, -1])
    return complex(np.log((mode @ end) / (mode @ np.exp(start))) / LINEAR_TIME)


def sojourn_ratio(transition: Floats) -> float:
    """By how much a delay of the first switch of the dominating token delays the second one.

    Two paths start next to token 0, with the token that it leads to at tiny shares; log-times until that token has the
    majority, and from there until the third one has it, are compared. 0 when a path does not pass them in this order.
    """
    ahead = 1 if transition[0, 1] >= transition[0, 2] else 2
    order = (0, ahead, (2 * ahead) % 3)
    stays: list[tuple[float, float]] = []
    for small in LOG_SHARES:
        logs = np.zeros(3)
        logs[order[1]], logs[order[2]] = small, np.log(BESIDE)
        events = [_majority(order[1]), _majority(order[2], terminal=True)]
        found = _path(transition, logs, LONGEST_TIME, events=events)
        first, second = found.t_events
        after = second[second > first[0]] if len(first) else second
        if not len(first) or not len(after):
            return 0.0
        stays.append((float(first[0]), float(after[0] - first[0])))
    (early, brief), (late, long) = stays
    return (long - brief) / (late - early)


def _majority(token: int, terminal: bool = False) -> Any:
    """The event that a token comes to have more than half."""

    def lead(_: float, logs: Floats) -> float:
        return float(logs[token] - np.logaddexp.reduce(np.delete(logs, token)))

    lead.direction = 1.0  # pyright: ignore[reportFunctionMemberAccess]  # how solve_ivp is told
    lead.terminal = terminal  # pyright: ignore[reportFunctionMemberAccess]
    return lead


def scatter(transition: Floats, seed: int, stop: Stop) -> Dataset:
    """Texts from a balanced prompt of three tokens: ``scattered`` (text, length), squared distance from a third."""
    times = log_times(BALANCED, STRETCH * BALANCED, SCATTER_RECORDS)
    prompt = np.tile(np.arange(3), BALANCED // 3)
    seeds = [(seed, text) for text in range(TEXTS)]
    text = simulate(transition, prompt, STRETCH * BALANCED, seeds, times=times, stop=stop)
    squares = ((text.counts / text.times[:, None] - 1 / 3) ** 2).sum(axis=2)
    return Dataset({"scattered": (("text", "length"), squares)}, coords={"length": text.times})


def climbs(transition: Floats, generator: np.random.Generator) -> Dataset:
    """Paths from random shares: ``flow_shares`` and ``flow_speed`` (path, moment, token)."""
    moments = np.concatenate([[0.0], np.geomspace(0.01, CLIMB_TIME, CLIMB_RECORDS)])
    shares = np.empty((STARTS, len(moments), len(transition)))
    speed = np.empty_like(shares)
    for path in range(STARTS):
        logs = _path(transition, np.log(generator.dirichlet(np.ones(len(transition)))), CLIMB_TIME, moments).y.T
        shares[path] = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares[path] /= shares[path].sum(axis=1, keepdims=True)
        speed[path] = shares[path] * np.stack([growth(transition, at) for at in logs])
    dims = ("path", "moment", "token")
    return Dataset({"flow_shares": (dims, shares), "flow_speed": (dims, speed)}, coords={"moment": moments})


def _ring(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    if chain.vocab_size != 3:
        return Dataset(attrs={"not_run": "Not run: the ring needs three tokens."})
    rate = linear_rate(chain.transition, _generator(seed))
    return scatter(chain.transition, seed, stop).assign(
        growth_rate=((), rate.real, {"units": "per log-time"}),
        turning_rate=((), rate.imag, {"units": "radians per log-time"}),
        cycle_ratio=((), sojourn_ratio(chain.transition)),
    )


def _ascent(params: Params, chain: Chain, seed: int, told: Told, stop: Stop) -> Dataset:
    generator = _generator(seed)
    seeds = [tuple(row) for row in generator.integers(0, 2**31, size=(params.replicates, 2)).tolist()]
    end = max(params.n_tokens, len(chain.prompt) + 1)
    times = log_times(len(chain.prompt), end, 121)
    text = simulate(chain.transition, chain.prompt, end, seeds, times=times, stop=stop, progress=told)
    found = climbs(chain.transition, generator)
    found["time"] = text.times
    return found.assign(counts=(("replicate", "time", "token"), text.counts))


def _generator(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 3])


def _ring_plan(params: Params, problem: Chain, replicates: int) -> Plan:
    return Plan((0.15 + 1e-7 * TEXTS * STRETCH * BALANCED) * replicates, 10_000_000, "seed")


def _ascent_plan(params: Params, problem: Chain, replicates: int) -> Plan:
    records = STARTS * (CLIMB_RECORDS + 1)
    seconds = 6e-5 * records + 5e-8 * params.replicates * min(params.n_tokens, 10**9)
    return Plan(seconds * replicates, 32 * records * problem.vocab_size * replicates, "seed")


ring_flow = Experiment("ccmc/ring_flow", frozenset(), "seed", _ring_plan, in_turn(_ring))
ascent_paths = Experiment(
    "ccmc/ascent_paths", frozenset({"n_tokens", "replicates"}), "seed", _ascent_plan, in_turn(_ascent)
)
