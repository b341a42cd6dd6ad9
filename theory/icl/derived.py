"""Written by ``python -m theory.icl.symbolic``: change the derivation there, not this file."""

# fmt: off
# ruff: noqa: E501

from __future__ import annotations

from theory.icl.problem import Floats

Number = float | Floats


def second_moment(eigenvalue: Number, n: Number, power: Number) -> Number:
    """Second moment of X'y along an eigen-direction."""
    return n*(eigenvalue*n + eigenvalue + power)


def weight(eigenvalue: Number, n: Number, power: Number) -> Number:
    """Best preconditioner along an eigen-direction."""
    return eigenvalue/(eigenvalue*n + eigenvalue + power)


def gain(eigenvalue: Number, n: Number, power: Number) -> Number:
    """Risk that the best preconditioner removes along an eigen-direction."""
    return eigenvalue**2*n/(eigenvalue*n + eigenvalue + power)


def retrieval_top(alpha: Number, dim: Number, n: Number) -> Number:
    """E y_q x'X'y with retrieved examples."""
    return dim*n*(alpha**2*dim + alpha**2 + 1)


def retrieval_bottom(alpha: Number, dim: Number, n: Number, noise: Number) -> Number:
    """E (x'X'y)^2 with retrieved examples."""
    return alpha**4*dim**3*n**2 - alpha**4*dim**3*n + 4*alpha**4*dim**2*n**2 - 4*alpha**4*dim**2*n + 5*alpha**4*dim*n**2 - 5*alpha**4*dim*n + alpha**2*dim**3*n + 2*alpha**2*dim**2*n**2 + alpha**2*dim**2*n*noise + 3*alpha**2*dim**2*n + 2*alpha**2*dim*n**2 + alpha**2*dim*n*noise + 4*alpha**2*dim*n + dim**2*n + dim*n**2 + dim*n*noise + dim*n


def retrieval_floor(alpha: Number, dim: Number) -> Number:
    """Excess risk that no number of retrieved examples removes."""
    return 2*alpha**4*dim*(dim + 2)/(alpha**4*dim**2 + 4*alpha**4*dim + 5*alpha**4 + 2*alpha**2*dim + 2*alpha**2 + 1)


def retrieval_crossover(alpha: Number, dim: Number, noise: Number) -> Number:
    """Number of examples beyond which retrieved ones are worse than independent ones."""
    return (1/2)*(alpha**2*dim**3 + alpha**2*dim**2*noise + 4*alpha**2*dim**2 + 2*alpha**2*dim*noise + 7*alpha**2*dim + alpha**2*noise + 6*alpha**2 + dim**2 + dim*noise + dim + noise - 2)/(alpha**2*(dim + 2))


def retrieval_correction(kappa: Number, theta: Number) -> Number:
    """Exact minus approximate risk with retrieved examples, for large dimensions."""
    return theta*(2*kappa**2*theta - kappa**2 - 4*kappa*theta + 3*kappa + 2*theta - 1)/(kappa*theta + 1)**2


def aligned_top(alpha: Number, dim: Number, gamma2: Number, n: Number) -> Number:
    """E y_q x'X'y with features along the task."""
    return alpha**4*dim**3*gamma2*n + 6*alpha**4*dim**2*gamma2*n + 8*alpha**4*dim*gamma2*n + 2*alpha**2*dim**2*gamma2*n + 4*alpha**2*dim*gamma2*n + dim*gamma2*n


def aligned_bottom(alpha: Number, dim: Number, gamma2: Number, n: Number, noise: Number) -> Number:
    """E (x'X'y)^2 with features along the task."""
    return alpha**6*dim**4*gamma2*n**2 + 12*alpha**6*dim**3*gamma2*n**2 + 44*alpha**6*dim**2*gamma2*n**2 + 48*alpha**6*dim*gamma2*n**2 + 3*alpha**4*dim**3*gamma2*n**2 + 4*alpha**4*dim**3*gamma2*n + 18*alpha**4*dim**2*gamma2*n**2 + 24*alpha**4*dim**2*gamma2*n + alpha**4*dim**2*n*noise + 24*alpha**4*dim*gamma2*n**2 + 32*alpha**4*dim*gamma2*n + 2*alpha**4*dim*n*noise + alpha**2*dim**3*gamma2*n + 3*alpha**2*dim**2*gamma2*n**2 + 7*alpha**2*dim**2*gamma2*n + 6*alpha**2*dim*gamma2*n**2 + 10*alpha**2*dim*gamma2*n + 2*alpha**2*dim*n*noise + dim**2*gamma2*n + dim*gamma2*n**2 + dim*gamma2*n + dim*n*noise


def aligned_power(alpha: Number, dim: Number, gamma2: Number, noise: Number) -> Number:
    """E y_q^2 with features along the task."""
    return alpha**2*dim**2*gamma2 + 2*alpha**2*dim*gamma2 + dim*gamma2 + noise


