"""How well a network tells age and gender, for whom, and how little it minds a bad picture.

`python -m training.evaluate MODEL --fairface DIR --utkface DIR` and `python -m export.age_gender` use it. FairFace's
validation part and the held-out part of UTKFace are what is reported: they are read once for each released model, and
nothing is chosen on them.
"""

import cv2
import numpy as np
from pathlib import Path
from typing import Callable, NamedTuple

from inference.alignment import AGE_GENDER_FRAMING, align_face, crop_geometry
from inference.types import ADULT, AGE_COVERAGE, AGES, GENDER_SURE, GENDERS, age_range, central_age
from training.augment import add_grain, add_noise, bleach, blur, compress, scratch, shrink, without_color
from training.data import near_duplicates
from training.demographics import AGE_GROUPS, FIRST_YEARS, PARTS, RACES, SOURCES, Portraits, read_picture, to_detection

Predictor = Callable[[np.ndarray], dict[str, np.ndarray]]

SMALLEST_GROUP = 50
"""Faces; groups of fewer are reported, but do not count for the gap between the best and the worst."""
GENDER_THRESHOLDS = (0.5, 0.6, 0.7, GENDER_SURE, 0.9, 0.95)
SMALL_FACE = 32
"""Side in pixels to which a face is shrunk in `disturbed`."""
DISTURBED_FACES = 1500
ALBUM_FACES = 1000
"""Of each data set, under each of ALBUM."""
SEED = 0


def predictor(model: str | Path) -> Predictor:
    """Open a .keras or .onnx model of age and gender.

    Returns:
        A function from faces uint8 (N, S, S, 3) to `age_distribution` (N, AGES) and `gender` (N, 2).
    """
    if Path(model).suffix == ".onnx":
        from inference.age_gender import AgeGenderEstimator

        estimator = AgeGenderEstimator(Path(model).resolve())
        return lambda images: in_batches(estimator.answers, images)
    import keras

    import training.age_gender  # noqa: F401  registers the layers of the network

    network = keras.models.load_model(model, compile=False)
    return lambda images: network.predict(images, batch_size=256, verbose=0)


def in_batches(answers: Predictor, images: np.ndarray) -> dict[str, np.ndarray]:
    """What a predictor answers to faces (N, S, S, 3), asked about 256 at a time."""
    batches = [answers(images[start : start + 256]) for start in range(0, max(len(images), 1), 256)]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def likeliest_group(distribution: np.ndarray) -> np.ndarray:
    """The most probable of AGE_GROUPS, whose probability is the sum of its years: int (N,) for distributions (N, AGES)."""
    return np.add.reduceat(distribution, FIRST_YEARS, axis=1).argmax(axis=1)


def shown_group(distribution: np.ndarray) -> np.ndarray:
    """The one of AGE_GROUPS in which the age lies that is shown, `central_age`: int (N,) for distributions (N, AGES).

    As a median it is the guess with the least expected distance, where `likeliest_group` is most often exactly right.
    """
    return np.searchsorted(FIRST_YEARS, np.floor(central_age(distribution)), side="right") - 1


def score(answers: dict[str, np.ndarray], faces: Portraits) -> dict:
    """All figures for one set of faces.

    Args:
        answers: `age_distribution` (N, AGES) and `gender` (N, 2).
        faces: their labels.

    Returns:
        faces: how many; gender, exact_group, within_one_group: the part whose answer is right, and whose `shown_group` is
        right or at most one off;
        standard errors are at most half of 1 / sqrt(faces). Where years are known also mae (the mean absolute error of
        `inference.types.central_age` in years), within_5_years, and coverage: the part whose age lies in
        `inference.types.age_range`, which is to be AGE_COVERAGE. Where only groups are known coverage takes the ages to
        be even over the years of their group. Empty sets have faces alone.
    """
    count = len(faces)
    if not count:
        return {"faces": 0}
    distance = np.abs(shown_group(answers["age_distribution"]) - faces.age_groups)
    figures = {
        "faces": count,
        "gender": _share(answers["gender"].argmax(axis=1) == faces.genders),
        "exact_group": _share(distance == 0),
        "within_one_group": _share(distance <= 1),
        "coverage": _share(covered(answers["age_distribution"], faces)),
    }
    if (faces.first_years == faces.last_years).all():
        error = np.abs(central_age(answers["age_distribution"]) - faces.first_years)
        figures |= {"mae": round(float(error.mean()), 3), "within_5_years": _share(error <= 5)}
    return figures


