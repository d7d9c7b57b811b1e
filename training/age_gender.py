"""Train the network for apparent age and gender on FairFace, UTKFace or both.

    python -m training.age_gender --recipe fairface --out runs/age-fairface
    python -m training.age_gender --recipe both --start runs/age-fairface/model.keras --out runs/age-both

The folders of the data are named by --fairface and --utkface or by FAIRFACE_DIR and UTKFACE_DIR. The recipe "fairface"
sees nothing of UTKFace, whose terms are for non-commercial research alone. With --teacher a run learns from what trained
networks say of the training faces as well as from their labels. The same command resumes a run that was stopped; the
output folder holds what `training.train` says.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from inference.types import AGES, GENDERS, central_age
from training.augment import Augmentation, augment
from training.demographic_report import likeliest_group
from training.demographics import (
    AGE_GROUPS,
    RACES,
    SIZE,
    SOURCES,
    DemographicsError,
    Portraits,
    add_demographics_arguments,
    load_portraits,
)
from training.further import names_of
from training.model import Recipe, convolutions, sgd
from training.train import Run, add_run_arguments, load_network, replace_file, run_settings

GENDER_WEIGHT = 3.0
"""Of the gender's loss beside the age's: nats of one of two answers against nats of one of a hundred. Runs whose run.json
does not name it had 2, and drew both data sets alike."""

BALANCE = 0.3
"""Faces are drawn in proportion to the size of their cell (data set, age group, race group, gender) to the power of minus
this: 0 draws all alike, 1 draws all cells alike and shows the few babies of a race group again and again."""

HARD = ("FairFace", "Black", 1.5)
"""Faces of this data set and race group are drawn so many times more often: their gender was told worst by far."""

TEACHER_WEIGHT = 0.5
"""The part of a target that the teachers' answer makes, where there are teachers."""

TEACHER_VIEWS = 4
"""Of each face that teachers are asked about: the face, its mirror image, and others that ASKED draws."""
ASKED = Augmentation(flip=True, scale=(0.9, 1.1), shift=0.05, rotation=5)

# (age, spread) in years of each logistic distribution before training: dense where a year shows most.
COMPONENTS = ((1, 0.7), (5, 1.5), (12, 2.5), (20, 3), (28, 3), (37, 3.5), (47, 3.5), (58, 4), (70, 5), (84, 6))
OFFSET = 5.0
"""Years by which a component moves for each unit of the network's answer."""
FLOOR = 1e-3
"""The part of every age distribution that is even over all years, so that one wrong label costs a bounded loss."""


@keras.saving.register_keras_serializable("ifade")
class AgeDistribution(layers.Layer):
    """Probabilities of the years 0 to 100 from a mixture of logistic distributions, each year an interval of the age.

    The discretized logistic mixture of Salimans et al. 2017 (arXiv:1701.05517) with one component about each of
    COMPONENTS; for a single component it is the cumulative link model of McCullagh 1980 ("Regression models for ordinal
    data") with known thresholds. An age of k years lies between k and k + 1; all below 1 is 0, all from 100 on is 100.

    Input (N, 3 * len(COMPONENTS)): logits of the components, their offsets in units of OFFSET, and the logarithm of the
    factor on their spread, which is kept between 1/e and e. Output (N, AGES), summing to 1.
    """

    def call(self, parameters):
        logits, offset, spread = keras.ops.split(parameters, 3, axis=-1)
        centers, spreads = (np.array(values, np.float32) for values in zip(*COMPONENTS))
        weights = keras.ops.softmax(logits, axis=-1)[..., None]
        center = (centers + 0.5 + OFFSET * offset)[..., None]
        spread = (spreads * keras.ops.exp(keras.ops.tanh(spread)))[..., None]
        edges = np.arange(1, AGES, dtype=np.float32)
        below = keras.ops.sum(weights * keras.ops.sigmoid((edges - center) / spread), axis=1)
        bounds = keras.ops.pad(below, ((0, 0), (0, 1)), constant_values=1.0) - keras.ops.pad(below, ((0, 0), (1, 0)))
        return (1 - FLOOR) * bounds + FLOOR / AGES

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], AGES)


@keras.saving.register_keras_serializable("ifade")
def interval_loss(years, distribution):
    """Negative logarithm of the probability of the years that the label admits, in nats: (N,).

    An age in years admits one, an age group all of its years: the likelihood of a group is the sum of its bins, as for
    interval-censored observations. So exact ages and groups train the same head.

    Args:
        years: (N, AGES), 1 for the years that the label admits, else 0.
        distribution: (N, AGES), summing to 1.
    """
    return -keras.ops.log(keras.ops.maximum(keras.ops.sum(years * distribution, axis=-1), 1e-9))


