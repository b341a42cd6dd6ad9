"""The words of the room ``next_token``: what each section invites to do, and the derivation, step by step."""

from __future__ import annotations

LEAD = (
    "Tokens that contradict each other run in parallel for ever; lower ones fall away at a slope that two small convex "
    "problems predict. Dots are trained logits; dashed lines were known before training."
)
TEST = (
    "The model has been trained while you read. Points are measurements, lines were computed from the data before; the "
    "ruler above judges the claim on several data sets at once."
)
BREAK_IT = (
    "A theorem is known by where it stops. These presets leave its assumptions; the chip that breaks is marked, and "
    "below are the prompts that contradict each other."
)
WHY = "Six steps from the training loss to the automaton. Each is checked by a claim of this room."
YOUR_DATA = (
    "Build a prompt from tokens, or let the automaton of your own text predict what it has never seen. Nothing leaves "
    "this machine."
)
EXPORT = (
    "One file: every figure as SVG, PDF, PNG and offline page, its numbers as CSV, the claim with its verdict, caption "
    "and citation, and the command that gives the same numbers elsewhere."
)

DERIVATION = (
    (
        "The layer scores tokens",
        r"""With linearly independent embeddings and a head that inverts them, one attention layer whose query is the
last token $k$ predicts only tokens of its prompt, each by its count and its score:

$$p(j\mid X)=\frac{c_j(X)\,e^{S_{jk}}}{\sum_l c_l(X)\,e^{S_{lk}}},\qquad S=EWE^\top .$$

So the log-loss is convex in $W$, and columns of $S$ that belong to different last tokens never meet
(orthonormal embeddings). Gradient descent on $W$ *is* $S\leftarrow S-\eta\,G\,(\nabla_S L)\,G$,
$G=EE^\top$.""",
    ),
    (
        "Labels win against everything in their prompt",
        r"""Draw an edge from each label to every other token of its prompt. The loss can always be lowered by raising
the label over the tokens it beat, unless a cycle of such victories leads back. The strongly connected
components of this graph, one per last token, are exactly what cannot be ordered.""",
    ),
    (
        "Inside a component: a finite fit",
        r"""Within a component every direction is held by some label that won and some that lost, so the restricted
loss has one finite minimiser $f$, the conditional-logit fit of the data restricted to the component:

$$L^*=\min_f\ \frac1n\sum_i-\log\frac{c_{iy_i}e^{f_{y_i}}}{\sum_{j\in X_i\cap\mathcal
C(y_i)}c_{ij}e^{f_j}} .$$

$L^*=0$ exactly when no cycle exists.""",
    ),
    (
        "Across components: a margin that grows for ever",
        r"""Between components nothing holds: scores drift apart like $\log t$ along the shortest direction that
separates them,

$$W_{svm}=\arg\min\|W\|_F\quad\text{with}\quad z_A-z_B\ge1\ \text{ for each victory of } A \text{ over } B
.$$

With orthonormal embeddings each component is one variable $z_C$ with weight $n_C$: a small quadratic
problem per last token.""",
    ),
    (
        "How fast, and with which offset",
        r"""Near the limit each victory $e=(A,B)$ costs $a_e e^{-(z_A-z_B)}$, where $a_e$ is the data's own weight.
Insert $S(t)=f+z\log(\eta t)+\tilde z$ into the gradient flow and compare terms of order $1/t$:
stationarity needs

$$a_e\,e^{-(\tilde z_A-\tilde z_B)}=\lambda_e ,$$

with $\lambda$ the multipliers of the margin problem. This fixes $\tilde z$, so every logit is known at
finite time, and summing over victories gives a constant without any tuning: $\ \eta
t\,(L-L^*)\to\sum_e\lambda_e=\|W_{svm}\|_F^2$.""",
    ),
    (
        "What remains is an automaton",
        r"""As $t\to\infty$ lower components lose all weight. A prompt keeps only its highest component $C^*$, and in
it the finite scores:

$$p_\infty(j\mid x)=\frac{c_j(x)\,e^{f_j}\,\mathbf 1[j\in C^*]}{\sum_{l\in C^*}c_l(x)\,e^{f_l}} .$$

Hard retrieval between components, soft composition inside: graph search and two small convex problems, no
training.""",
    ),
)