def _share(right: np.ndarray) -> float:
    return round(float(right.mean()), 4)


def covered(distribution: np.ndarray, faces: Portraits) -> np.ndarray:
    """For each face the part of the years that its label admits which lies in the range that is shown: (N,), 0 to 1.

    The years of the last group, which has no end, are taken to be ten like those of the others.
    """
    first, last = age_range(distribution).T
    low, high = faces.first_years.astype(int), faces.last_years.astype(int)
    high = np.where((low < high) & (high == AGES - 1), low + 9, high)
    inside = np.minimum(last, high) - np.maximum(first, low) + 1
    return np.maximum(inside, 0) / (high - low + 1)


def ages_of_labels(faces: Portraits) -> np.ndarray:
    """The age, or the middle of the age group: (N,), in years. The last group is taken to span ten years."""
    first, last = faces.first_years.astype(float), faces.last_years.astype(float)
    return (first + np.where((first < last) & (last == AGES - 1), first + 9, last)) / 2


def by_groups(answers: dict[str, np.ndarray], faces: Portraits) -> dict[str, dict]:
    """The figures of `score` over all and by group.

    Returns:
        all; where years are known under_18 and from_18; race, gender and age_group: each by name; and gap: for each of
        these three and each figure, the best group's minus the worst's (of groups of SMALLEST_GROUP faces and more).
    """

    def scored(mask: np.ndarray) -> dict:
        return score({name: values[mask] for name, values in answers.items()}, faces.select(mask))

    figures = {"all": scored(np.ones(len(faces), bool))}
    if (faces.first_years == faces.last_years).all():
        minor = faces.first_years < ADULT
        figures |= {"under_18": scored(minor), "from_18": scored(~minor)}
    for kind, names, values in (
        ("race", RACES, faces.races),
        ("gender", GENDERS, faces.genders),
        ("age_group", tuple(AGE_GROUPS), faces.age_groups),
    ):
        figures[kind] = {name: scored(values == index) for index, name in enumerate(names) if (values == index).any()}
    figures["gap"] = {kind: gap(figures[kind]) for kind in ("race", "gender", "age_group")}
    return figures


def gap(groups: dict[str, dict]) -> dict:
    """By figure: best and worst group, and by how much they differ."""
    large = {name: row for name, row in groups.items() if row["faces"] >= SMALLEST_GROUP}
    result = {}
    for figure in ("gender", "exact_group", "within_one_group", "mae"):
        values = {name: row[figure] for name, row in large.items() if figure in row}
        if len(values) > 1:
            order = sorted(values, key=values.get, reverse=figure != "mae")
            difference = round(abs(values[order[0]] - values[order[-1]]), 4)
            result[figure] = {"best": order[0], "worst": order[-1], "gap": difference}
    return result


def gender_doubt(answers: dict[str, np.ndarray], faces: Portraits) -> list[dict]:
    """What thresholds of "not sure" do: for each, the part of the faces that is answered and the accuracy on it."""
    certainty, right = answers["gender"].max(axis=1), answers["gender"].argmax(axis=1) == faces.genders
    rows = []
    for threshold in GENDER_THRESHOLDS:
        answered = certainty >= threshold
        accuracy = _share(right[answered]) if answered.any() else None
        rows.append({"threshold": threshold, "answered": _share(answered), "accuracy": accuracy})
    return rows


