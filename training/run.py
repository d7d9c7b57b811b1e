"""One training run in its folder: the loop that all networks share, which knows no task.

The same command resumes a run that was killed or interrupted. The folder holds

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
from abc import ABC, abstractmethod
from collections.abc import Sized
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import cv2
import keras
import numpy as np

from training.augment import Augmentation
from training.layers import load_network
from training.metrics import in_batches
from training.mobilenet import load_face_recognition
from training.recipe import Recipe

HISTORY_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
"""The columns of history.csv that all networks have."""
PRECISIONS = ("float32", "mixed_bfloat16")
"""What networks can be trained in."""
RENAMED = {"look": "input_size", "drawn_more": "oversampled"}
"""The settings in a run.json of earlier versions that have other names now."""

Epoch = tuple[np.ndarray, dict[str, np.ndarray], int]
"""The faces (N, S, S, C) of an epoch, the targets (N, K) of each output, and a seed for the dropout layers."""


class Sampler(Protocol):
    """What an epoch shows: a frozen dataclass of what is needed to sample it, which goes through a pipe to other processes."""

    def epoch(self, training: Any, epoch: int) -> Epoch:
        """Faces and targets, sampled from the run's seed and the number of the epoch alone: a resumed run sees what an
        uninterrupted one sees."""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """--out, --epochs, --seed, --start, --precision and --workers.

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
        help="begin with the weights of a trained network, or with the mean of several that began with the same, "
        "or a mobilenet with faceres.json (see training.mobilenet)",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="mixed_bfloat16 takes less time on processors with bfloat16 instructions",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=0,
        metavar="N",
        help="processes that distort the faces of the next epochs meanwhile; what a GPU needs (default: 0)",
    )


