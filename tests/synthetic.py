"""A small stand-in for FER-2013: made-up faces of seven classes that a network can tell apart, in the real forms."""

import csv
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np

from inference.types import AGES, EMOTIONS
from training.age_gender.data import AGE_GROUPS, RACES, SIZE, Portraits
from training.emotion.data import SPLITS, VOTES, Faces

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


def make_portrait(age: int, gender: str, rng: np.random.Generator, side: int = 96) -> np.ndarray:
    """A made-up picture, uint8 (side, side, 3): older is brighter below, and the colour above tells the gender."""
    picture = np.full((side, side, 3), 60.0)
    picture[side // 2 :] += 1.6 * age
    picture[: side // 2, :, 0 if gender == "male" else 2] += 120
    return np.clip(picture + rng.uniform(-20, 20, (6, 6, 3)).repeat(side // 6, 0).repeat(side // 6, 1), 0, 255).astype(
        np.uint8
    )


def write_picture(path: Path, picture: np.ndarray) -> None:
    """An RGB picture as a file of the suffix's format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def write_fairface(root: Path, training: int = 180, validation: int = 36) -> Path:
    """FairFace's public layout with made-up pictures of all age groups, race groups and both genders."""
    rng = np.random.default_rng(0)
    for part, count in (("train", training), ("val", validation)):
        lines = ["file,age,gender,race,service_test"]
        for number in range(count):
            (name, (first, last)), race = list(AGE_GROUPS.items())[number % 9], RACES[number % 7]
            gender = ("Male", "Female")[number % 2]
            age = int(rng.integers(first, min(last, 85), endpoint=True))
            write_picture(root / part / f"{number + 1}.jpg", make_portrait(age, gender.lower(), rng))
            lines.append(f"{part}/{number + 1}.jpg,{name},{gender},{race},True")
        (root / f"fairface_label_{part}.csv").write_text("\n".join(lines) + "\n")
    return root


def write_utkface(root: Path, count: int = 120) -> Path:
    """UTKFace's public layout with made-up pictures of people of 1 to 90 years."""
    rng = np.random.default_rng(1)
    for number in range(count):
        age, gender = int(rng.integers(1, 90, endpoint=True)), number % 2
        name = f"{age}_{gender}_{number % 5}_{20170101000000000 + number}.jpg"
        write_picture(root / "UTKFace" / name, make_portrait(age, ("male", "female")[gender], rng))
    return root


def years(*ages: int) -> np.ndarray:
    """Certain age distributions."""
    return np.eye(AGES, dtype=np.float32)[list(ages)]


def portraits_of(first, last, genders=0, races=0, **given) -> Portraits:
    """Portraits with labels and without pictures."""
    count = len(first)
    values = {field.name: np.zeros(count, np.uint8) for field in fields(Portraits)}
    values |= {"images": np.zeros((count, SIZE, SIZE, 3), np.uint8), "found": np.ones(count, bool)}
    values |= {"genders": np.full(count, genders) if np.isscalar(genders) else np.array(genders)}
    values |= {"races": np.full(count, races) if np.isscalar(races) else np.array(races)}
    return Portraits(**{**values, "first_years": np.array(first), "last_years": np.array(last), **given})


def rows(*cases: tuple[int, float]) -> np.ndarray:
    """Probabilities with the given top class and its confidence, the rest shared equally by the other six."""
    probabilities = np.array([[(1 - confidence) / 6] * 7 for _, confidence in cases])
    for row, (label, confidence) in zip(probabilities, cases):
        row[label] = confidence
    return probabilities
