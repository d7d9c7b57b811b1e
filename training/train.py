"""Train a recipe on FER-2013.

    python -m training.train --recipe paper --data DIR --out runs/paper

The same command resumes a run that was killed or interrupted. The output folder holds

    model.keras        float32, the weights of the epoch with the best validation accuracy
    checkpoint.keras   network and optimizer after the last finished epoch; what a resumed run starts from
    history.csv        loss and accuracy of every epoch
    curves.png         the same as a plot
    run.json           the settings
"""

import argparse
import csv
import json
import os
import signal
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import keras
import numpy as np

from inference.types import EMOTIONS
from training.augment import augment, resized
from training.data import (
    DataError,
    Faces,
    add_data_arguments,
    crowd_distribution,
    load_fer2013,
    training_and_validation,
)
from training.demographics import DemographicsError, add_demographics_arguments
from training.further import Further, load_further
from training.model import RECIPES, Recipe
from training.teach import Teacher

HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
PRECISIONS = ("float32", "mixed_bfloat16")


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """--out, --epochs, --seed and --start.

    Several networks of --start should have begun with one and the same: the mean of their weights is then about as good as
    the mean of their answers (Wortsman et al. 2022, "Model soups", arXiv:2203.05482). What batch norm knows of the means
    and variances is wrong for it until some steps were made.
    """
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="the run's folder; resumes what is there"
    )
    parser.add_argument("--epochs", type=_epochs, help="length of the schedule (default: the recipe's)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start",
        nargs="+",
        type=Path,
        default=[],
        metavar="MODEL.keras",
        help="begin with the weights of a trained network, or with the mean of several that began with the same",
    )


def _epochs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of epochs, which is at least 1")
    return int(text)


def run_settings(name: str, recipe: Recipe, args: argparse.Namespace, training, validation) -> dict:
    """What run.json holds: a run is only resumed with the same settings.

    Args:
        name, recipe: of the run.
        args: with epochs (or None), seed, start (may be empty) and precision.
        training, validation: the faces.
    """
    return {
        "recipe": name,
        "augmentation": json.loads(json.dumps(asdict(recipe.augmentation))),
        "epochs": args.epochs or recipe.epochs,
        "batch_size": recipe.batch_size,
        "seed": args.seed,
        "start": [str(model) for model in args.start],
        "teacher": None,
        "precision": args.precision,
        "training_faces": len(training),
        "validation_faces": len(validation),
    }


@dataclass(frozen=True)
class Drawing:
    """What is drawn for each epoch of a run: nothing in it needs the network, so that it fits through a pipe.

    Attributes:
        recipe, settings, teacher, further: of the run.
        outputs: names of the network's outputs.
    """

    recipe: Recipe
    settings: dict
    outputs: list[str]
    teacher: Teacher | None
    further: Further | None

    def epoch(self, training: Faces, epoch: int) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
        """Faces and targets of `Run.epoch_data`, and a seed for the dropout layers."""
        recipe = self.recipe
        rng = np.random.default_rng((self.settings["seed"], epoch))
        side = recipe.side(epoch / self.settings["epochs"])
        labels = np.eye(len(EMOTIONS), dtype=np.float32)[training.labels]
        targets = {"probabilities": labels * (1 - recipe.label_smoothing) + recipe.label_smoothing / len(EMOTIONS)}
        if "crowd" in self.outputs:
            targets["crowd"] = crowd_distribution(training.votes)
        order = rng.permutation(len(training))
        if self.teacher:
            images, answers = self.teacher.view(epoch, training.images)
            targets = {
                name: (1 - recipe.teacher_weight) * target + recipe.teacher_weight * answers[name]
                for name, target in targets.items()
            }
            images = images[order]
        else:
            images = augment(training.images[order], recipe.augmentation, rng)
        targets = {name: target[order] for name, target in targets.items()}
        if self.further:
            more, answers = self.further.view(epoch, further_count(recipe, self.further, len(training)), rng)
            images = np.concatenate([images, more])
            targets = {name: np.concatenate([target, answers[name]]) for name, target in targets.items()}
            mixed = rng.permutation(len(images))
            images, targets = images[mixed], {name: target[mixed] for name, target in targets.items()}
        if self.teacher or self.further:
            # The answers are those to a view and to its mirror image, so that either may be shown.
            mirrored = rng.random(len(images)) < 0.5
            images[mirrored] = images[mirrored, :, ::-1]
        if recipe.beyond:
            worse = rng.random(len(images)) < recipe.beyond_share
            images[worse] = augment(images[worse], recipe.beyond, rng)
        images = resized(images, side)
        if recipe.mixup:
            images, targets = mix(images, targets, recipe.mixup, rng)
        return images[..., None], targets, int(rng.integers(2**31))


