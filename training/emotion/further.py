"""Faces without an emotion label, of FairFace and UTKFace, from which a student learns what teachers say of them.

    python -m training.emotion.further runs/a/model.keras runs/b/model.keras --out runs/further
    python -m training.emotion --recipe vgg7-student --further runs/further ...

FER-2013's photographs look alike. These look otherwise, and no label is needed: the target is the teachers' mean prediction for
a view of the face and for its mirror image (Beyer et al. 2021, arXiv:2106.05237). The folders of the data are named by
--fairface and --utkface or by FAIRFACE_DIR and UTKFACE_DIR. The output folder holds names.npz, the pictures, and a file
emotionK.npz for each view, their predictions in the same order. Faces for testing are left out.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from inference.alignment import align_face
from training.age_gender.data import (
    PARTS,
    Portraits,
    add_demographics_arguments,
    load_portraits,
    read_picture,
    to_detection,
)
from training.datasets import DataError
from training.distill import load_predictions, save_predictions
from training.emotion.model import INPUT_SIZE
from training.emotion.recipes import WEBCAM
from training.emotion.teach import distort, predict
from training.layers import load_network

SEED = 7
"""The seed of the views' distortions."""


class Further:
    """The kept predictions in a folder, and the faces that they are for.

    Args:
        folder: the --out of this command.
        portraits: of all the data sets that the folder names.
        crops: a file that keeps the cut out faces, or where to write it.

    Raises:
        DataError: the folder holds no predictions, or pictures are missing.

    Attributes:
        settings: how many faces and views there are.
    """

    def __init__(self, folder: Path, portraits: Portraits, crops: Path):
        self.folder = folder
        try:
            with np.load(folder / "names.npz") as names:
                wanted = [f"{source}/{name}" for source, name in zip(names["source"], names["name"])]
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{folder}: holds no answers to further faces ({error}).") from None
        self.views = len(list(folder.glob("emotion*.npz")))
        row = {name: index for index, name in enumerate(portraits.names)}
        if missing := [name for name in wanted if name not in row]:
            raise DataError(
                f"{folder}: {len(missing)} pictures are missing, {missing[0]} for one: the answers are to other data."
            )
        self.images = grey_crops(portraits.select(np.array([row[name] for name in wanted])), crops)
        self.settings = {"faces": len(self.images), "views": self.views}

    def view(self, epoch: int, count: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Some of the faces in an epoch's view.

        Args:
            epoch: tells the view.
            count: how many faces, at most all.
            rng: draws them.

        Returns:
            uint8 (count, S, S), and the predictions float32 (count, K) by output.
        """
        view = epoch % self.views
        chosen = np.sort(rng.choice(len(self.images), min(count, len(self.images)), replace=False))
        images = distort(self.images, WEBCAM, SEED, view)[chosen]
        predictions = load_predictions(view_file(self.folder, view))
        return images, {name: each[chosen] for name, each in predictions.items()}


def view_file(folder: Path, view: int) -> Path:
    return folder / f"emotion{view}.npz"


def grey_crops(portraits: Portraits, kept: Path) -> np.ndarray:
    """The faces as the emotion networks take them: uint8 (N, 48, 48), grey.

    Args:
        portraits: where the faces are.
        kept: a file that holds them from an earlier call; written where it does not fit.
    """
    names = np.array(portraits.names)
    if kept.is_file():
        with np.load(kept) as file:
            if np.array_equal(file["names"], names):
                return file["images"]
    images = np.stack(
        [
            cv2.cvtColor(align_face(read_picture(path), to_detection(place), INPUT_SIZE), cv2.COLOR_RGB2GRAY)
            for path, place in zip(portraits.paths, tqdm(portraits.detections, unit="face", mininterval=10))
        ]
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(kept, names=names, images=images)
    return images


def load_further(folder: Path, fairface: Path | None, utkface: Path | None, crops: Path) -> Further:
    """The predictions in a folder with the faces from the data sets' folders; see `Further` and `load_portraits`."""
    portraits, _ = load_portraits(fairface, utkface, crops)
    portraits = portraits.select(portraits.parts != PARTS.index("test"))
    return Further(folder, portraits, crops / "grey.npz")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m training.emotion.further", description="Keep what teachers say.")
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.keras")
    add_demographics_arguments(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    parser.add_argument("--views", type=int, default=2, help="distortions of every face (default: 2)")
    args = parser.parse_args()
    try:
        teachers = [load_network(path) for path in args.models]
        portraits, _ = load_portraits(args.fairface, args.utkface, args.crops)
    except (DataError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    portraits = portraits.select(portraits.parts != PARTS.index("test"))
    images = grey_crops(portraits, args.crops / "grey.npz")
    args.out.mkdir(parents=True, exist_ok=True)
    source, name = np.array([each.split("/", 1) for each in portraits.names]).T
    np.savez(args.out / "names.npz", source=source, name=name, part=np.array(PARTS)[portraits.parts])
    for view in range(args.views):
        save_predictions(view_file(args.out, view), predict(teachers, distort(images, WEBCAM, SEED, view)))
        print(f"{view_file(args.out, view)}: {len(images):,} faces", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
