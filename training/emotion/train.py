"""Train a recipe on FER-2013.

    python -m training.emotion --recipe paper --data DIR --out runs/paper

`training.run` says what the output folder holds; the same command resumes a run that was stopped.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.types import EMOTIONS
from training.age_gender.data import add_demographics_arguments
from training.augment import augment, resized
from training.datasets import DataError
from training.emotion.data import (
    Faces,
    Fer2013Error,
    add_data_arguments,
    crowd_distribution,
    load_fer2013,
    training_and_validation,
)
from training.emotion.further import Further, load_further
from training.emotion.recipes import RECIPES, EmotionRecipe
from training.emotion.teach import Teacher
from training.run import Epoch, Run, add_run_arguments, run_settings


@dataclass(frozen=True)
class EmotionSampler:
    """What each epoch shows of FER-2013's faces, and of further ones.

    Attributes:
        recipe, settings, teacher, further: of the run.
        outputs: names of the network's outputs.
    """

    recipe: EmotionRecipe
    settings: dict
    outputs: list[str]
    teacher: Teacher | None = None
    further: Further | None = None

    def epoch(self, training: Faces, epoch: int) -> Epoch:
        """See `training.run.Sampler`."""
        recipe = self.recipe
        rng = np.random.default_rng((self.settings["seed"], epoch))
        side = recipe.side(epoch / self.settings["epochs"])
        labels = np.eye(len(EMOTIONS), dtype=np.float32)[training.labels]
        targets = {"probabilities": labels * (1 - recipe.label_smoothing) + recipe.label_smoothing / len(EMOTIONS)}
        if "crowd" in self.outputs:
            targets["crowd"] = crowd_distribution(training.votes)
        order = rng.permutation(len(training))
        if self.teacher:
            images, predictions = self.teacher.view(epoch, training.images)
            targets = {
                name: (1 - recipe.teacher_weight) * target + recipe.teacher_weight * predictions[name]
                for name, target in targets.items()
            }
            images = images[order]
        else:
            images = augment(training.images[order], recipe.augmentation, rng)
        targets = {name: target[order] for name, target in targets.items()}
        if self.further:
            more, predictions = self.further.view(epoch, further_count(recipe, self.further, len(training)), rng)
            images = np.concatenate([images, more])
            targets = {name: np.concatenate([target, predictions[name]]) for name, target in targets.items()}
            mixed = rng.permutation(len(images))
            images, targets = images[mixed], {name: target[mixed] for name, target in targets.items()}
        if self.teacher or self.further:
            # The predictions are those to a view and to its mirror image, so that either may be shown.
            mirrored = rng.random(len(images)) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
        if recipe.beyond:
            worse = rng.random(len(images)) < recipe.beyond_share
            images[worse] = augment(images[worse], recipe.beyond, rng)
        images = resized(images, side)
        if recipe.mixup:
            images, targets = mix(images, targets, recipe.mixup, rng)
        return images[..., None], targets, int(rng.integers(2**31))


def further_count(recipe: EmotionRecipe, further: Further | None, count: int) -> int:
    """How many further faces an epoch with so many training faces shows."""
    return min(round(recipe.further * count), len(further.images)) if further else 0


class EmotionRun(Run):
    """A run on FER-2013's faces, whose best network is the one that finds the labels of the validation faces most often.

    Args:
        teacher, further: what to learn from besides the labels, or None.
    """

    recipe: EmotionRecipe
    accuracy_of = "probabilities"

    def __init__(
        self,
        recipe: EmotionRecipe,
        out: Path,
        settings: dict,
        teacher: Teacher | None = None,
        further: Further | None = None,
        workers: int = 0,
    ):
        self.teacher, self.further = teacher, further
        super().__init__(recipe, out, settings, workers)

    def faces_of_epoch(self) -> int:
        count = super().faces_of_epoch()
        return count + further_count(self.recipe, self.further, count)

    def compile(self, steps: int) -> None:
        weights = {"probabilities": 1.0, "crowd": self.recipe.crowd_weight}
        self.model.compile(
            self.recipe.optimizer(steps),
            {name: "categorical_crossentropy" for name in self.model.output_names},
            loss_weights={name: weights[name] for name in self.model.output_names},
            metrics={"probabilities": ["accuracy"]},
        )

    def sampler(self) -> EmotionSampler:
        return EmotionSampler(self.recipe, self.settings, list(self.model.output_names), self.teacher, self.further)

    def validate(self, validation: Faces) -> dict[str, float]:
        """Loss of the output `probabilities` in nats and its accuracy."""
        probabilities = self.predict(validation.images[..., None])["probabilities"]
        accuracy = (probabilities.argmax(axis=1) == validation.labels).mean()
        of_label = probabilities[np.arange(len(validation)), validation.labels]
        return {"val_loss": -np.log(np.maximum(of_label, 1e-7)).mean(), "val_accuracy": accuracy}


def mix(
    images: np.ndarray, targets: dict[str, np.ndarray], alpha: float, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Mix each face and its targets with another's, in parts drawn from Beta(alpha, alpha): arXiv:1710.09412."""
    part = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    other = rng.permutation(len(images))

    def mixed(values: np.ndarray) -> np.ndarray:
        weight = part.reshape(-1, *[1] * (values.ndim - 1))
        return weight * values + (1 - weight) * values[other]

    return mixed(images).round().astype(np.uint8), {name: mixed(target) for name, target in targets.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.emotion", description="Train a recipe on FER-2013.")
    parser.add_argument("--recipe", required=True, choices=sorted(RECIPES))
    add_data_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument(
        "--teacher", type=Path, metavar="DIR", help="learn from the predictions that training.emotion.teach kept"
    )
    parser.add_argument("--further", type=Path, metavar="DIR", help="and from those that training.emotion.further kept")
    add_demographics_arguments(parser)
    args = parser.parse_args()
    recipe = RECIPES[args.recipe]
    try:
        faces = load_fer2013(args.data, official=not args.unofficial)
        training, validation = training_and_validation(faces, args.seed)
        if not len(training) or not len(validation):
            raise Fer2013Error(
                f"{args.data}: has {len(training)} faces to train on and {len(validation)} to validate on."
            )
        if recipe.crowd_weight and training.votes is None:
            raise Fer2013Error(f"{args.data}: the recipe {args.recipe} needs FERPlus' fer2013new.csv beside the csv.")
        teacher = Teacher(args.teacher, training) if args.teacher else None
        further = load_further(args.further, args.fairface, args.utkface, args.crops) if args.further else None
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    settings = run_settings(args.recipe, recipe, args, training, validation)
    settings |= {"teacher": teacher.settings if teacher else None}
    settings |= {"further": further.settings} if further else {}
    run = EmotionRun(recipe, args.out, settings, teacher, further, args.workers)
    return run.carry_out(training, validation)
