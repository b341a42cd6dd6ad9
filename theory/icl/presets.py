"""Points of this room's parameter space worth visiting, and those that leave a theorem's assumptions."""

from __future__ import annotations

from theory.core.vocabulary import Preset

_DRAWN: dict[str, object] = {
    "eigenvalues": None,
    "new_eigenvalues": None,
    "feature_covariance": None,
    "task_covariance": None,
    "new_task_covariance": None,
}
"""Nothing given as an array: a preset must not meet another claim's arrays of another length."""
_PLAIN: dict[str, object] = _DRAWN | {
    "design": "independent",
    "dim": 5,
    "context_length": 20,
    "noise_variance": 0.25,
    "spectrum_decay": 1.0,
    "feature_decay": 0.0,
    "new_spectrum_decay": 0.0,
    "basis_rotation": 0.0,
    "features": "gaussian",
    "task_mean": 0.0,
    "step_size": 0.5,
    "n_test": 60,
}
_ISOTROPIC = _PLAIN | {"spectrum_decay": 0.0}

PRESETS = (
    Preset(
        "retrieval_helps",
        "Retrieval doubles the prompt",
        _ISOTROPIC | {"design": "rag", "dim": 20, "context_length": 40, "alignment": 0.22, "steps": 400},
        "With α²d near 1 each retrieved example counts about twice: the risk falls as if n were 80.",
        claim="icl-rag-risk",
    ),
    Preset(
        "retrieval_hurts",
        "Retrieval that hurts",
        _ISOTROPIC
        | {"design": "rag", "context_length": 40, "noise_variance": 0.0, "alignment": 0.9, "replicates": 6000},
        "Drag n: beyond the triangle random examples are better than retrieved ones, which stall at a floor.",
        claim="icl-rag-risk",
    ),
    Preset(
        "aligned_features",
        "Features along the task",
        _ISOTROPIC | {"design": "alignment", "context_length": 10, "alignment": 0.4},
        "Features that point along the task count κ² times, not κ times (κ = α²d + 1).",
        claim="icl-task-feature-alignment",
    ),
    Preset(
        "staircase",
        "Staircase",
        _PLAIN
        | {"eigenvalues": (4.0, 1.0, 0.25), "context_length": 40, "noise_variance": 0.0}
        | {"initial_scale": 1e-5, "step_size": 0.3, "steps": 2500},
        "From a small start descent over factors dwells on one plateau per direction (Test, The staircase).",
        claim="icl-factored-landscape",
    ),
    Preset(
        "hard_bowl",
        "Longer prompts, harder training",
        _PLAIN | {"spectrum_decay": 1.5, "context_length": 120, "noise_variance": 0.1},
        "A longer prompt makes the bowl narrower in the strong directions: the path to the bottom gets slow.",
        claim="icl-convex-landscape",
    ),
    Preset(
        "few_directions",
        "Two directions are enough",
        _PLAIN | {"dim": 8, "spectrum_decay": 2.5, "context_length": 40, "rank": 2},
        "On a steep spectrum attention of rank 2 does nearly all that full attention can (Test, Low rank and LoRA).",
        claim="icl-low-rank",
    ),
    Preset(
        "new_task",
        "Where LoRA should act",
        _PLAIN | {"dim": 8, "spectrum_decay": 2.0, "new_spectrum_decay": 2.0, "context_length": 40, "rank": 2},
        "The new task's strong directions are the old one's weak ones: an update of rank 2 repairs most of the risk.",
        claim="icl-lora",
    ),
    Preset(
        "forgetting_helps",
        "Forgetting helps",
        _ISOTROPIC | {"design": "drift", "drift": "switch", "task_correlation": 0.0},
        "The task changes half way: H3 ignores what came before, attention cannot.",
        claim="icl-h3-drift",
    ),
    Preset(
        "order_carries_nothing",
        "Nothing to forget",
        _ISOTROPIC | {"design": "drift", "drift": "exchangeable", "task_correlation": 0.6},
        "Tasks vary without order: the best weights are all equal, and H3 gains exactly nothing.",
        claim="icl-h3-drift",
    ),
    Preset(
        "kalman",
        "A Kalman filter in H3",
        _ISOTROPIC | {"design": "drift", "drift": "ar1", "task_correlation": 0.9},
        "A task that fades: the trained convolution filter is the Kalman predictor of an AR(1) signal.",
        claim="icl-h3-kalman",
    ),
    Preset(
        "longer_prompt",
        "Longer prompt, worse answer",
        _ISOTROPIC | {"n_test": 60},
        "Trained with 20 examples, asked with 60: the step overshoots (Test, Another length than in training).",
        claim="icl-length-generalisation",
    ),
    Preset(
        "task_with_a_mean",
        "Tasks with a mean",
        _PLAIN | {"context_length": 10, "task_mean": 1.0},
        "Without the sign symmetry terms even in the labels help: one gradient step is no longer the whole story.",
        breaks=True,
        claim="icl-pgd-equivalence",
    ),
    Preset(
        "uneven_retrieval",
        "Retrieval on a steep spectrum",
        _PLAIN | {"design": "rag", "alignment": 0.6, "spectrum_decay": 2.0},
        "The exact formulas of retrieval are for isotropic features and tasks; here no best step is known.",
        breaks=True,
        claim="icl-rag-risk",
    ),
    Preset(
        "close_neighbours",
        "Neighbours too close",
        _ISOTROPIC | {"design": "rag", "context_length": 100, "noise_variance": 1.0, "alignment": 0.9},
        "The approximation counts examples and promises hardly more than the noise; the exact risk has a floor.",
        breaks=True,
        claim="icl-rag-approximation",
    ),
    Preset(
        "random_signs",
        "Features are signs",
        _PLAIN | {"features": "signs", "context_length": 10},
        "Random signs have lighter tails than Gaussians: formulas that need Gaussian features do not apply.",
        breaks=True,
        claim="icl-low-rank",
    ),
    Preset(
        "equal_strengths",
        "No stairs",
        _ISOTROPIC | {"context_length": 40, "noise_variance": 0.0, "initial_scale": 0.3},
        "Equal eigenvalues and a large start: descent over factors finds no plateau to dwell on.",
        breaks=True,
        claim="icl-factored-landscape",
    ),
    Preset(
        "unrelated_tasks",
        "Every example another task",
        _ISOTROPIC | {"design": "drift", "drift": "ar1", "task_correlation": 0.0},
        "No example says anything about the query's task: there is nothing to learn in context.",
        breaks=True,
        claim="icl-pgd-equivalence",
    ),
    Preset(
        "overshoot",
        "Too large a step",
        _PLAIN | {"step_size": 1.05},
        "Beyond 2 over the largest curvature the path leaves the bowl, at the rate that the formula gives.",
        claim="icl-convex-landscape",
    ),
)