def evaluate(predict: Predictor, portraits: Portraits) -> dict[str, dict]:
    """For each source that has test faces: `by_groups`, `gender_doubt`, how many faces the detector missed (they are
    in all figures, cut out where a face usually is), and of UTKFace the figures without pictures that have a near
    twin among the other parts."""
    results = {}
    others = portraits.select(portraits.parts != PARTS.index("test"))
    for source in SOURCES:
        faces = portraits.part("test", source)
        if not len(faces):
            continue
        answers = predict(faces.images)
        figures = by_groups(answers, faces)
        figures["not_found_by_detector"] = int((~faces.found).sum())
        figures["gender_doubt"] = gender_doubt(answers, faces)
        alone = ~near_duplicates(_thumbnails(faces), _thumbnails(others))
        figures["without_near_duplicates"] = score(
            {name: values[alone] for name, values in answers.items()}, faces.select(alone)
        )
        results[source] = figures
    return results


def _thumbnails(faces: Portraits) -> np.ndarray:
    """Grey faces uint8 (N, 48, 48), for `near_duplicates`."""
    small = [cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (48, 48)) for face in faces.images]
    return np.stack(small) if small else np.zeros((0, 48, 48), np.uint8)


def _shifted(values: np.ndarray, part: float, angle: float) -> np.ndarray:
    side = max(values[2] - values[0], values[3] - values[1])
    return values + part * side * np.tile([np.cos(angle), np.sin(angle)], 4)


def _turned(values: np.ndarray, degrees: float) -> np.ndarray:
    """The eyes turned about the point between them, as a detector misplaces them; the crop turns with them."""
    eyes = values[4:].reshape(2, 2)
    middle, half = eyes.mean(axis=0), (eyes[1] - eyes[0]) / 2
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    half = np.array([cos * half[0] - sin * half[1], sin * half[0] + cos * half[1]])
    return np.concatenate([values[:4], middle - half, middle + half])


def _scaled(values: np.ndarray, factor: float) -> np.ndarray:
    center = np.tile([(values[0] + values[2]) / 2, (values[1] + values[3]) / 2], 4)
    return center + (values - center) * factor


# name: function of picture, detection's values and random generator, to the picture and values that are cut out instead.
DISTURBANCES: dict[str, Callable] = {
    "box shifted by 10 %": lambda image, values, rng: (image, _shifted(values, 0.1, rng.uniform(0, 2 * np.pi))),
    "box smaller by 15 %": lambda image, values, rng: (image, _scaled(values, 0.85)),
    "box larger by 15 %": lambda image, values, rng: (image, _scaled(values, 1.15)),
    "blurred, 1.5 % of the side": lambda image, values, rng: (blur(image, 0.015 * image.shape[0]), values),
    "darkened to 40 %": lambda image, values, rng: ((image * 0.4).astype(np.uint8), values),
    f"face of {SMALL_FACE} pixels": lambda image, values, rng: _shrunk(image, values),
}

# The same, of what photographs of private albums have, old ones not least.
ALBUM: dict[str, Callable] = {
    "box shifted by 2 %": lambda image, values, rng: (image, _shifted(values, 0.02, rng.uniform(0, 2 * np.pi))),
    "framed tight, 25 %": lambda image, values, rng: (image, _scaled(values, 0.75)),
    "framed wide, 25 %": lambda image, values, rng: (image, _scaled(values, 1.25)),
    "turned by 12 degrees": lambda image, values, rng: (image, _turned(values, 12 * rng.choice((-1, 1)))),
    "grey": lambda image, values, rng: (without_color(image), values),
    "faded and yellow": lambda image, values, rng: (bleach(image, 0.5), values),
    "grainy": lambda image, values, rng: (add_grain(image, 14, rng), values),
    "scanned": lambda image, values, rng: (_scanned(image, rng), values),
    "JPEG of quality 20": lambda image, values, rng: (compress(image, 20), values),
    "half the pixels": lambda image, values, rng: (shrink(image, 0.5), values),
}


def _scanned(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scan of a brown print: soft, faded, grainy, scratched, compressed."""
    soft = blur(bleach(without_color(image, 0.7), 0.25), 0.008 * image.shape[0])
    return compress(scratch(add_noise(add_grain(soft, 8, rng), 3, rng), 4, rng), 60)


def _shrunk(image: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture in which the side of the crop is SMALL_FACE pixels; it is enlarged again where it is cut out."""
    factor = min(SMALL_FACE / crop_geometry(to_detection(values), **AGE_GENDER_FRAMING)[1], 1.0)
    size = [max(round(side * factor), 1) for side in (image.shape[1], image.shape[0])]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), values * factor


