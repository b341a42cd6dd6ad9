"""The words of the room ``icl``: what each section invites to do, and the derivation, step by step."""

from __future__ import annotations

import re

from theory.icl.derived import LATEX

LEAD = (
    "A prompt holds n labelled examples of a linear task. One layer of attention, trained on many such prompts, "
    "answers like a single gradient step whose preconditioner is known beforehand: watch trained layers land on it."
)
QUESTIONS = (
    (
        "Choose the prompt rag, α = 0.9, and drag n upwards.",
        "Where does retrieval begin to hurt? At the triangle: the retrieved examples share the length of the query.",
    ),
    (
        "Raise the label noise.",
        "Do all directions shrink alike? No: weak directions are given up first.",
    ),
    (
        "Make the prompt longer and watch the path.",
        "Does training get easier? No: the bowl gets narrower in the strong direction.",
    ),
    (
        "Find a drift from which H3 gains nothing over attention.",
        "Exchangeable tasks: without an order in time there is nothing to forget.",
    ),
    (
        "Push the step size beyond 1.",
        "The path leaves the bowl. The formula says at which rate, so that the claim holds even there.",
    ),
)
TEST = (
    "Each figure sets a formula against what was trained or sampled on this machine. The ruler above judges the claim; "
    "here is what else the theory says."
)
BREAK_IT = (
    "A theorem is known by where it stops. These presets leave an assumption of one of the claims; the chip that "
    "breaks is marked when that claim is chosen."
)
WHY = (
    "From moments of Gaussian prompts to the best step and its risk. Computer algebra sums the moments over all "
    "pairings of equal letters (Wick, Isserlis); the formulas below are its output, and so is the code that runs here."
)
YOUR_DATA = (
    "Give the covariances of your features and tasks, or regression tasks as raw rows: the risk that one layer of "
    "attention can reach, its preconditioner, the rank that is worth paying for, and where LoRA should act. Nothing "
    "leaves this machine."
)
EXPORT = (
    "One file: every figure as SVG, PDF, PNG and offline page, its numbers as CSV, the claim with its verdict, caption "
    "and citation, and the command that gives the same numbers elsewhere."
)

TERMS_ON_A_LINE = 5


def wrapped(formula: str) -> str:
    """A long sum with line breaks, to stand in an ``aligned`` environment after its first ``&``.

    >>> wrapped("a + b - c + d + e + f").replace(chr(92), "|")
    'a + b - c + d + e||&|quad + f'
    """
    terms = re.split(r" (?=[+-] )", formula)
    rows = [" ".join(terms[start : start + TERMS_ON_A_LINE]) for start in range(0, len(terms), TERMS_ON_A_LINE)]
    return r"\\&\quad ".join(rows)


def parted(fraction: str) -> tuple[str, str]:
    """Numerator and denominator of a LaTeX fraction.

    >>> parted(chr(92) + "frac{a_{1}}{b}")
    ('a_{1}', 'b')
    """
    depth, groups, start = 0, list[str](), 0
    for place, mark in enumerate(fraction):
        if mark == "{":
            start = place + 1 if depth == 0 else start
            depth += 1
        elif mark == "}":
            depth -= 1
            if depth == 0:
                groups.append(fraction[start:place])
    top, bottom = groups
    return top, bottom


DERIVATION = (
    (
        "Attention is one step, plus nothing that helps",
        r"""Split the output of one linear layer by what happens when all labels change their sign:

$$\hat y=\underbrace{x^\top WX^\top y}_{\text{odd in }y}+\underbrace{x^\top Q_{xx}X^\top Xv_x+v_y\,x^\top Q_{xy}\,y^\top
y}_{\text{even in }y},\qquad W=v_yQ_{xx}+Q_{xy}v_x^\top .$$

Tasks and their negatives are equally likely, so the even part is uncorrelated with the answer and only adds its square:
$L_{\rm att}=L(W)+\mathbb E(\text{even})^2$. It vanishes for $v_x=0$, $Q_{xy}=0$, and any $W$ is left possible. H3 has a
filter besides: the same argument gives $x^\top WX^\top(\omega\odot y)$.""",
    ),
    (
        "Moments of a prompt",
        rf"""Whiten the features and look along one eigen-direction of $A=\Sigma_x^{{1/2}}\Sigma_\beta\Sigma_x^{{1/2}}$
with eigenvalue $\lambda$; let $M=\mathrm{{tr}}A+\sigma^2$ be the power of a label. The expectation of a product of
inner products is a sum over pairings of equal Gaussian letters, one trace per closed cycle. For $u=X^\top y$:

$$\mathbb E\,u\beta=n\lambda,\qquad \mathbb E\,u^2={LATEX["second_moment"]} .$$""",
    ),
    (
        "The best step and its risk",
        rf"""The risk is a quadratic in the weight $w$ of that direction, $-2wn\lambda+w^2\,\mathbb E\,u^2$. Its
minimum, and what it removes from $M$:

$$w^\star={LATEX["weight"]},\qquad g={LATEX["gain"]},\qquad L^\star=M-\sum_kg_k .$$

Nothing is inverted: a direction without tasks has $w^\star=0$. A budget of rank $r$ keeps the $r$ largest gains, and
the Hessian along a direction is twice $\mathbb E\,u^2$, so that the whole path of gradient descent is known.""",
    ),
    (
        "Retrieved examples",
        rf"""Let $x_i=\alpha x+\sqrt{{1-\alpha^2}}\,g_i$. By symmetry the best preconditioner is a multiple of the
identity, $c=N/D$ and $L^\star=d+\sigma^2-N^2/D$ with two moments from the same algebra:

$$N={LATEX["retrieval_top"]},$$

$$\begin{{aligned}}D&={wrapped(LATEX["retrieval_bottom"])}\end{{aligned}}$$""",
    ),
    (
        "Where retrieval hurts",
        rf"""Retrieved examples share the length of the query, which one step cannot divide out. However many there
are, an excess over the noise remains:

$$\lim_{{n\to\infty}}L^\star-\sigma^2={LATEX["retrieval_floor"]} .$$

Random examples have no such floor. Both risks are equal at one positive length $n_c$, and beyond it retrieval hurts:

$$\begin{{aligned}}&{parted(LATEX["retrieval_crossover"])[1]}\;n_c\\[-2pt]={{}}&{
            wrapped(parted(LATEX["retrieval_crossover"])[0])
        }\end{{aligned}}$$""",
    ),
    (
        "What the approximation misses",
        rf"""For large $d$, with $n=\theta d$ and $\kappa=\alpha^2d+1$ fixed, the exact risk is that of $\kappa n$
independent examples plus a constant,

$$L^\star-L_{{\kappa n}}\to {LATEX["retrieval_correction"]},$$

and for features along the task it is that of $\kappa^2n$ examples plus

$${LATEX["aligned_correction"]} .$$

Both errors stay bounded while the risk grows with $d$: the approximation is of leading order, and no more.""",
    ),
)
