"""Moments of prompts by Wick's theorem in computer algebra, and the optima that follow, written as LaTeX.

``python -m theory.icl.symbolic`` derives them again and writes :mod:`theory.icl.derived`. An expectation of a product
of inner products of independent Gaussian vectors is a sum over pairings of equal letters; each closed cycle of a
pairing contributes a trace.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

sp: Any = import_module("sympy")
TARGET = Path(__file__).with_name("derived.py")
Factor = tuple[str, str, str]
"""An inner product ``left' matrix right``: two letters and a matrix, "I" or the projector "P" on an eigen-direction."""

d, n, noise, power, eigenvalue, trace = sp.symbols("dim n noise power eigenvalue trace", positive=True)
alpha, gamma2, kappa, theta = sp.symbols("alpha gamma2 kappa theta", positive=True)


@dataclass(frozen=True)
class Derived:
    """One derived expression: its name in the code, what it is, the sympy expression, its arguments and its LaTeX."""

    name: str
    meaning: str
    expression: Any
    arguments: tuple[str, ...]
    latex: str


def pairings(slots: tuple[int, ...]) -> Iterator[tuple[tuple[int, int], ...]]:
    """All ways to pair up the slots.

    >>> len(list(pairings((0, 1, 2, 3))))
    3
    """
    if not slots:
        yield ()
        return
    first, rest = slots[0], slots[1:]
    for place, partner in enumerate(rest):
        for others in pairings(rest[:place] + rest[place + 1 :]):
            yield ((first, partner), *others)


@cache
def moment(factors: tuple[Factor, ...]) -> Any:
    """Expectation of a product of inner products; letter ``b`` has the covariance A, all others the identity.

    With no "P" and A = I traces are the dimension. A cycle through P with m pairs of ``b`` gives lambda^m.

    >>> moment((("g", "I", "g"),)), moment((("g", "I", "h"), ("g", "I", "h")))
    (dim, dim)
    """
    letters = [letter for left, _, right in factors for letter in (left, right)]
    by_letter = [
        tuple(slot for slot, found in enumerate(letters) if found == letter) for letter in sorted(set(letters))
    ]
    if any(len(slots) % 2 for slots in by_letter):
        return sp.Integer(0)
    total = sp.Integer(0)
    for chosen in product(*(tuple(pairings(slots)) for slots in by_letter)):
        partner = {one: other for pair in chosen for both in pair for one, other in (both, both[::-1])}
        total += _cycles(factors, letters, partner)
    return sp.expand(total)


