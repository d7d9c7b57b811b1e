"""A small stand-in for FER-2013: made-up faces of seven classes that a network can tell apart, in the real forms."""

import csv
import cv2
import numpy as np
from pathlib import Path

from inference.types import EMOTIONS
from training.data import SPLITS, VOTES, Faces

FACES_PER_CLASS = {"Training": 20, "PublicTest": 3, "PrivateTest": 3}
BLANK = 5
"""Index of the one blank image, in Training."""


def make_faces() -> Faces:
    """182 faces with votes: a pattern of light and dark squares for each class, under blotches of each face's own."""
    rng = np.random.default_rng(0)
    half = rng.uniform(-1, 1, (len(EMOTIONS), 6, 3))
    patterns = np.concatenate([half, half[:, :, ::-1]], axis=2)  # mirroring must not change the class
    labels = np.concatenate([rng.permutation(np.repeat(np.arange(7), count)) for count in FACES_PER_CLASS.values()])
    splits = np.repeat([SPLITS.index(name) for name in FACES_PER_CLASS], [7 * n for n in FACES_PER_CLASS.values()])
    coarse = patterns[labels] + rng.uniform(-1, 1, (len(labels), 6, 6))
    smooth = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in coarse])
    images = np.clip(128 + 55 * smooth, 0, 255).astype(np.uint8)
    images[BLANK] = 0
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    votes = rng.integers(0, 2, (len(labels), len(VOTES)))
    votes[np.arange(len(labels)), np.take([VOTES.index(name) for name in names], labels)] += 8
    return Faces(images, labels.astype(np.uint8), splits.astype(np.uint8), votes.astype(np.uint8))


def write_csv(folder: Path, faces: Faces) -> Path:
    """Write fer2013.csv in Kaggle's form and, if there are votes, fer2013new.csv in FERPlus's; the first's path."""
    folder.mkdir(parents=True, exist_ok=True)
    usages = [SPLITS[split] for split in faces.splits]
    rows = [
        f"{label},{' '.join(map(str, image.ravel()))},{usage}"
        for image, label, usage in zip(faces.images, faces.labels, usages)
    ]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    if faces.votes is not None:
        with open(folder / "fer2013new.csv", "w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["Usage", "Image name", *VOTES])
            for index, (usage, votes) in enumerate(zip(usages, faces.votes)):
                writer.writerow([usage, "" if index == BLANK else f"fer{index:07}.png", *votes])
    return folder / "fer2013.csv"


def write_folders(root: Path, faces: Faces, suffix: str = ".png", split_in_name: bool = True) -> Path:
    """Write train/<class>/* and test/<class>/*; files of test/ are named PublicTest_12.png, or plainly 12.png."""
    for index, (image, label, split) in enumerate(zip(faces.images, faces.labels, faces.splits)):
        name = SPLITS[split]
        folder = root / ("train" if name == "Training" else "test") / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{name + '_' if split_in_name else ''}{index}{suffix}"), image)
    return root