def further_count(recipe: Recipe, further: Further | None, count: int) -> int:
    """How many further faces an epoch with so many training faces shows."""
    return min(round(recipe.further * count), len(further.images)) if further else 0


def _processes(count: int, drawing: Drawing, training: Faces) -> ProcessPoolExecutor:
    """Processes that prepare epochs for `Run.epoch_data`; they leave the GPU alone."""
    # What builds network and optimizer does not fit through a pipe, and is not needed there.
    drawing = replace(drawing, recipe=replace(drawing.recipe, build=None, optimizer=None))
    return ProcessPoolExecutor(count, get_context("spawn"), _begin, (drawing, training))


def _begin(drawing: Drawing, training: Faces) -> None:
    global _drawn
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the training's, which ends these processes
    _drawn = drawing, training


def _prepare(epoch: int) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    drawing, training = _drawn
    return drawing.epoch(training, epoch)


class Run:
    """One training run in its output folder; everything that outlives a kill is on disk after every epoch.

    What is particular to FER-2013 is in `compile`, `epoch_data` and `validate`.

    Attributes:
        columns: of history.csv.
        accuracy_of: the output whose accuracy in training is recorded.
        workers: processes that prepare the faces of the epochs to come; where 0, each epoch is prepared before it begins.
    """

    columns: tuple[str, ...] = HISTORY_COLUMNS
    accuracy_of = "probabilities"
    workers = 0
    _pool: ProcessPoolExecutor | None = None

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        settings: dict,
        teacher: Teacher | None = None,
        further: Further | None = None,
        workers: int = 0,
    ):
        self.recipe, self.out, self.settings = recipe, out, settings
        self.teacher, self.further, self.workers = teacher, further, workers
        self._prepared: dict[int, Future] = {}
        self.checkpoint = out / "checkpoint.keras"
        out.mkdir(parents=True, exist_ok=True)
        settings_file = out / "run.json"
        if self.checkpoint.exists():
            found = _read(settings_file, lambda: json.loads(settings_file.read_text()))
            if found != settings:
                differing = ", ".join(key for key in {**found, **settings} if found.get(key) != settings.get(key))
                raise SystemExit(
                    f"error: {out} holds a run with other settings ({differing}). Choose another --out, or delete it."
                )
        replace_file(settings_file, lambda path: path.write_text(json.dumps(settings, indent=2) + "\n"))
        keras.utils.set_random_seed(settings["seed"])
        keras.config.set_dtype_policy(settings["precision"])
        self.history: list[dict] = []
        self.interrupted = False
        if self.checkpoint.exists():
            self.model = _read(self.checkpoint, lambda: keras.models.load_model(self.checkpoint))
            self.history = _read(out / "history.csv", lambda: read_history(out))
        else:
            self.model = recipe.build()
            if settings["start"]:
                self.start(mean_weights([Path(model) for model in settings["start"]]))
            self.compile(settings["epochs"] * self.steps(settings["training_faces"]))

    def steps(self, count: int) -> int:
        """Steps of an epoch with so many training faces."""
        return -(-(count + further_count(self.recipe, self.further, count)) // self.recipe.batch_size)

    def start(self, weights: list[np.ndarray]) -> None:
        """Begin with the weights of a trained network."""
        self.model.set_weights(weights)

    def compile(self, steps: int) -> None:
        """Give the network its losses and an optimizer for a schedule of so many steps."""
        weights = {"probabilities": 1.0, "crowd": self.recipe.crowd_weight}
        self.model.compile(
            self.recipe.optimizer(steps),
            {name: "categorical_crossentropy" for name in self.model.output_names},
            loss_weights={name: weights[name] for name in self.model.output_names},
            metrics={"probabilities": ["accuracy"]},
        )

    def carry_out(self, training: Faces, validation: Faces) -> int:
        """Train to the last epoch or until Ctrl-C, say how it went, and return the command's exit status."""
        default = signal.signal(signal.SIGINT, self.interrupt)
        kept = self.out / "model.keras"
        counts = f"{len(training):,} training faces, {len(validation):,} validation faces"
        print(f"{counts}, Keras on {keras.backend.backend()}", flush=True)
        try:
            self.train(training, validation)
        except KeyboardInterrupt:
            if not kept.exists():
                self.save_model()
            print(f"\nInterrupted: {kept} is usable; the same command resumes.", file=sys.stderr)
            return 130
        finally:
            signal.signal(signal.SIGINT, default)
            if self._pool:
                self._pool.shutdown(cancel_futures=True)
        best = max(self.history, key=lambda row: row["val_accuracy"])
        figures = [
            f"{name.replace('val_', 'validation ')} {value:.4f}"
            for name, value in best.items()
            if name.startswith("val_")
        ]
        print(f"{kept}: epoch {best['epoch']}, {', '.join(figures)}")
        return 0

    def train(self, training: Faces, validation: Faces) -> None:
        """Train to the last epoch.

        Raises:
            KeyboardInterrupt: `interrupt` was called; between two steps.
        """
        done = int(self.model.optimizer.iterations) // self.steps(self.settings["training_faces"])
        if len(self.history) < done:
            raise _damaged(self.out / "history.csv", f"{len(self.history)} rows, but {done} epochs were done")
        # A kill between the two writes below leaves one row more than the checkpoint has epochs: that epoch is redone.
        self.history = self.history[:done]
        for epoch in range(done, self.settings["epochs"]):
            started = time.perf_counter()
            row = {**self.train_epoch(training, epoch), **self.validate_average(validation)}
            row = {name: round(float(value), 6) for name, value in row.items()}
            self.history.append({"epoch": epoch + 1, **row, "seconds": round(time.perf_counter() - started, 1)})
            print(", ".join(f"{name} {value:g}" for name, value in self.history[-1].items()), flush=True)
            replace_file(self.out / "history.csv", self._write_history)
            replace_file(self.checkpoint, self.model.save)
        plot_history(self.history, self.out / "curves.png")

    def train_epoch(self, training: Faces, epoch: int) -> dict[str, float]:
        """Train on every face once; the loss of all outputs together and the accuracy of `accuracy_of`.

        Batch by batch instead of with Keras' fit, which would wait between two epochs for threads of its input pipeline
        that sleep for up to a minute.
        """
        images, targets = self.epoch_data(training, epoch)
        accuracy = "accuracy" if len(targets) == 1 else f"{self.accuracy_of}_accuracy"
        sums = np.zeros(2)
        for start in range(0, len(images), self.recipe.batch_size):
            batch = slice(start, start + self.recipe.batch_size)
            answers = {name: target[batch] for name, target in targets.items()}
            logs = self.model.train_on_batch(images[batch], answers, return_dict=True)  # of this batch alone
            sums += np.array([logs["loss"], logs[accuracy]]) * len(images[batch])
            # Not raised by the handler, wherever the program happens to be: TensorFlow turns it into other errors.
            if self.interrupted:
                raise KeyboardInterrupt
        loss, accurate = sums / len(images)
        return {"loss": loss, "accuracy": accurate}

    def epoch_data(self, training: Faces, epoch: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The faces (N, S, S, 1) of one epoch, distorted and in a new order, and the targets of each output (N, K).

        Drawn from seed and epoch alone, so that a resumed run sees what an uninterrupted one sees, and so that other
        processes can prepare the epochs that follow (`workers`).
        """
        drawing = Drawing(self.recipe, self.settings, list(self.model.output_names), self.teacher, self.further)
        if not self.workers:
            images, targets, dropout = drawing.epoch(training, epoch)
        else:
            if self._pool is None:
                self._pool = _processes(self.workers, drawing, training)
            for following in range(epoch, min(epoch + self.workers + 1, self.settings["epochs"])):
                if following not in self._prepared:
                    self._prepared[following] = self._pool.submit(_prepare, following)
            images, targets, dropout = self._prepared.pop(epoch).result()
        self._seed_dropout(dropout)
        return images, targets

    def validate_average(self, validation: Faces) -> dict[str, float]:
        """The figures of `validate`; the network with the best val_accuracy so far becomes model.keras.

        Where the optimizer keeps a running average of the weights, that is what is measured and kept.
        """
        weights = [np.array(weight) for weight in self.model.get_weights()]
        self.model.optimizer.finalize_variable_values(self.model.trainable_variables)
        # Under jax the average and the weights are the same arrays now, and what donates the one deletes the other.
        self.model.set_weights([np.array(weight) for weight in self.model.get_weights()])
        row = self.validate(validation)
        if row["val_accuracy"] >= max((row["val_accuracy"] for row in self.history), default=0):
            self.save_model()
        self.model.set_weights(weights)
        return row

    def validate(self, validation: Faces) -> dict[str, float]:
        """Loss of the output `probabilities` in nats and its accuracy."""
        probabilities = self.answers(validation.images[..., None])["probabilities"]
        accuracy = (probabilities.argmax(axis=1) == validation.labels).mean()
        of_label = probabilities[np.arange(len(validation)), validation.labels]
        return {"val_loss": -np.log(np.maximum(of_label, 1e-7)).mean(), "val_accuracy": accuracy}

    def answers(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The network's outputs (N, ...) for images (N, S, S, C)."""
        batches = [self.model.predict_on_batch(images[start : start + 256]) for start in range(0, len(images), 256)]
        return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}

    def _seed_dropout(self, seed: int) -> None:
        """Draw the state of the dropout layers anew: Keras does not save it with the model."""
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":
                variable.assign([seed, 0])

    def interrupt(self, *_) -> None:
        """End `train` after the present step; the handler of Ctrl-C, of which a second one ends the program at once."""
        self.interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def save_model(self) -> None:
        """Write model.keras: the present weights in a float32 network without the optimizer."""
        precision = keras.config.dtype_policy()
        keras.config.set_dtype_policy("float32")
        model = self.recipe.build()
        keras.config.set_dtype_policy(precision)
        model.set_weights(self.model.get_weights())
        replace_file(self.out / "model.keras", model.save)

    def _write_history(self, path: Path) -> None:
        with open(path, "w", newline="") as file:
            rows = csv.DictWriter(file, self.columns, lineterminator="\n")
            rows.writeheader()
            rows.writerows(self.history)


def load_network(path: Path) -> keras.Model:
    """A trained network.

    Raises:
        SystemExit: there is none in the file.
    """
    try:
        return keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(
            f"error: {path}: cannot be read as a trained network ({str(error).splitlines()[0]})."
        ) from None


def mean_weights(models: list[Path]) -> list[np.ndarray]:
    """The mean of the weights of trained networks of one shape.

    Raises:
        SystemExit: a file holds no network, or one of another shape than the first.
    """
    weights = [load_network(model).get_weights() for model in models]
    shapes = [[weight.shape for weight in each] for each in weights]
    for model, shape in zip(models, shapes):
        if shape != shapes[0]:
            raise SystemExit(f"error: --start: {model} and {models[0]} have other layers; there is no mean of them.")
    return [np.mean(each, axis=0) for each in zip(*weights)]


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


def replace_file(path: Path, write) -> None:
    """Call write(temporary path) and move the result to path in one step, so that a kill leaves the old or the new."""
    temporary = path.with_name(f".{path.name}.partial{path.suffix}")
    write(temporary)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read(path: Path, read):
    """The result of read(), or an end with a message where the file is missing or damaged."""
    try:
        return read()
    except Exception as error:  # Keras, zip, HDF5, JSON and csv each raise their own
        raise _damaged(path, str(error).partition("\n")[0] or type(error).__name__) from None


def _damaged(path: Path, reason: str) -> SystemExit:
    return SystemExit(
        f"error: {path} of the run to resume is damaged ({reason}). Choose another --out, or delete the folder to "
        "start anew."
    )


def read_history(run: Path) -> list[dict]:
    """The rows of a run's history.csv as numbers, one a finished epoch."""
    with open(run / "history.csv", newline="") as file:
        return [
            {name: int(value) if name == "epoch" else float(value) for name, value in row.items()}
            for row in csv.DictReader(file)
        ]


def plot_history(history: list[dict], path: Path) -> None:
    """Two panels over the epochs, loss and accuracy, training and validation: the paper's Figure 3.2."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        axes.plot(epochs, [row[metric] for row in history], label="training (augmented, with dropout)")
        axes.plot(epochs, [row[f"val_{metric}"] for row in history], label="validation")
        axes.set(xlabel="epoch", ylabel=metric, title=f"Model {metric}")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.train", description="Train a recipe on FER-2013.")
    parser.add_argument("--recipe", required=True, choices=sorted(RECIPES))
    add_data_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--teacher", type=Path, metavar="DIR", help="learn from the answers that training.teach kept")
    parser.add_argument("--further", type=Path, metavar="DIR", help="and from those that training.further kept")
    add_demographics_arguments(parser)
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that distort the faces of the next epochs meanwhile; what a GPU needs (default: 0)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="mixed_bfloat16 halves the time on processors with bfloat16 instructions",
    )
    args = parser.parse_args()
    recipe = RECIPES[args.recipe]
    try:
        faces = load_fer2013(args.data, official=not args.unofficial)
        training, validation = training_and_validation(faces, args.seed)
        if not len(training) or not len(validation):
            raise DataError(f"{args.data}: has {len(training)} faces to train on and {len(validation)} to validate on.")
        if recipe.crowd_weight and training.votes is None:
            raise DataError(f"{args.data}: the recipe {args.recipe} needs FERPlus' fer2013new.csv beside the csv.")
        teacher = Teacher(args.teacher, training) if args.teacher else None
        further = load_further(args.further, args.fairface, args.utkface, args.crops) if args.further else None
    except (DataError, DemographicsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    settings = run_settings(args.recipe, recipe, args, training, validation)
    settings |= {"teacher": teacher.settings if teacher else None}
    settings |= {"further": further.settings} if further else {}
    return Run(recipe, args.out, settings, teacher, further, args.workers).carry_out(training, validation)


if __name__ == "__main__":
    sys.exit(main())
