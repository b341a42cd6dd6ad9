"""Written by ``python -m theory.icl.symbolic``: change the derivation there, not this file."""

# fmt: off
# ruff: noqa: E501

LATEX = {
    "second_moment": r"n \left(M + \lambda n + \lambda\right)",  # second moment of X'y along an eigen-direction
    "weight": r"\frac{\lambda}{M + \lambda n + \lambda}",  # best preconditioner along an eigen-direction
    "gain": r"\frac{\lambda^{2} n}{M + \lambda n + \lambda}",  # risk that the best preconditioner removes along an eigen-direction
    "retrieval_top": r"d n \left(\alpha^{2} d + \alpha^{2} + 1\right)",  # E y_q x'X'y with retrieved examples
    "retrieval_bottom": r"\alpha^{4} d^{3} n^{2} - \alpha^{4} d^{3} n + 4 \alpha^{4} d^{2} n^{2} - 4 \alpha^{4} d^{2} n + 5 \alpha^{4} d n^{2} - 5 \alpha^{4} d n + \alpha^{2} d^{3} n + 2 \alpha^{2} d^{2} n^{2} + \alpha^{2} d^{2} n \sigma^{2} + 3 \alpha^{2} d^{2} n + 2 \alpha^{2} d n^{2} + \alpha^{2} d n \sigma^{2} + 4 \alpha^{2} d n + d^{2} n + d n^{2} + d n \sigma^{2} + d n",  # E (x'X'y)^2 with retrieved examples
    "retrieval_floor": r"\frac{2 \alpha^{4} d \left(d + 2\right)}{\alpha^{4} d^{2} + 4 \alpha^{4} d + 5 \alpha^{4} + 2 \alpha^{2} d + 2 \alpha^{2} + 1}",  # excess risk that no number of retrieved examples removes
    "retrieval_crossover": r"\frac{\alpha^{2} d^{3} + \alpha^{2} d^{2} \sigma^{2} + 4 \alpha^{2} d^{2} + 2 \alpha^{2} d \sigma^{2} + 7 \alpha^{2} d + \alpha^{2} \sigma^{2} + 6 \alpha^{2} + d^{2} + d \sigma^{2} + d + \sigma^{2} - 2}{2 \alpha^{2} \left(d + 2\right)}",  # number of examples beyond which retrieved ones are worse than independent ones
    "retrieval_correction": r"\frac{\theta \left(2 \kappa^{2} \theta - \kappa^{2} - 4 \kappa \theta + 3 \kappa + 2 \theta - 1\right)}{\left(\kappa \theta + 1\right)^{2}}",  # exact minus approximate risk with retrieved examples, for large dimensions
    "aligned_top": r"\alpha^{4} d^{3} \gamma^{2} n + 6 \alpha^{4} d^{2} \gamma^{2} n + 8 \alpha^{4} d \gamma^{2} n + 2 \alpha^{2} d^{2} \gamma^{2} n + 4 \alpha^{2} d \gamma^{2} n + d \gamma^{2} n",  # E y_q x'X'y with features along the task
    "aligned_bottom": r"\alpha^{6} d^{4} \gamma^{2} n^{2} + 12 \alpha^{6} d^{3} \gamma^{2} n^{2} + 44 \alpha^{6} d^{2} \gamma^{2} n^{2} + 48 \alpha^{6} d \gamma^{2} n^{2} + 3 \alpha^{4} d^{3} \gamma^{2} n^{2} + 4 \alpha^{4} d^{3} \gamma^{2} n + 18 \alpha^{4} d^{2} \gamma^{2} n^{2} + 24 \alpha^{4} d^{2} \gamma^{2} n + \alpha^{4} d^{2} n \sigma^{2} + 24 \alpha^{4} d \gamma^{2} n^{2} + 32 \alpha^{4} d \gamma^{2} n + 2 \alpha^{4} d n \sigma^{2} + \alpha^{2} d^{3} \gamma^{2} n + 3 \alpha^{2} d^{2} \gamma^{2} n^{2} + 7 \alpha^{2} d^{2} \gamma^{2} n + 6 \alpha^{2} d \gamma^{2} n^{2} + 10 \alpha^{2} d \gamma^{2} n + 2 \alpha^{2} d n \sigma^{2} + d^{2} \gamma^{2} n + d \gamma^{2} n^{2} + d \gamma^{2} n + d n \sigma^{2}",  # E (x'X'y)^2 with features along the task
    "aligned_power": r"\alpha^{2} d^{2} \gamma^{2} + 2 \alpha^{2} d \gamma^{2} + d \gamma^{2} + \sigma^{2}",  # E y_q^2 with features along the task
    "aligned_correction": r"\frac{2 \kappa^{5} \theta^{2} - 4 \kappa^{4} \theta^{2} + 4 \kappa^{4} \theta + 2 \kappa^{3} \theta^{2} - 9 \kappa^{3} \theta + 10 \kappa^{2} \theta - 4 \kappa \theta + 2 \kappa - 2}{\kappa \left(\kappa^{2} \theta + 1\right)^{2}}",  # exact minus approximate risk with features along the task, for large dimensions
}