def some_found(faces: Portraits, count: int) -> Portraits:
    """So many at most of those that the detector found; the same at every call."""
    found = np.random.default_rng(SEED).permutation(np.flatnonzero(faces.found))
    return faces.select(np.sort(found[:count]))


def disturbed_crops(pictures: list[np.ndarray], detections: np.ndarray, disturb: Callable, size: int) -> np.ndarray:
    """The faces uint8 (N, size, size, 3) that one of DISTURBANCES or ALBUM makes of pictures and detections (N, 8)."""
    rng = np.random.default_rng(SEED)
    crops = []
    for image, values in zip(pictures, detections):
        picture, moved = disturb(image, values, rng)
        crops.append(align_face(picture, to_detection(moved), size, **AGE_GENDER_FRAMING))
    return np.stack(crops)


def disturbed(predict: Predictor, portraits: Portraits) -> dict[str, dict]:
    """What bad crops and pictures change, for each source that has test faces, on DISTURBED_FACES that the detector found.

    Returns:
        By source, for "undisturbed" and each of DISTURBANCES: the figures of `score`, and against the undisturbed answer
        years (the mean change of `central_age`) and other_gender (the part of the faces that get another).
    """
    results = {}
    for source in SOURCES:
        faces = some_found(portraits.part("test", source), DISTURBED_FACES)
        if not len(faces):
            continue
        size, pictures = faces.images.shape[1], [read_picture(path) for path in faces.paths]
        untouched = predict(faces.images)
        rows = {"undisturbed": score(untouched, faces)}
        for name, disturb in DISTURBANCES.items():
            answers = predict(disturbed_crops(pictures, faces.detections, disturb, size))
            change = central_age(answers["age_distribution"]) - central_age(untouched["age_distribution"])
            other = answers["gender"].argmax(axis=1) != untouched["gender"].argmax(axis=1)
            rows[name] = {
                **score(answers, faces),
                "years": round(float(np.abs(change).mean()), 3),
                "other_gender": _share(other),
            }
        results[source] = rows
    return results


class View(NamedTuple):
    """Some faces of a data set under one of ALBUM, or "undisturbed", and what was answered to them."""

    source: str
    name: str
    faces: Portraits
    answers: dict[str, np.ndarray]


def album_views(predict: Predictor, portraits: Portraits) -> list[View]:
    """For each data set: all faces undisturbed, and of ALBUM_FACES that the detector found each of ALBUM."""
    views = []
    for index, source in enumerate(SOURCES):
        faces = portraits.select(portraits.sources == index)
        if not len(faces):
            continue
        views.append(View(source, "undisturbed", faces, predict(faces.images)))
        some = some_found(faces, ALBUM_FACES)
        pictures = [read_picture(path) for path in some.paths]
        for name, disturb in ALBUM.items():
            if len(some):
                crops = disturbed_crops(pictures, some.detections, disturb, faces.images.shape[1])
                views.append(View(source, name, some, predict(crops)))
    return views


def bands(views: list[View]) -> dict[str, dict[str, dict]]:
    """`by_band` by data set and by name of the view."""
    results: dict[str, dict[str, dict]] = {}
    for view in views:
        results.setdefault(view.source, {})[view.name] = by_band(view.answers, view.faces)
    return results


def by_band(answers: dict[str, np.ndarray], faces: Portraits) -> dict[str, dict]:
    """What is told of each age group of some faces, and of all.

    Returns:
        By name of the group, and for "all": faces; bias and mae, the mean difference and mean absolute difference of
        `central_age` and `ages_of_labels` in years; coverage, the part that `age_range` holds. Where there are faces whose
        age is surely below ADULT also minors, how many, and adult_range, the part of them that is shown a range wholly from
        ADULT up.
    """
    distribution = answers["age_distribution"]
    difference, inside = central_age(distribution) - ages_of_labels(faces), covered(distribution, faces)
    minor, adult = faces.last_years < ADULT, age_range(distribution)[:, 0] >= ADULT
    rows = {}
    for name, mask in (
        *((name, faces.age_groups == index) for index, name in enumerate(AGE_GROUPS)),
        ("all", np.ones(len(faces), bool)),
    ):
        if not mask.any():
            continue
        rows[name] = {
            "faces": int(mask.sum()),
            "bias": round(float(difference[mask].mean()), 2),
            "mae": round(float(np.abs(difference[mask]).mean()), 2),
            "coverage": _share(inside[mask]),
        }
        if (mask & minor).any():
            rows[name] |= {"minors": int((mask & minor).sum()), "adult_range": _share(adult[mask & minor])}
    return rows


