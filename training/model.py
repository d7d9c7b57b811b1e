"""The networks and how each is trained: a recipe is a function that builds the network plus its hyperparameters.

Every network takes grey faces (N, 48, 48, 1) with values 0..255 (the rescaling is inside) and returns probabilities
(N, 7) in the order of `inference.types.EMOTIONS`. All of them run under Keras 3 with KERAS_BACKEND tensorflow or jax.
"""

import keras
from dataclasses import dataclass
from keras import layers
from typing import Callable

from inference.types import EMOTIONS
from training.augment import Augmentation

INPUT_SIZE = 48


def paper_cnn() -> keras.Model:
    """The network of Sahin and Aydemir, "Emotional Analysis with Deep Learning": 2,345,607 parameters, no padding."""
    return keras.Sequential(
        [
            keras.Input((INPUT_SIZE, INPUT_SIZE, 1), name="image"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(len(EMOTIONS)),
            # The softmax stays in float32 so that the probabilities sum to one under mixed_bfloat16 too.
            layers.Softmax(dtype="float32", name="probabilities"),
        ],
        name="paper",
    )


@dataclass(frozen=True)
class Recipe:
    """How a network is built and trained.

    Attributes:
        build: returns the untrained network.
        optimizer: returns a new optimizer.
        epochs: length of the whole schedule.
        batch_size: faces in one step.
        augmentation: what is done to the training faces, drawn anew every epoch.
    """

    build: Callable[[], keras.Model]
    optimizer: Callable[[], keras.Optimizer]
    epochs: int
    batch_size: int
    augmentation: Augmentation


RECIPES = {
    # Expected: 62.97 % validation accuracy (the paper). The paper gives neither learning rate nor dropout after the
    # convolutions nor the strength of its augmentation: 1e-3 is Adam's default, the rest is moderate. Its 100 epochs
    # and the 2 that follow are one schedule here, because nothing changes between them.
    "paper": Recipe(
        build=paper_cnn,
        optimizer=lambda: keras.optimizers.Adam(1e-3),
        epochs=100 + 2,
        batch_size=128,
        augmentation=Augmentation(flip=True, stretch=0.1, shift=0.1),
    ),
}