@keras.saving.register_keras_serializable("ifade")
class AreaResize(layers.Layer):
    """Faces (N, S, S, C) averaged down to `side` pixels: each is the mean of the area that it covers, as of cv2.INTER_AREA."""

    def __init__(self, side: int, **options):
        super().__init__(**options)
        self.side = side

    def build(self, input_shape):
        size = input_shape[1]
        edges = np.arange(size + 1)
        ends = np.arange(self.side + 1) * size / self.side
        low, high = np.maximum(edges[:-1], ends[:-1, None]), np.minimum(edges[1:], ends[1:, None])
        self.weights_of_pixels = (np.maximum(high - low, 0) * self.side / size).astype(np.float32)  # (side, S)

    def call(self, faces):
        size, channels = faces.shape[2], faces.shape[3]
        rows = keras.ops.matmul(self.weights_of_pixels, keras.ops.reshape(faces, (-1, size, size * channels)))
        return keras.ops.matmul(self.weights_of_pixels, keras.ops.reshape(rows, (-1, self.side, size, channels)))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.side, self.side, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "side": self.side}


NARROW = ((16,), (32,), (64, 64), (128, 128), (224, 224))
WIDE = ((16,), (32,), (64, 64), (192, 192), (352, 352))


def age_gender_cnn(look: int = 48, stages: tuple[tuple[int, ...], ...] = NARROW) -> keras.Model:
    """The convolutions of `training.model.plain_cnn` for RGB faces (N, SIZE, SIZE, 3) with values 0..255.

    Args:
        look: pixels to which the faces are reduced first. A step at 40 takes two thirds of the time of one at 48, at 64
            nearly twice; the first runs of docs/results/age_gender_runs.json were made at 40 (`look` in their settings).
        stages: of `training.model.convolutions`.

    Returns:
        To a dict: `age_distribution` (N, AGES), and `gender` (N, 2) in the order of GENDERS.
    """
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = AreaResize(look)(x)
    x = layers.LayerNormalization(axis=(1, 2, 3), epsilon=1e-4, center=False, scale=False)(x)
    x = convolutions(x, stages)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.1)(x)
    parameters = layers.Dense(3 * len(COMPONENTS), dtype="float32", name="age_parameters")(x)
    logits = layers.Dense(len(GENDERS), dtype="float32", name="gender_logits")(x)
    outputs = {
        "age_distribution": AgeDistribution(dtype="float32", name="age_distribution")(parameters),
        "gender": layers.Softmax(dtype="float32", name="gender")(logits),
    }
    return keras.Model(image, outputs, name="age_gender")


CAMERA = Augmentation(
    flip=True,
    stretch=0.03,
    scale=(0.85, 1.15),
    shift=0.08,
    rotation=8,
    brightness=40,
    contrast=0.3,
    saturation=0.4,
    tint=0.1,
    degraded=0.12,
    blur=(0.5, 1.6),
    shrink=(0.35, 0.8),
    noise=(2.0, 16.0),
    jpeg=(25.0, 80.0),
)

# Photographs of private albums as well: framed tighter, wider and askew, grey, faded, grainy, scanned, of few pixels.
ALBUM = replace(
    CAMERA,
    scale=(0.78, 1.25),
    shift=0.1,
    rotation=14,
    grey=0.2,
    old=0.12,
    strange=0.06,
    faint=(0.2, 0.7),
    gamma=(0.5, 2.0),
    lamp=(0.2, 0.6),
)

RECIPES = {
    "fairface": Recipe(
        build=age_gender_cnn,
        optimizer=sgd(0.1),
        epochs=16,
        batch_size=128,
        augmentation=CAMERA,
    )
}
# What a run of "fairface" that has to be cut short goes on with (--start): the falling rate.
RECIPES["fairface-finish"] = replace(RECIPES["fairface"], optimizer=sgd(0.08, average=0.1), epochs=2)
# Goes on (--start) from a network that was trained on FairFace.
RECIPES["both"] = replace(RECIPES["fairface"], optimizer=sgd(0.06, average=0.1), epochs=28)
# Go on from that: at all the pixels, and with more channels in the last stages.
RECIPES["both-64"] = replace(RECIPES["both"], build=lambda: age_gender_cnn(look=SIZE), epochs=16)
RECIPES["both-wide"] = replace(RECIPES["both"], build=lambda: age_gender_cnn(stages=WIDE), epochs=16)
RECIPES["both-wide-64"] = replace(RECIPES["both"], build=lambda: age_gender_cnn(SIZE, WIDE), epochs=16)
# Goes on from the mean of two runs of that, which had other seeds.
RECIPES["both-wide-64-finish"] = replace(RECIPES["both-wide-64"], optimizer=sgd(0.03, average=0.1), epochs=8)
# Goes on from what export.restore made: its kernels are small, so that the rate above would move them by 4 % a step.
RECIPES["both-wide-64-further"] = replace(RECIPES["both-wide-64"], optimizer=sgd(0.008, average=0.1), epochs=16)
# The same with such photographs.
RECIPES["both-wide-64-album"] = replace(RECIPES["both-wide-64-further"], augmentation=ALBUM)