def to_markdown(results: dict[str, dict], disturbances: dict[str, dict] | None = None) -> list[str]:
    """The results of `evaluate` and of `disturbed` as lines of Markdown."""
    lines = []
    for source, figures in results.items():
        set_name = {"FairFace": "FairFace's validation part", "UTKFace": "a fifth of UTKFace, held out"}[source]
        whole = figures["all"]
        lines += [f"{set_name}, {whole['faces']:,} faces:", "", *_table(figures), "", _gap_line(figures["gap"]), ""]
        doubt = ", ".join(
            f"{row['threshold']:g}: {row['answered']:.1%} answered, {row['accuracy']:.1%} right"
            for row in figures["gender_doubt"]
            if row["accuracy"] is not None
        )
        alone = figures["without_near_duplicates"]
        lines += [
            f'Gender "not sure" below {doubt}. The range of years is to hold {AGE_COVERAGE:.0%} of the ages and holds '
            f"{whole['coverage']:.1%}. The detector found no face in {figures['not_found_by_detector']} of these pictures, "
            "which were cut out where a face usually is. Without pictures that have a near twin in training or validation "
            f"({alone['faces']:,} are left): " + _cells_line(alone) + ".",
            "",
        ]
    for source, rows in (disturbances or {}).items():
        years = "mae" in rows["undisturbed"]
        count = rows["undisturbed"]["faces"]
        heads = ["gender", "exact group", *["mean error, years"] * years, "age moves by, years", "another gender"]
        lines += [f"| {source}, {count:,} faces | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for name, row in rows.items():
            cells = [f"{row['gender']:.1%}", f"{row['exact_group']:.1%}", *[f"{row.get('mae', 0):.2f}"] * years]
            cells += [f"{row['years']:.2f}", f"{row['other_gender']:.1%}"] if "years" in row else ["", ""]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    return lines[:-1]


FIGURES = {
    "gender": "gender",
    "exact_group": "exact group",
    "within_one_group": "within one group",
    "mae": "mean error, years",
    "within_5_years": "within 5 years",
    "coverage": "in the range",
}


def _cells(row: dict) -> dict[str, str]:
    """The figures of `score` as text by heading, those that there are."""
    return {
        head: f"{row[key]:.2f}" if key == "mae" else f"{row[key]:.1%}" for key, head in FIGURES.items() if key in row
    }


def _cells_line(row: dict) -> str:
    return ", ".join(f"{head} {cell}" for head, cell in _cells(row).items())


def _table(figures: dict) -> list[str]:
    rows = {"all": figures["all"]}
    rows |= {name.replace("_", " "): figures[name] for name in ("under_18", "from_18") if name in figures}
    for kind in ("race", "gender", "age_group"):
        rows |= figures[kind]
    heads = list(_cells(figures["all"]))
    lines = [f"| group | faces | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for name, row in rows.items():
        cells = _cells(row)
        lines.append(f"| {name} | {row['faces']:,} | " + " | ".join(cells.get(head, "") for head in heads) + " |")
    return lines


def _gap_line(gaps: dict[str, dict]) -> str:
    parts = []
    for kind, rows in gaps.items():
        for figure, row in rows.items():
            if figure in ("gender", "mae") and not (kind == figure):
                unit = f"{row['gap']:.2f} years" if figure == "mae" else f"{100 * row['gap']:.1f} points"
                parts.append(
                    f"{FIGURES[figure]} by {kind.replace('_', ' ')}: {row['best']} against {row['worst']}, {unit}"
                )
    return f"Best against worst group of {SMALLEST_GROUP} faces and more: {'; '.join(parts) or 'there are too few'}."
