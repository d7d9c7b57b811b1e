"""Disturbances do what their names say, and their figures are right."""

import numpy as np
import pytest

from training.emotion.robustness import DISTURBANCES, reframe, robustness


def dot(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:48, :48]
    return (255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)).astype(np.uint8)


def position(image: np.ndarray) -> np.ndarray:
    weights = image / image.sum()
    return np.array([(weights.sum(axis=0) * np.arange(48)).sum(), (weights.sum(axis=1) * np.arange(48)).sum()])


CENTER = 23.5


@pytest.mark.parametrize("side", [0.8, 1.35])
def test_a_larger_crop_shows_a_smaller_face(side):
    found = position(reframe(dot(CENTER + 12, CENTER - 6), side=side)) - CENTER
    assert found == pytest.approx([12 / side, -6 / side], abs=0.1)


def test_shift():
    found = position(reframe(dot(CENTER, CENTER), shift=0.1, direction=np.pi / 2)) - CENTER
    assert found == pytest.approx([0, 4.8], abs=0.1)


@pytest.mark.parametrize("roll", [-20, 30])
def test_roll(roll):
    found = position(reframe(dot(CENTER + 12, CENTER), roll=roll)) - CENTER
    assert np.degrees(np.arctan2(-found[1], found[0])) == pytest.approx(roll, abs=1)


def test_every_disturbance_changes_faces_the_more_the_stronger(synthetic):
    face = synthetic.images[40]
    for name, strengths, disturb in DISTURBANCES:
        changes = []
        for strength in strengths:
            changed = disturb(face, strength, np.random.default_rng(0))
            assert changed.shape == face.shape and changed.dtype == np.uint8, name
            changes.append(np.abs(changed.astype(int) - face).mean())
        assert min(changes) > 0, name
        if name.startswith(("shrunk", "blur", "noise", "JPEG", "contrast", "few", "light", "crop's shift")):
            assert changes == sorted(changes), name


def test_figures():
    """A network that sees the light alone: bright faces are class 0, dark ones class 1."""
    faces = np.repeat(np.array([60, 200], np.uint8), 5)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    labels = np.repeat([1, 0], 5)

    def predict(images):
        return np.eye(7)[(images.mean(axis=(1, 2)) < 128).astype(int)]

    rows = robustness(predict, faces, labels)
    assert len(rows) == 1 + sum(len(strengths) for _, strengths, _ in DISTURBANCES)
    assert rows["undisturbed"] == {"faces": 10, "accuracy": 1.0}
    assert rows["brightness, grey values added: 80"] == {"accuracy": 0.5, "lost": 0.5}
    assert rows["crop's roll, degrees: 30"]["lost"] == 0