def widened(narrow: list[np.ndarray], wide: list[np.ndarray]) -> list[np.ndarray]:
    """Weights for a wider network that answers as a narrower one does: Chen et al. 2015, "Net2Net" (arXiv:1511.05641).

    Unlike there the new channels are not copies of old ones: they begin at random, and nothing takes from them yet.

    Args:
        narrow: the weights of the trained network.
        wide: those of the untrained wider one, with as many channels or more in each layer.
    """
    weights = [weight.copy() for weight in wide]
    for old, new in zip(narrow, weights, strict=True):
        if old.ndim > 1:
            new[..., old.shape[-2] :, :] = 0
        new[tuple(slice(length) for length in old.shape)] = old
    return weights


def admitted_years(portraits: Portraits) -> np.ndarray:
    """What `interval_loss` takes as years: float32 (N, AGES)."""
    years = np.arange(AGES)
    return ((years >= portraits.first_years[:, None]) & (years <= portraits.last_years[:, None])).astype(np.float32)


def draw(portraits: Portraits, rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    """Indices (count,) of the faces of one epoch, by default as many as there are: of each data set in proportion to the root
    of its size, and in it the rare cells more often than once, the common ones less; see BALANCE and HARD."""
    cells = portraits.sources.astype(int)
    for values, names in (
        (portraits.age_groups, AGE_GROUPS),
        (portraits.races, RACES),
        (portraits.genders, GENDERS),
    ):
        cells = cells * len(names) + values
    _, cell, size = np.unique(cells, return_inverse=True, return_counts=True)
    weights = (size.astype(float) ** -BALANCE)[cell]
    source, race, factor = HARD
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
        teaching: the teachers' answers of the same names and shapes, or nothing.
    """
    if not teaching:
        return labels
    answers = {name: answer.astype(np.float32) for name, answer in teaching.items()}
    years = labels["age_distribution"] * answers["age_distribution"]
    labels = labels | {"age_distribution": years / years.sum(axis=1, keepdims=True)}
    return {name: (1 - TEACHER_WEIGHT) * labels[name] + TEACHER_WEIGHT * answers[name] for name in labels}


def taught(models: list[Path], images: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    """The mean answer of trained networks to TEACHER_VIEWS of each face: float16 (N, ...) by output.

    Teachers see good views, and students learn to give their mean to every distorted one: Xie et al. 2020, "Self-training
    with Noisy Student" (arXiv:1911.04252), here on faces that have labels as well.

    Args:
        models: model.keras of each.
        images: uint8 (N, SIZE, SIZE, 3).
        folder: keeps the answers, so that a resumed run need not ask again.

    Raises:
        SystemExit: a model cannot be read.
    """
    digest = hashlib.sha256(images)
    digest.update(f"{TEACHER_VIEWS} {ASKED}".encode())
    for model in models:
        try:
            digest.update(model.read_bytes())
        except OSError as error:
            raise SystemExit(f"error: {model}: cannot be read as a trained network ({error.strerror}).") from None
    kept = folder / f"teaching-{digest.hexdigest()[:12]}.npz"
    if not kept.exists():
        answers = {"age_distribution": np.zeros((len(images), AGES)), "gender": np.zeros((len(images), len(GENDERS)))}
        networks, rng = [load_network(model) for model in models], np.random.default_rng(0)
        for start in range(0, len(images), 256):
            faces = images[start : start + 256]
            views = [faces, faces[:, :, ::-1], *(augment(faces, ASKED, rng) for _ in range(TEACHER_VIEWS - 2))]
            for network in networks:
                for view in views:
                    for name, answer in network.predict_on_batch(view).items():
                        answers[name][start : start + 256] += answer / (len(views) * len(networks))
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(kept, lambda path: np.savez(path, **{name: each.astype("f2") for name, each in answers.items()}))
    with np.load(kept) as answers:
        return {name: answers[name] for name in answers.files}


def kept_answers(folder: Path, portraits: Portraits) -> dict[str, np.ndarray]:
    """What strong teachers said of each face, from a folder with names.npz (as `training.further` writes it) and
    age_gender.npz, the answers in the same order: float16 (N, ...) by output.

    Raises:
        DemographicsError: there are none in the folder, or some of the faces have no answer.
    """
    try:
        with np.load(folder / "names.npz") as names, np.load(folder / "age_gender.npz") as answers:
            row = {
                f"{source}/{name}": index for index, (source, name) in enumerate(zip(names["source"], names["name"]))
            }
            kept = {name: answers[name] for name in ("age_distribution", "gender")}
    except (OSError, KeyError, ValueError) as error:
        raise DemographicsError(f"{folder}: holds no answers about age and gender ({error}).") from None
    wanted = names_of(portraits)
    if missing := [name for name in wanted if name not in row]:
        raise DemographicsError(f"{folder}: {len(missing)} faces have no answer, {missing[0]} for one.")
    index = np.array([row[name] for name in wanted])
    return {name: values[index] for name, values in kept.items()}


class AgeGenderRun(Run):
    """A run on Portraits; the best network is the one with the best mean of the accuracies of group and gender.

    Attributes:
        teaching: what `taught` gave for the training faces; empty where the labels alone teach.
    """

    columns = (
        "epoch",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "val_gender",
        "val_group",
        "val_error",
        "seconds",
    )
    accuracy_of = "gender"

    def __init__(self, recipe: Recipe, out: Path, settings: dict, teaching: dict[str, np.ndarray]):
        self.teaching = teaching
        super().__init__(recipe, out, settings)

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

    def epoch_data(self, training: Portraits, epoch: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rng = np.random.default_rng((self.settings["seed"], epoch))
        index = draw(training, rng, self.settings["training_faces"])
        faces = training.select(index)
        images = augment(faces.images, self.recipe.augmentation, rng)
        self._seed_dropout(int(rng.integers(2**31)))
        genders = np.eye(len(GENDERS), dtype=np.float32)[faces.genders]
        targets = {"age_distribution": admitted_years(faces), "gender": genders}
        return images, mixed_targets(targets, {name: each[index] for name, each in self.teaching.items()})

    def validate(self, validation: Portraits) -> dict[str, float]:
        """The loss; the part whose gender and whose likeliest age group is right; the mean error in years where years are known."""
        answers = self.answers(validation.images)
        years, distribution = admitted_years(validation), answers["age_distribution"]
        of_age = np.maximum((distribution * years).sum(axis=1), 1e-9)
        of_gender = answers["gender"][np.arange(len(validation)), validation.genders]
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


def look_of(network: keras.Model) -> int:
    """The pixels to which a network of `age_gender_cnn` reduces faces."""
    return next(layer.side for layer in network.layers if isinstance(layer, AreaResize))


def read_settings(model: Path) -> dict:
    """The settings of the run that a model.keras was kept by, from run.json beside it.

    Raises:
        OSError, ValueError: it is not there or cannot be read.
    """
    return json.loads((Path(model).parent / "run.json").read_text())


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
        "--answers", type=Path, metavar="DIR", help="learn from the answers in this folder instead, see kept_answers"
    )
    parser.add_argument("--faces", type=int, help="drawn for each epoch (default: as many as there are for training)")
    parser.set_defaults(precision="float32")
    args = parser.parse_args()
    if args.teacher and args.answers:
        parser.error("--teacher and --answers are two ways to the same; name one")
    recipe = RECIPES[args.recipe]
    both = args.recipe.startswith("both")
    try:
        if both and args.utkface is None:
            raise DemographicsError(f"The recipe {args.recipe} needs --utkface or UTKFACE_DIR.")
        portraits, skipped = load_portraits(args.fairface, args.utkface if both else None, args.crops)
        teaching = kept_answers(args.answers, portraits.part("training")) if args.answers else {}
    except DemographicsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    training, validation = portraits.part("training"), portraits.part("validation")
    settings = run_settings(args.recipe, recipe, args, training, validation) | {
        "training_faces": args.faces or len(training),
        "data": [name for index, name in enumerate(SOURCES) if (portraits.sources == index).any()],
        "balance": BALANCE,
        "gender_weight": GENDER_WEIGHT,
        "drawn_more": list(HARD),
        "look": look_of(recipe.build()),
    }
    del portraits
    print(f"{len(skipped)} pictures skipped")
    if args.answers:
        digest = hashlib.sha256((args.answers / "age_gender.npz").read_bytes()).hexdigest()
        settings["teacher"] = {"teachers": {"answers": digest}, "weight": TEACHER_WEIGHT}
    if args.teacher:
        teaching = taught(args.teacher, training.images, args.out)
        hashes = {str(model): hashlib.sha256(model.read_bytes()).hexdigest() for model in args.teacher}
        settings["teacher"] = {"teachers": hashes, "weight": TEACHER_WEIGHT, "views": TEACHER_VIEWS}
    return AgeGenderRun(recipe, args.out, settings, teaching).carry_out(training, validation)


if __name__ == "__main__":
    sys.exit(main())
