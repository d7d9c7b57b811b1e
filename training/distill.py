"""What trained networks say of faces, kept on disk, so that others can learn from it without running them."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np

from training.metrics import in_batches
from training.run import replace_file


def mean_predictions(teachers: Sequence[keras.Model], views: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """The mean of what all teachers say of all views of the same faces.

    Args:
        teachers: trained networks of one kind.
        views: the faces (N, S, S, C), mirrored or otherwise distorted, each time in the same order.

    Returns:
        (N, K) by output.
    """
    found = [in_batches(teacher.predict_on_batch, faces) for faces in views for teacher in teachers]
    return {name: np.mean([each[name] for each in found], axis=0) for name in found[0]}


def save_predictions(path: Path, predictions: dict[str, np.ndarray]) -> None:
    """Write predictions as float16, in one step, so that a kill leaves no half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(
        path,
        lambda file: np.savez(
            file, allow_pickle=False, **{name: each.astype("f2") for name, each in predictions.items()}
        ),
    )


def load_predictions(path: Path) -> dict[str, np.ndarray]:
    """What `save_predictions` wrote, float32 (N, K) by output.

    Raises:
        OSError, ValueError: the file is missing or holds something else.
    """
    with np.load(path) as kept:
        return {name: kept[name].astype(np.float32) for name in kept.files}


def fingerprints(models: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of each model file by its path, for the settings of a run.

    Raises:
        SystemExit: a file cannot be read.
    """
    found = {}
    for model in models:
        try:
            found[str(model)] = hashlib.sha256(model.read_bytes()).hexdigest()
        except OSError as error:
            raise SystemExit(f"error: {model}: cannot be read as a trained network ({error.strerror}).") from None
    return found
