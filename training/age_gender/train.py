"""Train the network for apparent age and gender on FairFace, UTKFace or both.

    python -m training.age_gender --recipe fairface --out runs/age-fairface
    python -m training.age_gender --recipe both --start runs/age-fairface/model.keras --out runs/age-both

The folders of the data are named by --fairface and --utkface or by FAIRFACE_DIR and UTKFACE_DIR. The recipe "fairface"
sees nothing of UTKFace, whose terms are for non-commercial research alone. With --teacher a run learns from what trained
networks say of the training faces as well as from their labels. `training.run` says what the output folder holds; the same
command resumes a run that was stopped.
"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inference.types import AGES, GENDERS, central_age
from training.age_gender.data import (
    AGE_GROUPS,
    RACES,
    SOURCES,
    DemographicsError,
    Portraits,
    add_demographics_arguments,
    load_portraits,
)
from training.age_gender.evaluate import likeliest_group
from training.age_gender.model import at_input_size, input_size_of, widened
from training.age_gender.recipes import RECIPES, AgeGenderRecipe
from training.augment import Augmentation, augment
from training.datasets import DataError
from training.distill import fingerprints, load_predictions, mean_predictions, save_predictions
from training.layers import interval_loss
from training.metrics import in_batches
from training.run import HISTORY_COLUMNS, Epoch, Run, add_run_arguments, read_network, run_settings

GENDER_WEIGHT = 3.0
"""The weight of the gender's loss beside the age's: nats of one of two answers against nats of one of a hundred. Runs whose
run.json does not name it had 2, and sampled both data sets alike."""

BALANCE = 0.3
"""Faces are sampled in proportion to the size of their cell (data set, age group, race group, gender) to the power of minus
this: 0 samples all alike, 1 samples all cells alike and shows the few babies of a race group again and again."""

OVERSAMPLED = ("FairFace", "Black", 1.5)
"""Faces of this data set and race group are sampled so many times more often: their gender was told worst by far."""

TEACHER_WEIGHT = 0.5
"""The part of a target that the teachers' prediction makes, where there are teachers."""

TEACHER_AUGMENTATION = Augmentation(flip=True, scale=(0.9, 1.1), shift=0.05, rotation=5)
"""How the views are distorted that teachers are asked about, beside the face and its mirror image."""


def admitted_years(portraits: Portraits) -> np.ndarray:
    """What `training.layers.interval_loss` takes as years: float32 (N, AGES)."""
    years = np.arange(AGES)
    return ((years >= portraits.first_years[:, None]) & (years <= portraits.last_years[:, None])).astype(np.float32)


