"""What teachers say of distorted training faces, kept on disk so that students can learn from it without running them.

    python -m training.emotion.teach runs/a/model.keras runs/b/model.keras --recipe vgg7 --data DIR --out runs/teacher
    python -m training.emotion --recipe vgg7 --teacher runs/teacher --data DIR --out runs/student

A view is one distortion of every training face by the recipe's augmentation. A student sees the same views, one an epoch,
half of the faces mirrored, and its targets are the mean answer of all teachers to the view and to its mirror image: "consistent teaching", Beyer et
al. 2021, arXiv:2106.05237. The same command goes on where it was stopped; several at once share the work with --part.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from training.augment import Augmentation, augment
from training.datasets import DataError
from training.distill import fingerprints, load_predictions, mean_predictions, save_predictions
from training.emotion.data import Faces, add_data_arguments, load_fer2013, training_and_validation
from training.emotion.recipes import RECIPES
from training.layers import load_network
from training.run import PRECISIONS


class Teacher:
    """The kept predictions in a folder.

    Args:
        folder: the --out of this command.
        training: the faces to which a student wants the predictions.

    Raises:
        DataError: the folder holds no complete set of predictions for these faces.

    Attributes:
        settings: what the predictions were made with.
    """

    def __init__(self, folder: Path, training: Faces):
        self.folder = folder
        try:
            self.settings = json.loads((folder / "teacher.json").read_text())
        except (OSError, ValueError) as error:
            raise DataError(f"{folder}: holds no teacher's answers ({error}).") from None
        missing = [view for view in range(self.settings["views"]) if not view_file(folder, view).is_file()]
        if missing:
            raise DataError(f"{folder}: {len(missing)} of {self.settings['views']} views are missing: run it again.")
        if self.settings["faces"] != _digest(training):
            raise DataError(f"{folder}: the answers are to other training faces.")

    def view(self, epoch: int, faces: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """What a student sees in an epoch: faces uint8 (N, S, S), and the predictions float32 (N, K) by output."""
        view = epoch % self.settings["views"]
        images = distort(faces, Augmentation(**self.settings["augmentation"]), self.settings["seed"], view)
        return images, load_predictions(view_file(self.folder, view))


def view_file(folder: Path, view: int) -> Path:
    return folder / f"view{view:03}.npz"


def distort(faces: np.ndarray, augmentation: Augmentation, seed: int, view: int) -> np.ndarray:
    """One view of all faces: uint8 (N, S, S), the same at every call."""
    return augment(faces, augmentation, np.random.default_rng((seed, 1, view)))


def predict(teachers: list[keras.Model], images: np.ndarray) -> dict[str, np.ndarray]:
    """The mean prediction of all teachers for faces uint8 (N, S, S) and their mirror images: float32 (N, K) by output."""
    return mean_predictions(teachers, [images[..., None], images[:, :, ::-1, None]])


def _digest(faces: Faces) -> str:
    return hashlib.sha256(faces.images.tobytes() + faces.labels.tobytes()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.emotion.teach", description="Keep what teachers say.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras")
    parser.add_argument("--recipe", required=True, choices=sorted(RECIPES), help="whose augmentation the student uses")
    add_data_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--views", type=int, default=8, help="distortions of every face (default: 8)")
    parser.add_argument("--part", default="1/1", metavar="I/N", help="make every N-th view, beginning with the I-th")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    args = parser.parse_args()
    try:
        part, parts = (int(number) for number in args.part.split("/"))
    except ValueError:
        parser.error("--part must look like 1/2")
    try:
        training, _ = training_and_validation(load_fer2013(args.data, official=not args.unofficial), args.seed)
        keras.config.set_dtype_policy(args.precision)
        teachers = [_load(path) for path in args.models]
    except (DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    augmentation = RECIPES[args.recipe].augmentation
    settings = {
        "teachers": fingerprints(args.models),
        "augmentation": asdict(augmentation),
        "views": args.views,
        "seed": args.seed,
        "faces": _digest(training),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    settings_file = args.out / "teacher.json"
    if settings_file.exists() and json.loads(settings_file.read_text()) != json.loads(json.dumps(settings)):
        print(f"error: {args.out} holds the answers of other teachers. Choose another --out.", file=sys.stderr)
        return 1
    settings_file.write_text(json.dumps(settings, indent=2) + "\n")
    for view in range(part - 1, args.views, parts):
        if view_file(args.out, view).exists():
            continue
        predictions = predict(teachers, distort(training.images, augmentation, args.seed, view))
        save_predictions(view_file(args.out, view), predictions)
        right = (predictions["probabilities"].argmax(axis=1) == training.labels).mean()
        print(f"{view_file(args.out, view)}: the label is the first answer for {right:.2%} of the faces", flush=True)
    return 0


def _load(path: Path) -> keras.Model:
    """A trained network, rebuilt at the present precision."""
    trained = load_network(path)
    model = RECIPES[trained.name].build()
    model.set_weights(trained.get_weights())
    return model


if __name__ == "__main__":
    sys.exit(main())
