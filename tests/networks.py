"""Networks that train in seconds, and what the tests of training and export have in common. Importing this loads TensorFlow."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from export import age_calibration
from training.age_gender import evaluate, train
from training.age_gender.model import age_gender_cnn
from training.emotion.model import plain_cnn
from training.emotion.recipes import RECIPES
from training.layers import load_network
from training.run import read_history

FILES = {"model.keras", "checkpoint.keras", "history.csv", "curves.png", "run.json"}
"""What a run leaves in its folder."""

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")
"""The columns of a history that do not depend on the clock."""


def call_main(main, *arguments) -> int:
    """The status of the main() of a command, called within this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["command", *map(str, arguments)])
        return main()


@contextlib.contextmanager
def run_eagerly() -> Iterator[None]:
    """Training steps run as they stand: of a few that takes less than to compile them."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def assert_same_run(out, reference) -> None:
    """The same history and the same weights, up to the rounding of sums in another order."""
    history, expected = read_history(out), read_history(reference)
    assert [row["epoch"] for row in history] == [row["epoch"] for row in expected]
    for row, other in zip(history, expected):
        assert [row[metric] for metric in METRICS] == pytest.approx([other[metric] for metric in METRICS], abs=1e-4)
    for name in ("checkpoint.keras", "model.keras"):
        for weight, other in zip(
            load_network(out / name).get_weights(), load_network(reference / name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(weight, other, rtol=0, atol=2e-5)


def small_network(input_size: int) -> keras.Model:
    """A network that trains in seconds."""
    return age_gender_cnn(input_size, ((8,), (16,), (24, 24), (32,)))


@contextlib.contextmanager
def small_age_gender_recipes() -> Iterator[None]:
    """The recipes of age and gender with that network, and exports that do not take long."""
    small = {
        name: replace(
            recipe,
            build=lambda: small_network(48),
            batch_size=32,
            augmentation=replace(recipe.augmentation, degraded=0.05),
        )
        for name, recipe in train.RECIPES.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "RECIPES", small)
        patch.setattr(age_calibration, "STEPS", (0.5,))
        patch.setattr(evaluate, "ALBUM", dict(list(evaluate.ALBUM.items())[:2]))
        patch.setattr(evaluate, "DISTURBANCES", dict(list(evaluate.DISTURBANCES.items())[:2]))
        yield


@contextlib.contextmanager
def small_emotion_recipe() -> Iterator[None]:
    """The recipe vgg7 with a network that trains in seconds."""
    small = replace(RECIPES["vgg7"], build=lambda: plain_cnn("vgg7", ((8,), (16, 16), (24,))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "vgg7", small)
        yield


def alter(path_or_graph, change) -> onnx.ModelProto:
    """The model with change(array) for its largest weight array."""
    graph = path_or_graph if isinstance(path_or_graph, onnx.ModelProto) else onnx.load(path_or_graph)
    largest = max(graph.graph.initializer, key=lambda weights: int(np.prod(weights.dims)))
    largest.CopyFrom(onnx.numpy_helper.from_array(change(onnx.numpy_helper.to_array(largest)), largest.name))
    return graph