def sample(portraits: Portraits, rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    """Indices (count,) of the faces of one epoch, by default as many as there are: of each data set in proportion to the root
    of its size, and in it the rare cells more often than once, the common ones less; see BALANCE and OVERSAMPLED."""
    cells = portraits.sources.astype(int)
    for values, names in (
        (portraits.age_groups, AGE_GROUPS),
        (portraits.races, RACES),
        (portraits.genders, GENDERS),
    ):
        cells = cells * len(names) + values
    _, cell, size = np.unique(cells, return_inverse=True, return_counts=True)
    weights = (size.astype(float) ** -BALANCE)[cell]
    source, race, factor = OVERSAMPLED
    weights[(portraits.sources == SOURCES.index(source)) & (portraits.races == RACES.index(race))] *= factor
    roots = np.bincount(portraits.sources) ** 0.5
    weights *= (roots / np.maximum(np.bincount(portraits.sources, weights), 1e-9))[portraits.sources]
    order = rng.permutation(len(portraits))
    # Systematic sampling: a face of twice the mean weight is drawn exactly twice.
    ends = np.cumsum(weights[order])
    count = count or len(order)
    points = (np.arange(count) + rng.random()) * ends[-1] / count
    return rng.permutation(order[np.minimum(np.searchsorted(ends, points), len(order) - 1)])


def mixed_targets(labels: dict[str, np.ndarray], teaching: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Targets of which teachers make TEACHER_WEIGHT and labels the rest; the labels where there are no teachers.

    Within an age group the label's part goes to the years as the teachers see them, which is the expectation step of
    Dempster et al. 1977 for ages of which the group alone is known.

    Args:
        labels: `age_distribution` (N, AGES), 1 for the years that the label admits, and `gender` (N, 2), each float32.
        teaching: the teachers' predictions, of the same names and shapes, or nothing.
    """
    if not teaching:
        return labels
    predictions = {name: each.astype(np.float32) for name, each in teaching.items()}
    years = labels["age_distribution"] * predictions["age_distribution"]
    labels = labels | {"age_distribution": years / years.sum(axis=1, keepdims=True)}
    return {name: (1 - TEACHER_WEIGHT) * labels[name] + TEACHER_WEIGHT * predictions[name] for name in labels}


def teach(
    models: list[Path], images: np.ndarray, folder: Path, views: int = 4, sizes: Sequence[int] = ()
) -> dict[str, np.ndarray]:
    """The mean of what trained networks say of several views of each face: float32 (N, ...) by output.

    Teachers see good views, and students learn to give their mean to every distorted one: Xie et al. 2020, "Self-training
    with Noisy Student" (arXiv:1911.04252), here on faces that have labels as well.

    Args:
        models: model.keras of each.
        images: uint8 (N, SIZE, SIZE, 3).
        folder: keeps the predictions, so that a resumed run need not ask again.
        views: how many each is asked about, at least 2: the face, its mirror image, and others by TEACHER_AUGMENTATION.
        sizes: to which each network brings the faces in turn, see `at_input_size`; by default to that it was trained at.

    Raises:
        SystemExit: a model cannot be read, or takes no faces of such a size.
    """
    key = f"{hashlib.sha256(images.tobytes()).hexdigest()} {views} {TEACHER_AUGMENTATION} {[*fingerprints(models).values()]}"
    key += f" {list(sizes)}" if sizes else ""
    kept = folder / f"teaching-{hashlib.sha256(key.encode()).hexdigest()[:12]}.npz"
    if not kept.exists():
        networks, rng = [read_network(model) for model in models], np.random.default_rng(0)
        try:
            networks = [at_input_size(network, size) for network in networks for size in sizes] or networks
        except ValueError as error:
            raise SystemExit(f"error: --teacher-sizes: {error}") from None

        def ask(faces: np.ndarray) -> dict[str, np.ndarray]:
            distorted = (augment(faces, TEACHER_AUGMENTATION, rng) for _ in range(views - 2))
            return mean_predictions(networks, [faces, faces[:, :, ::-1], *distorted])

        save_predictions(kept, in_batches(ask, images))
    return load_predictions(kept)


def kept_predictions(folder: Path, portraits: Portraits) -> dict[str, np.ndarray]:
    """What strong teachers said of each face, from a folder with names.npz (as `training.emotion.further` writes it) and
    age_gender.npz, the predictions in the same order: float32 (N, ...) by output.

    Raises:
        DataError: there are none in the folder, or some of the faces have no answer.
    """
    try:
        with np.load(folder / "names.npz") as names:
            row = {
                f"{source}/{name}": index for index, (source, name) in enumerate(zip(names["source"], names["name"]))
            }
        predictions = load_predictions(folder / "age_gender.npz")
        kept = {name: predictions[name] for name in ("age_distribution", "gender")}
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{folder}: holds no answers about age and gender ({error}).") from None
    wanted = portraits.names
    if missing := [name for name in wanted if name not in row]:
        raise DataError(f"{folder}: {len(missing)} faces have no answer, {missing[0]} for one.")
    index = np.array([row[name] for name in wanted])
    return {name: values[index] for name, values in kept.items()}


@dataclass(frozen=True)
class AgeGenderSampler:
    """What each epoch shows.

    Attributes:
        recipe, settings: of the run.
        teaching: what teachers say of the training faces, by output; empty where the labels alone teach.
    """

    recipe: AgeGenderRecipe
    settings: dict
    teaching: dict[str, np.ndarray]

    def epoch(self, training: Portraits, epoch: int) -> Epoch:
        """See `training.run.Sampler`."""
        rng = np.random.default_rng((self.settings["seed"], epoch))
        index = sample(training, rng, self.settings["training_faces"])
        faces = training.select(index)
        images = augment(faces.images, self.recipe.augmentation, rng)
        dropout = int(rng.integers(2**31))
        genders = np.eye(len(GENDERS), dtype=np.float32)[faces.genders]
        targets = {"age_distribution": admitted_years(faces), "gender": genders}
        return images, mixed_targets(targets, {name: each[index] for name, each in self.teaching.items()}), dropout


class AgeGenderRun(Run):
    """A run on Portraits; the best network is the one with the best mean of the accuracies of group and gender.

    Args:
        teaching: what `teach` gave for the training faces; empty where the labels alone teach.
    """

    recipe: AgeGenderRecipe
    columns = (*HISTORY_COLUMNS[:-1], "val_gender", "val_group", "val_error", "seconds")
    accuracy_of = "gender"

    def __init__(
        self, recipe: AgeGenderRecipe, out: Path, settings: dict, teaching: dict[str, np.ndarray], workers: int = 0
    ):
        self.teaching = teaching
        super().__init__(recipe, out, settings, workers)

    def start(self, weights: list[np.ndarray]) -> None:
        self.model.set_weights(widened(weights, self.model.get_weights()))

    def compile(self, steps: int) -> None:
        self.model.compile(
            self.recipe.optimizer(steps),
            {
                "age_distribution": "categorical_crossentropy" if self.teaching else interval_loss,
                "gender": "categorical_crossentropy",
            },
            loss_weights={"age_distribution": 1.0, "gender": GENDER_WEIGHT},
            metrics={"gender": ["accuracy"]},
        )

    def sampler(self) -> AgeGenderSampler:
        return AgeGenderSampler(self.recipe, self.settings, self.teaching)

    def validate(self, validation: Portraits) -> dict[str, float]:
        """The loss; the part whose gender and whose likeliest age group is right; the mean error in years where years are known."""
        predictions = self.predict(validation.images)
        years, distribution = admitted_years(validation), predictions["age_distribution"]
        of_age = np.maximum((distribution * years).sum(axis=1), 1e-9)
        of_gender = predictions["gender"][np.arange(len(validation)), validation.genders]
        exact = validation.first_years == validation.last_years
        error = np.abs(central_age(distribution) - validation.first_years)[exact].mean() if exact.any() else np.nan
        groups = likeliest_group(distribution)
        gender, group = (of_gender > 0.5).mean(), (groups == validation.age_groups).mean()
        loss = -np.log(of_age).mean() - GENDER_WEIGHT * np.log(np.maximum(of_gender, 1e-9)).mean()
        return {
            "val_loss": loss,
            "val_accuracy": (gender + group) / 2,
            "val_gender": gender,
            "val_group": group,
            "val_error": error,
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.age_gender", description="Train for age and gender.")
    parser.add_argument("--recipe", required=True, choices=sorted(RECIPES), help="on FairFace alone, or UTKFace too")
    add_demographics_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument(
        "--teacher",
        nargs="+",
        type=Path,
        default=[],
        metavar="MODEL.keras",
        help="learn from what these trained networks say of the training faces, too",
    )
    parser.add_argument(
        "--teacher-views",
        type=int,
        default=4,
        metavar="N",
        help="views of each face that they are asked about (default: 4)",
    )
    parser.add_argument(
        "--teacher-sizes",
        nargs="+",
        type=int,
        default=[],
        metavar="PIXELS",
        help="to which they bring the faces in turn (default: to that at which they were trained)",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="learn from the predictions in this folder, see kept_predictions; beside --teacher from the mean of both",
    )
    parser.add_argument("--faces", type=int, help="sampled for each epoch (default: as many as there are for training)")
    args = parser.parse_args()
    if args.teacher_views < 2 or min(args.teacher_sizes, default=1) < 1:
        parser.error("--teacher-views is at least 2, --teacher-sizes at least 1.")
    recipe = RECIPES[args.recipe]
    both = "UTKFace" in recipe.sources
    try:
        if both and args.utkface is None:
            raise DemographicsError(f"The recipe {args.recipe} needs --utkface or UTKFACE_DIR.")
        portraits, skipped = load_portraits(args.fairface, args.utkface if both else None, args.crops)
        teaching = kept_predictions(args.predictions, portraits.part("training")) if args.predictions else {}
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    training, validation = portraits.part("training"), portraits.part("validation")
    settings = run_settings(args.recipe, recipe, args, training, validation) | {
        "training_faces": args.faces or len(training),
        "data": [name for index, name in enumerate(SOURCES) if (portraits.sources == index).any()],
        "balance": BALANCE,
        "gender_weight": GENDER_WEIGHT,
        "oversampled": list(OVERSAMPLED),
        "input_size": input_size_of(recipe.build()),
    }
    del portraits
    print(f"{len(skipped)} pictures skipped")
    teachers = fingerprints(args.teacher)
    if args.predictions:
        (teachers["answers"],) = fingerprints([args.predictions / "age_gender.npz"]).values()
    if teachers:
        settings["teacher"] = {"teachers": teachers, "weight": TEACHER_WEIGHT}
    if args.teacher:
        settings["teacher"] |= {"views": args.teacher_views}
        settings["teacher"] |= {"sizes": args.teacher_sizes} if args.teacher_sizes else {}
        taught = teach(args.teacher, training.images, args.out, args.teacher_views, args.teacher_sizes)
        teaching = {name: (values + teaching.get(name, values)) / 2 for name, values in taught.items()}
    return AgeGenderRun(recipe, args.out, settings, teaching, args.workers).carry_out(training, validation)
