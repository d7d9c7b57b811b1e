"""Figures and fits that all networks share."""

from collections.abc import Callable, Sequence

import numpy as np

Predictor = Callable[[np.ndarray], dict[str, np.ndarray]]
"""A function from faces uint8 (N, S, S) or (N, S, S, C) to a network's outputs (N, ...) by name."""

BATCH = 256
"""The number of faces of one run, wherever many are classified."""


def in_batches(predict: Predictor, images: np.ndarray) -> dict[str, np.ndarray]:
    """What a predictor answers to faces (N, S, S, 3), BATCH at a time."""
    batches = [predict(images[start : start + BATCH]) for start in range(0, max(len(images), 1), BATCH)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def share(right: np.ndarray) -> float:
    """The part of a mask that is set, 0 to 1, of four decimals."""
    return round(float(right.mean()), 4)


def selective_accuracy(confidence: np.ndarray, right: np.ndarray, thresholds: Sequence[float]) -> list[dict]:
    """What thresholds of "not sure" do (selective classification).

    Args:
        confidence: (N,), the probability of each face's first answer.
        right: bool (N,), whether it is the label.
        thresholds: of the confidence.

    Returns:
        For each threshold `answered`, the part of the faces that is answered, and the `accuracy` on these, None of none.
    """
    rows = []
    for threshold in thresholds:
        answered = confidence >= threshold
        accuracy = share(right[answered]) if answered.any() else None
        rows.append({"threshold": threshold, "answered": share(answered), "accuracy": accuracy})
    return rows


def at_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(log(probabilities) / temperature), float64 (N, K)."""
    powers = np.clip(probabilities, 1e-12, 1).astype(np.float64) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The T that minimises the cross-entropy of softmax(log(probabilities) / T): Guo et al. 2017, arXiv:1706.04599.

    Searched between 1/4 and 4 in steps of half a percent; fit it on PublicTest.

    Args:
        probabilities: (N, K).
        targets: labels (N,) or distributions (N, K).
    """
    logits = np.log(np.clip(probabilities, 1e-12, 1)).astype(np.float64)
    if targets.ndim == 1:
        targets = np.eye(logits.shape[1])[targets]

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        return float((np.log(np.exp(scaled).sum(axis=1)) - (scaled * targets).sum(axis=1)).mean())

    return float(min(np.exp(np.arange(-np.log(4), np.log(4), 0.005)), key=loss))