def _epochs(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of epochs, which is at least 1")
    return int(text)


def run_settings(name: str, recipe: Recipe, args: argparse.Namespace, training: Sized, validation: Sized) -> dict:
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


def _processes(count: int, sampler: Sampler, training: Any) -> ProcessPoolExecutor:
    """Processes that prepare epochs for `Run.epoch_data`; they leave the GPU alone."""
    # What builds network and optimizer does not fit through a pipe, and is not needed there.
    bare: Any = sampler  # a dataclass, which the protocol cannot say
    bare = replace(bare, recipe=replace(bare.recipe, build=None, optimizer=None))
    return ProcessPoolExecutor(count, get_context("spawn"), _begin, (bare, training))


_sampled: tuple[Sampler, Any]


def _begin(sampler: Sampler, training: Any) -> None:
    global _sampled
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the training's, which ends these processes
    _sampled = sampler, training


def _prepare(epoch: int) -> Epoch:
    sampler, training = _sampled
    return sampler.epoch(training, epoch)


class Run(ABC):
    """One training run in its output folder; everything that outlives a kill is on disk after every epoch.

    A network's own class says what is learned, by `compile`, `sampler` and `validate`.

    Args:
        recipe: how the network is built and trained.
        out: the folder; a run that is there is resumed.
        settings: of `run_settings`.
        workers: processes that prepare the faces of the epochs to come; where 0, each epoch is prepared before it begins.

    Attributes:
        model: the network.
        history: the rows of history.csv.
        columns: of history.csv.
        accuracy_of: the output whose accuracy in training is recorded.

    Raises:
        SystemExit: the folder holds a run with other settings, or a damaged one.
    """

    columns: tuple[str, ...] = HISTORY_COLUMNS
    accuracy_of: str
    _pool: ProcessPoolExecutor | None = None

    def __init__(self, recipe: Recipe, out: Path, settings: dict, workers: int = 0):
        self.recipe, self.out, self.settings, self.workers = recipe, out, settings, workers
        self._prepared: dict[int, Future] = {}
        self.checkpoint = out / "checkpoint.keras"
        out.mkdir(parents=True, exist_ok=True)
        settings_file = out / "run.json"
        if self.checkpoint.exists():
            found = _read(settings_file, lambda: read_settings(out))
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
            if settings["start"] and not self._recognition:
                self.start(mean_weights([Path(model) for model in settings["start"]]))
            self.compile(settings["epochs"] * self.steps())

    @property
    def _recognition(self) -> Path | None:
        """The file of `load_face_recognition`, where the run begins with one."""
        files = [Path(model) for model in self.settings["start"] if model.endswith(".json")]
        return files[0] if files else None

    @abstractmethod
    def compile(self, steps: int) -> None:
        """Give the network its losses and an optimizer for a schedule of so many steps."""

    @abstractmethod
    def sampler(self) -> Sampler:
        """What samples the faces and targets of each epoch."""

    @abstractmethod
    def validate(self, validation: Any) -> dict[str, float]:
        """The figures of one epoch, val_loss and val_accuracy among them; the best epoch is that of the best val_accuracy."""

    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self.faces_of_epoch() // self.recipe.batch_size)

    def faces_of_epoch(self) -> int:
        """How many faces an epoch shows."""
        return self.settings["training_faces"]

    def start(self, weights: list[np.ndarray]) -> None:
        """Begin with the weights of a trained network."""
        self.model.set_weights(weights)

    def carry_out(self, training: Any, validation: Any) -> int:
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

    def train(self, training: Any, validation: Any) -> None:
        """Train to the last epoch.

        Raises:
            KeyboardInterrupt: `interrupt` was called; between two steps.
        """
        done = int(self.model.optimizer.iterations) // self.steps()
        if len(self.history) < done:
            raise _damaged(self.out / "history.csv", f"{len(self.history)} rows, but {done} epochs were done")
        # A kill between the two writes below leaves one row more than the checkpoint has epochs: that epoch is redone.
        self.history = self.history[:done]
        if self._recognition and not done:
            load_face_recognition(self.model, self._recognition, self.epoch_data(training, 0)[0][:1024])
        for epoch in range(done, self.settings["epochs"]):
            started = time.perf_counter()
            row = {**self.train_epoch(training, epoch), **self.validate_average(validation)}
            row = {name: round(float(value), 6) for name, value in row.items()}
            self.history.append({"epoch": epoch + 1, **row, "seconds": round(time.perf_counter() - started, 1)})
            print(", ".join(f"{name} {value:g}" for name, value in self.history[-1].items()), flush=True)
            replace_file(self.out / "history.csv", self._write_history)
            replace_file(self.checkpoint, self.model.save)
        plot_history(self.history, self.out / "curves.png")

    def train_epoch(self, training: Any, epoch: int) -> dict[str, float]:
        """Train on every face once; the loss of all outputs together and the accuracy of `accuracy_of`.

        Batch by batch instead of with Keras' fit, which would wait between two epochs for threads of its input pipeline
        that sleep for up to a minute.
        """
        images, targets = self.epoch_data(training, epoch)
        accuracy = "accuracy" if len(targets) == 1 else f"{self.accuracy_of}_accuracy"
        sums = np.zeros(2)
        for start in range(0, len(images), self.recipe.batch_size):
            batch = slice(start, start + self.recipe.batch_size)
            wanted = {name: target[batch] for name, target in targets.items()}
            logs = self.model.train_on_batch(images[batch], wanted, return_dict=True)  # of this batch alone
            sums += np.array([logs["loss"], logs[accuracy]]) * len(images[batch])
            # Not raised by the handler, wherever the program happens to be: TensorFlow turns it into other errors.
            if self.interrupted:
                raise KeyboardInterrupt
        loss, accurate = sums / len(images)
        return {"loss": loss, "accuracy": accurate}

    def epoch_data(self, training: Any, epoch: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The faces (N, S, S, C) of one epoch and the targets of each output (N, K), from `sampler`, or from the processes that
        prepare the epochs to come."""
        sampler = self.sampler()
        if not self.workers:
            images, targets, dropout = sampler.epoch(training, epoch)
        else:
            if self._pool is None:
                self._pool = _processes(self.workers, sampler, training)
            for following in range(epoch, min(epoch + self.workers + 1, self.settings["epochs"])):
                if following not in self._prepared:
                    self._prepared[following] = self._pool.submit(_prepare, following)
            images, targets, dropout = self._prepared.pop(epoch).result()
        self._seed_dropout(dropout)
        return images, targets

    def validate_average(self, validation: Any) -> dict[str, float]:
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

    def predict(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The network's outputs (N, ...) for images (N, S, S, C)."""
        return in_batches(self.model.predict_on_batch, images)

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


def read_network(path: Path) -> keras.Model:
    """A trained network, for a command.

    Raises:
        SystemExit: there is none in the file.
    """
    try:
        return load_network(path)
    except (OSError, ValueError, TypeError) as error:
        raise SystemExit(
            f"error: {path}: cannot be read as a trained network ({str(error).splitlines()[0]})."
        ) from None


def mean_weights(models: list[Path]) -> list[np.ndarray]:
    """The mean of the weights of trained networks of one shape.

    Raises:
        SystemExit: a file holds no network, or one of another shape than the first.
    """
    weights = [read_network(model).get_weights() for model in models]
    shapes = [[weight.shape for weight in each] for each in weights]
    for model, shape in zip(models, shapes):
        if shape != shapes[0]:
            raise SystemExit(f"error: --start: {model} and {models[0]} have other layers; there is no mean of them.")
    return [np.mean(each, axis=0) for each in zip(*weights)]


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


def read_settings(run: Path) -> dict:
    """The settings of a run, from its run.json, by the names that they have now; distortions that it does not name are not done.

    Raises:
        OSError, ValueError: it is not there or cannot be read.
    """
    settings = {RENAMED.get(name, name): value for name, value in json.loads((run / "run.json").read_text()).items()}
    if "augmentation" in settings:
        settings["augmentation"] = json.loads(json.dumps(asdict(Augmentation()))) | settings["augmentation"]
    return settings


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