def _cycles(factors: tuple[Factor, ...], letters: list[str], partner: dict[int, int]) -> Any:
    found, seen = sp.Integer(1), set[int]()
    for start in range(len(factors)):
        slot, projected, weight = 2 * start, False, 0
        if start in seen:
            continue
        while slot // 2 not in seen:
            seen.add(slot // 2)
            projected |= factors[slot // 2][1] == "P"
            other = slot ^ 1
            weight += letters[other] == "b"
            slot = partner[other]
        if projected:
            found *= eigenvalue**weight
        else:
            found *= (d if weight == 0 else trace) if weight < 2 else sp.Symbol(f"trace{weight}")
    return found


def expected(words: Sequence[tuple[str, str]], parts: dict[str, dict[str, Any]]) -> Any:
    """Expectation of a product of inner products of vectors that are sums, e.g. ``{"x": {"q": alpha, "g": beta}}``."""
    slots = [letter for word in words for letter in word]
    total = sp.Integer(0)
    for chosen in product(*(tuple(parts.get(letter, {letter: 1}).items()) for letter in slots)):
        names = [letter for letter, _ in chosen]
        factors = tuple((names[place], "I", names[place + 1]) for place in range(0, len(names), 2))
        total += sp.prod([weight for _, weight in chosen]) * moment(factors)
    return sp.expand(total)


def independent() -> dict[str, Any]:
    """Second moment of X'y along one eigen-direction, best weight, and the risk that it removes."""
    alone = moment((("g", "P", "g"), ("g", "I", "b"), ("g", "I", "b")))
    apart = moment((("g", "P", "h"), ("g", "I", "b"), ("h", "I", "b")))
    cross = n * moment((("g", "P", "b"), ("g", "I", "b")))
    square = sp.expand(n * (alone + noise) + n * (n - 1) * apart).subs(trace, power - noise)
    weight = sp.Symbol("w")
    cost = -2 * weight * cross + weight**2 * square
    (best,) = sp.solve(sp.diff(cost, weight), weight)
    return {
        "second_moment": sp.factor(sp.expand(square)),
        "weight": sp.factor(best),
        "gain": sp.factor(-cost.subs(weight, best)),
    }


def retrieval() -> dict[str, Any]:
    """Both moments of retrieved examples for W = c I; then best c, risk, floor and crossover."""
    far = sp.sqrt(1 - alpha**2)
    parts = {"x": {"q": alpha, "g": far}, "z": {"q": alpha, "h": far}}
    top = n * expected([("x", "q"), ("x", "q")], parts)
    alone = expected([("x", "x"), ("x", "q"), ("x", "q")], parts)
    apart = expected([("x", "z"), ("x", "q"), ("z", "q")], parts)
    bottom = n * alone + n * (n - 1) * apart + noise * top
    risk = d + noise - top**2 / bottom
    floor = sp.factor(sp.limit(sp.together(risk - noise), n, sp.oo))
    against = sp.numer(sp.together(risk - risk.subs(alpha, 0)))
    crossing = [root for root in sp.solve(sp.factor(against), n) if root != 0]
    positive = [root for root in crossing if root.subs({d: 5, noise: 0, alpha: 1}) > 0]
    return {
        "retrieval_top": sp.factor(sp.expand(top)),
        "retrieval_bottom": sp.expand(bottom),
        "retrieval_floor": floor,
        "retrieval_crossover": sp.factor(positive[0]),
        "retrieval_correction": _correction(risk, kappa),
    }


def aligned() -> dict[str, Any]:
    """Both moments of aligned features for W = c I, given gamma squared, and the label power."""
    parts = {"x": {"q": alpha, "g": 1}, "z": {"q": alpha, "h": 1}}
    # Given the task q, the query has second moment alpha^2 q q' + I.
    spread = expected([("x", "q"), ("x", "q")], parts)
    top = (
        n
        * gamma2
        * (alpha**2 * expected([("q", "q"), ("q", "x"), ("x", "q")], parts) + expected([("q", "x"), ("x", "q")], parts))
    )
    along = [("q", "x"), ("x", "q"), ("q", "x"), ("x", "q")], [("q", "x"), ("x", "q"), ("q", "z"), ("z", "q")]
    across = [("x", "x"), ("x", "q"), ("x", "q")], [("x", "z"), ("x", "q"), ("z", "q")]
    signal = [
        alpha**2 * expected(one, parts) + expected(other, parts) for one, other in zip(along, across, strict=True)
    ]
    labels = alpha**2 * spread + expected([("x", "x")], parts)
    bottom = gamma2 * (n * signal[0] + n * (n - 1) * signal[1]) + noise * n * labels
    whole = gamma2 * spread + noise
    risk = (whole - top**2 / bottom).subs(gamma2, 1 / (alpha**2 * d + 1))
    return {
        "aligned_top": sp.expand(top),
        "aligned_bottom": sp.expand(bottom),
        "aligned_power": sp.expand(whole),
        "aligned_correction": _correction(risk, kappa**2),
    }


def _correction(risk: Any, multiplier: Any) -> Any:
    """What the approximation misses when d grows at n = theta d and alpha^2 = (kappa - 1) / d."""
    close = d + noise - multiplier * n * d / (multiplier * n + d + noise)
    gap = (sp.expand(risk) - close).subs({alpha: sp.sqrt((kappa - 1) / d)}).subs(n, theta * d)
    top, bottom = (sp.Poly(sp.expand(part), d) for part in sp.fraction(sp.together(gap)))
    if top.degree() > bottom.degree():
        raise ArithmeticError("the approximation is off by more than a constant")
    return sp.factor(sp.simplify(top.coeff_monomial(d ** bottom.degree()) / bottom.LC()))


_MEANING = {
    "second_moment": "second moment of X'y along an eigen-direction",
    "weight": "best preconditioner along an eigen-direction",
    "gain": "risk that the best preconditioner removes along an eigen-direction",
    "retrieval_top": "E y_q x'X'y with retrieved examples",
    "retrieval_bottom": "E (x'X'y)^2 with retrieved examples",
    "retrieval_floor": "excess risk that no number of retrieved examples removes",
    "retrieval_crossover": "number of examples beyond which retrieved ones are worse than independent ones",
    "retrieval_correction": "exact minus approximate risk with retrieved examples, for large dimensions",
    "aligned_top": "E y_q x'X'y with features along the task",
    "aligned_bottom": "E (x'X'y)^2 with features along the task",
    "aligned_power": "E y_q^2 with features along the task",
    "aligned_correction": "exact minus approximate risk with features along the task, for large dimensions",
}


@cache
def derive() -> tuple[Derived, ...]:
    """All expressions, derived from scratch in a few seconds."""
    shown = {power: sp.Symbol("M"), eigenvalue: sp.Symbol("lambda"), noise: sp.Symbol("sigma") ** 2}
    shown |= {d: sp.Symbol("d"), gamma2: sp.Symbol("gamma") ** 2}
    found = independent() | retrieval() | aligned()
    return tuple(
        Derived(
            name,
            _MEANING[name],
            expression,
            tuple(sorted(symbol.name for symbol in expression.free_symbols)),
            sp.latex(expression.subs(shown)),
        )
        for name, expression in found.items()
    )


def source() -> str:
    """The text of the generated module."""
    rows = "".join(f'    "{item.name}": r"{item.latex}",  # {item.meaning}\n' for item in derive())
    return (
        '"""Written by ``python -m theory.icl.symbolic``: change the derivation there, not this file."""\n\n'
        f"# fmt: off\n# ruff: noqa: E501\n\nLATEX = {{\n{rows}}}\n"
    )


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