def aligned_correction(kappa: Number, theta: Number) -> Number:
    """Exact minus approximate risk with features along the task, for large dimensions."""
    return (2*kappa**5*theta**2 - 4*kappa**4*theta**2 + 4*kappa**4*theta + 2*kappa**3*theta**2 - 9*kappa**3*theta + 10*kappa**2*theta - 4*kappa*theta + 2*kappa - 2)/(kappa*(kappa**2*theta + 1)**2)


LATEX = {
    "second_moment": r"n \left(M + \lambda n + \lambda\right)",
    "weight": r"\frac{\lambda}{M + \lambda n + \lambda}",
    "gain": r"\frac{\lambda^{2} n}{M + \lambda n + \lambda}",
    "retrieval_top": r"d n \left(\alpha^{2} d + \alpha^{2} + 1\right)",
    "retrieval_bottom": r"\alpha^{4} d^{3} n^{2} - \alpha^{4} d^{3} n + 4 \alpha^{4} d^{2} n^{2} - 4 \alpha^{4} d^{2} n + 5 \alpha^{4} d n^{2} - 5 \alpha^{4} d n + \alpha^{2} d^{3} n + 2 \alpha^{2} d^{2} n^{2} + \alpha^{2} d^{2} n \sigma^{2} + 3 \alpha^{2} d^{2} n + 2 \alpha^{2} d n^{2} + \alpha^{2} d n \sigma^{2} + 4 \alpha^{2} d n + d^{2} n + d n^{2} + d n \sigma^{2} + d n",
    "retrieval_floor": r"\frac{2 \alpha^{4} d \left(d + 2\right)}{\alpha^{4} d^{2} + 4 \alpha^{4} d + 5 \alpha^{4} + 2 \alpha^{2} d + 2 \alpha^{2} + 1}",
    "retrieval_crossover": r"\frac{\alpha^{2} d^{3} + \alpha^{2} d^{2} \sigma^{2} + 4 \alpha^{2} d^{2} + 2 \alpha^{2} d \sigma^{2} + 7 \alpha^{2} d + \alpha^{2} \sigma^{2} + 6 \alpha^{2} + d^{2} + d \sigma^{2} + d + \sigma^{2} - 2}{2 \alpha^{2} \left(d + 2\right)}",
    "retrieval_correction": r"\frac{\theta \left(2 \kappa^{2} \theta - \kappa^{2} - 4 \kappa \theta + 3 \kappa + 2 \theta - 1\right)}{\left(\kappa \theta + 1\right)^{2}}",
    "aligned_top": r"\alpha^{4} d^{3} \gamma^{2} n + 6 \alpha^{4} d^{2} \gamma^{2} n + 8 \alpha^{4} d \gamma^{2} n + 2 \alpha^{2} d^{2} \gamma^{2} n + 4 \alpha^{2} d \gamma^{2} n + d \gamma^{2} n",
    "aligned_bottom": r"\alpha^{6} d^{4} \gamma^{2} n^{2} + 12 \alpha^{6} d^{3} \gamma^{2} n^{2} + 44 \alpha^{6} d^{2} \gamma^{2} n^{2} + 48 \alpha^{6} d \gamma^{2} n^{2} + 3 \alpha^{4} d^{3} \gamma^{2} n^{2} + 4 \alpha^{4} d^{3} \gamma^{2} n + 18 \alpha^{4} d^{2} \gamma^{2} n^{2} + 24 \alpha^{4} d^{2} \gamma^{2} n + \alpha^{4} d^{2} n \sigma^{2} + 24 \alpha^{4} d \gamma^{2} n^{2} + 32 \alpha^{4} d \gamma^{2} n + 2 \alpha^{4} d n \sigma^{2} + \alpha^{2} d^{3} \gamma^{2} n + 3 \alpha^{2} d^{2} \gamma^{2} n^{2} + 7 \alpha^{2} d^{2} \gamma^{2} n + 6 \alpha^{2} d \gamma^{2} n^{2} + 10 \alpha^{2} d \gamma^{2} n + 2 \alpha^{2} d n \sigma^{2} + d^{2} \gamma^{2} n + d \gamma^{2} n^{2} + d \gamma^{2} n + d n \sigma^{2}",
    "aligned_power": r"\alpha^{2} d^{2} \gamma^{2} + 2 \alpha^{2} d \gamma^{2} + d \gamma^{2} + \sigma^{2}",
    "aligned_correction": r"\frac{2 \kappa^{5} \theta^{2} - 4 \kappa^{4} \theta^{2} + 4 \kappa^{4} \theta + 2 \kappa^{3} \theta^{2} - 9 \kappa^{3} \theta + 10 \kappa^{2} \theta - 4 \kappa \theta + 2 \kappa - 2}{\kappa \left(\kappa^{2} \theta + 1\right)^{2}}",
}
"""The same expressions as LaTeX."""
