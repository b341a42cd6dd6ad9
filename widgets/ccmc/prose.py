"""The words of the room ``ccmc``: what each section invites to do, and the derivation, step by step."""

from __future__ import annotations

LEAD = (
    "A model that feeds on its own output repeats itself until a few tokens are left. Which ones, and how fast the "
    "others fade, was known before: dashed lines are predicted, thin lines are generated texts."
)
TEXT = "The same collapse as a reader sees it. Switch on a cure, and read what the model writes then."
TEST = (
    "Texts were generated and models trained while you read. Points are measurements, lines were computed from P "
    "before; the ruler above judges the claim on thousands of runs."
)
BREAK_IT = (
    "A theorem is known by where it stops. These presets leave its assumptions; the chip that breaks is marked, and "
    "below are the cures that change the law itself."
)
WHY = "Five steps from one attention layer to the tokens that survive. Each is checked by a claim of this room."
YOUR_DATA = (
    "Give a transition matrix, a text, or a log of prompts with next tokens: what can be known about P, what cannot, "
    "and who would win. Nothing leaves this machine."
)
EXPORT = (
    "One file: every figure as SVG, PDF, PNG and offline page, its numbers as CSV, the claim with its verdict, caption "
    "and citation, and the command that gives the same numbers elsewhere."
)

DERIVATION = (
    (
        "Attention is a Markov chain with a memory",
        r"""Let the last token $k$ ask, and let the head invert the embeddings, $CE^\top=I$. The layer's output
$CX^\top\mathrm{softmax}(XWe_k)$ adds up the attention of all positions that hold the same token:

$$\pi_j=\frac{N_j\,P_{kj}}{\sum_l N_l\,P_{kl}},\qquad P_{kj}=\mathrm{softmax}_j\big(e_j^\top We_k\big).$$

Row $k$ of a fixed chain $P$, times the counts $N$ of the prompt. There is no second softmax on the output. In
the $K(K-1)$-dimensional space spanned by $(e_i-e_j)e_k^\top$ weights and chains determine each other.""",
    ),
    (
        "Two clocks",
        r"""Every generated token is counted in the next prompt. After $n$ tokens one more changes the shares $m=N/n$
by $1/n$ only, while the last token moves at every step. So the last token is a fast chain with

$$Q_m[k,j]=\frac{m_jP_{kj}}{(Pm)_k},$$

which settles at its stationary law $v(m)$ before the shares have moved. In log-time $\tau=\log n$ the shares
follow

$$\frac{dm}{d\tau}=v(m)-m .$$""",
    ),
    (
        "Where the shares can rest",
        r"""At rest $v=m$. Write $u_k=v_k/(Pm)_k$; stationarity says $v_j=m_j(P^\top u)_j$, so on the set $S$ of tokens
that are present

$$u_S=P_{SS}^{-\top}\mathbf 1 .$$

There is a resting point with support $S$ exactly when all entries of $u_S$ are positive; its shares are the Perron
vector of $\mathrm{diag}(u_S)P_{SS}$. One linear system per support: $2^K-1$ of them give every candidate.""",
    ),
    (
        "Who wins, and how fast the others fade",
        r"""A token $i$ outside $S$ is chosen at the rate of its own share times $\theta_i=\sum_{k\in S}u_kP_{ki}$, so

$$N_i(n)\sim n^{\theta_i},\qquad m_i(n)\sim n^{\theta_i-1}.$$

$S$ is a **winner set** when every $\theta_i<1$ and the flow on $S$ is stable. A single token $j$ wins exactly when
$P_{jj}$ is the largest entry of its row; then $\theta_i=P_{ji}/P_{jj}$. Several winner sets can exist: the prompt and
chance decide.""",
    ),
    (
        "Equal rows: independent birth processes",
        r"""When all rows equal $p$, let each token multiply by itself, at rate $p_j$ per copy, in continuous time: $K$
independent Yule processes. Looked at whenever one of them jumps, they are exactly the generated text. A Yule process
is $e^{p_jt}$ times a Gamma variable, so with $a=\arg\max p$

$$\frac{N_j(n)}{n^{\theta_j}}\ \Rightarrow\ \frac{G_j}{G_a^{\theta_j}},\qquad\theta_j=\frac{p_j}{p_a},\qquad
G_j\sim\mathrm{Gamma}(N_j(0)).$$

The most probable token wins from every prompt; what the others leave behind is random for ever.""",
    ),
)
