"""The words of the room ``distillation``: what each section invites to do, and the derivation, step by step."""

from __future__ import annotations

from theory.distillation.derived import LATEX

LEAD = (
    "A student that learns from true labels is beaten by one whose teacher exaggerates the strong features and "
    "understates the weak ones. How much to exaggerate each is known before any student is trained: drag n."
)
QUESTIONS = (
    ("Drag n from 25 to 450.", "Does the best teacher ever equal the truth? Only when all features are equal (α = 0)."),
    ("Raise the label noise.", "Does the best teacher change? No: only the relative gain shrinks."),
    ("Find the spectrum where the teacher changes the exponent.", "It is the exponential one."),
    ("Find m where a worse teacher makes a better student.", "In Test, A fitted teacher, near three times n."),
    ("Can you make the formula fail?", "Push n (1 − Ω) below 8, and watch the chip."),
)
TEST = (
    "Every point is a mean over students trained on data sampled on this machine; every line was there before. The "
    "ruler above judges the claim on two hundred students."
)
BREAK_IT = (
    "A theorem is known by where it stops. These presets leave an assumption of one of the claims; the chip that "
    "breaks is marked when that claim is chosen."
)
WHY = "Four steps from one number, the effective ridge τ, to the best teacher, and why no exponent changes."
YOUR_DATA = (
    "Give features, with or without labels: their spectrum, the learning curve it predicts, the curve measured on your "
    "rows, and what the best teacher would do to each direction. Nothing leaves this machine."
)
EXPORT = (
    "One file: every figure as SVG, PDF, PNG and offline page, its numbers as CSV, the claim with its verdict, caption "
    "and citation, and the command that gives the same numbers elsewhere."
)
NETWORKS = (
    "Outside the theorem: networks that learn their features. Labels of the best mask and the best teacher come from "
    "an oracle that knows all digits; a real weak teacher did not beat clean true labels here, only noisy ones."
)

DERIVATION = (
    (
        "One number",
        r"""Fit labels $y=Xb+z$ with the smallest weights, $p>n$. In the eigenbasis of the feature covariance the
student behaves like a ridge estimator in which one number $\tau$ stands for the missing rows:

$$n=\sum_i\frac{\lambda_i}{\lambda_i+\tau}+\frac{\mu}{\tau},\qquad \zeta_i=\frac{\tau}{\lambda_i+\tau},\qquad
\Omega=\frac1n\sum_i(1-\zeta_i)^2 .$$

$\zeta_i$ is the part of feature $i$ that is **not** learnt: small for strong features, near one for weak ones.""",
    ),
    (
        "The risk of a student",
        r"""What is not learnt acts on the rest as noise, and overfitting amplifies it: coordinate $i$ is
$(1-\zeta_i)\big(b_i+\gamma g_i/\sqrt{n\lambda_i}\big)$ with Gaussian $g_i$ and a noise level that agrees with itself,

$$\gamma^2=\sigma^2+\sum_i\lambda_i\zeta_i^2b_i^2+\Omega\gamma^2 .$$

Solve for $\gamma^2$ and judge the student against the truth:

$$R(b)=\sum_i\lambda_i\big((1-\zeta_i)b_i-\beta_{\star,i}\big)^2
+c\,\Big(\sigma^2+\sum_i\lambda_i\zeta_i^2b_i^2\Big),\qquad c=\frac{\Omega}{1-\Omega}.$$""",
    ),
    (
        "Each feature by itself",
        rf"""The sum separates: feature $i$ costs $\lambda_i\beta_{{\star,i}}^2$ times a quadratic in
$b_i/\beta_{{\star,i}}$ with leading coefficient ${LATEX["curvature"]}$. Set its derivative to zero:

$$\frac{{b_i}}{{\beta_{{\star,i}}}}={LATEX["optimal_factor"]} .$$

Above one exactly when $\zeta_i<{LATEX["amplify_below"]}$: **amplify**; below one otherwise: **shrink**. Neither the
truth nor the noise enters. The noise adds $c\,\sigma^2$ to every student alike.""",
    ),
    (
        "Keep or throw away",
        rf"""A teacher that may only keep or drop a feature pays $1$ for dropping it and
${LATEX["keep_cost"]}$ for keeping it, in the same units. So the best mask keeps feature $i$ exactly when

$$\zeta_i<{LATEX["keep_below"]} .$$

$1-\Omega<\sqrt{{1-\Omega}}$: whatever is amplified is also kept.""",
    ),
    (
        "Why no exponent changes",
        r"""Per feature the best teacher's cost over that of true labels is
$\Omega/\big((1-\zeta_i)^2+c\,\zeta_i^2\big)$, and the convex denominator is at most $\max(1,c)$. Hence

$$\min(\Omega,1-\Omega)\;\le\;\frac{R_{\mathrm{opt}}}{R_{\mathrm{strong}}}\;\le\;1 .$$

On a power law $\lambda_i=i^{-\alpha}$ the overfitting settles at $\Omega\to1-1/\alpha$, so the ratio settles too:
better constant, same exponent. On $\lambda_i=e^{-ri}$ instead $1-\Omega\to1/(rn)$, the floor falls to zero, and the
exponent does change, by one.""",
    ),
)
