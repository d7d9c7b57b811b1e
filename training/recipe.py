"""How a network is built and trained: plain hyperparameters, as each network's recipes.py lists them."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

from training.augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """What all networks need; each kind adds its own.

    Attributes:
        build: returns the untrained network.
        optimizer: returns a new optimizer for a schedule of so many steps.
        epochs: length of the whole schedule.
        batch_size: faces in one step.
        augmentation: what is done to the training faces, drawn anew every epoch.
    """

    build: Callable[[], keras.Model]
    optimizer: Callable[[int], keras.Optimizer]
    epochs: int
    batch_size: int
    augmentation: Augmentation


def sgd(rate: float, weight_decay: float = 5e-4, average: float = 0.04) -> Callable[[int], keras.Optimizer]:
    """SGD with Nesterov momentum 0.9: the learning rate rises over the first 5 % of the steps, then falls to zero along
    half a cosine (Loshchilov and Hutter 2016, arXiv:1608.03983).

    Args:
        rate: the highest learning rate.
        weight_decay: every step takes rate * weight_decay of each weight away.
        average: the network that is measured and kept has the running average of the weights over about this part of the
            schedule; 0 keeps the weights themselves.
    """

    def optimizer(steps: int) -> keras.Optimizer:
        warm_up = max(1, steps // 20)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warm_up), warmup_target=rate, warmup_steps=warm_up
        )
        return keras.optimizers.SGD(
            schedule,
            momentum=0.9,
            nesterov=True,
            weight_decay=weight_decay,
            use_ema=average > 0,
            ema_momentum=1 - 1 / max(1.0, average * steps),
        )

    return optimizer
