"""How well a network tells age and gender, for whom, and how little it minds a bad picture.

`python -m training.evaluate MODEL --fairface DIR --utkface DIR` and `python -m export.age_gender` use it. FairFace's
validation part and the held-out part of UTKFace are what is reported: they are read once for each released model, and
nothing is chosen on them.
"""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from inference.types import ADULT, AGE_COVERAGE, AGES, GENDER_SURE, GENDERS, age_range, central_age
from training.age_gender.data import AGE_GROUPS, FIRST_YEARS, PARTS, RACES, SOURCES, Portraits, read_picture
from training.age_gender.robustness import ALBUM, DISTURBANCES, disturbed_crops, some_found
from training.datasets import near_duplicates
from training.layers import load_network
from training.metrics import Predictor, in_batches, selective_accuracy, share

SMALLEST_GROUP = 50
"""Groups of fewer faces are reported, but do not count for the gap between the best and the worst."""

GENDER_THRESHOLDS = (0.5, 0.6, 0.7, GENDER_SURE, 0.9, 0.95)

DISTURBED_FACES = 1500
"""So many faces of each data set are shown under each of DISTURBANCES."""

ALBUM_FACES = 1000
"""So many faces of each data set are shown under each of ALBUM."""


def predictor(model: str | Path) -> Predictor:
    """Open a .keras or .onnx model of age and gender.

    Returns:
        A function from faces uint8 (N, S, S, 3) to `age_distribution` (N, AGES) and `gender` (N, 2).
    """
    if Path(model).suffix == ".onnx":
        from inference.age_gender import AgeGenderEstimator

        estimator = AgeGenderEstimator(Path(model).resolve())
        return lambda images: in_batches(estimator.predict, images)
    network = load_network(model)
    return lambda images: in_batches(network.predict_on_batch, images)


def likeliest_group(distribution: np.ndarray) -> np.ndarray:
    """The most probable of AGE_GROUPS, whose probability is the sum of its years: int (N,) for distributions (N, AGES)."""
    return np.add.reduceat(distribution, FIRST_YEARS, axis=1).argmax(axis=1)


def shown_group(distribution: np.ndarray) -> np.ndarray:
    """The one of AGE_GROUPS in which the age lies that is shown, `central_age`: int (N,) for distributions (N, AGES).

    As a median it is the guess with the least expected distance, where `likeliest_group` is most often exactly right.
    """
    return np.searchsorted(FIRST_YEARS, np.floor(central_age(distribution)), side="right") - 1


def score(predictions: dict[str, np.ndarray], faces: Portraits) -> dict:
    """All figures for one set of faces.

    Args:
        predictions: `age_distribution` (N, AGES) and `gender` (N, 2).
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
    distance = np.abs(shown_group(predictions["age_distribution"]) - faces.age_groups)
    figures = {
        "faces": count,
        "gender": share(predictions["gender"].argmax(axis=1) == faces.genders),
        "exact_group": share(distance == 0),
        "within_one_group": share(distance <= 1),
        "coverage": share(covered(predictions["age_distribution"], faces)),
    }
    if (faces.first_years == faces.last_years).all():
        error = np.abs(central_age(predictions["age_distribution"]) - faces.first_years)
        figures |= {"mae": round(float(error.mean()), 3), "within_5_years": share(error <= 5)}
    return figures


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


def by_groups(predictions: dict[str, np.ndarray], faces: Portraits) -> dict[str, dict]:
    """The figures of `score` over all and by group.

    Returns:
        all; where years are known under_18 and from_18; race, gender and age_group: each by name; and gap: for each of
        these three and each figure, the best group's minus the worst's (of groups of SMALLEST_GROUP faces and more).
    """

    def scored(mask: np.ndarray) -> dict:
        return score({name: values[mask] for name, values in predictions.items()}, faces.select(mask))

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


def gender_doubt(predictions: dict[str, np.ndarray], faces: Portraits) -> list[dict]:
    """What thresholds of "not sure" do: for each, the part of the faces that is answered and the accuracy on it."""
    right = predictions["gender"].argmax(axis=1) == faces.genders
    return selective_accuracy(predictions["gender"].max(axis=1), right, GENDER_THRESHOLDS)


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
        predictions = predict(faces.images)
        figures: dict = by_groups(predictions, faces)
        figures["not_found_by_detector"] = int((~faces.found).sum())
        figures["gender_doubt"] = gender_doubt(predictions, faces)
        alone = ~near_duplicates(_thumbnails(faces), _thumbnails(others))
        figures["without_near_duplicates"] = score(
            {name: values[alone] for name, values in predictions.items()}, faces.select(alone)
        )
        results[source] = figures
    return results


def _thumbnails(faces: Portraits) -> np.ndarray:
    """Grey faces uint8 (N, 48, 48), for `near_duplicates`."""
    small = [cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (48, 48)) for face in faces.images]
    return np.stack(small) if small else np.zeros((0, 48, 48), np.uint8)


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
            predictions = predict(disturbed_crops(pictures, faces.detections, disturb, size))
            change = central_age(predictions["age_distribution"]) - central_age(untouched["age_distribution"])
            other = predictions["gender"].argmax(axis=1) != untouched["gender"].argmax(axis=1)
            rows[name] = {
                **score(predictions, faces),
                "years": round(float(np.abs(change).mean()), 3),
                "other_gender": share(other),
            }
        results[source] = rows
    return results


class View(NamedTuple):
    """Some faces of a data set under one of ALBUM, or "undisturbed", and what was answered to them."""

    source: str
    name: str
    faces: Portraits
    predictions: dict[str, np.ndarray]


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
        results.setdefault(view.source, {})[view.name] = by_band(view.predictions, view.faces)
    return results


def by_band(predictions: dict[str, np.ndarray], faces: Portraits) -> dict[str, dict]:
    """What is told of each age group of some faces, and of all.

    Returns:
        By name of the group, and for "all": faces; bias and mae, the mean difference and mean absolute difference of
        `central_age` and `ages_of_labels` in years; coverage, the part that `age_range` holds. Where there are faces whose
        age is surely below ADULT also minors, how many, and adult_range, the part of them that is shown a range wholly from
        ADULT up.
    """
    distribution = predictions["age_distribution"]
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
            "coverage": share(inside[mask]),
        }
        if (mask & minor).any():
            rows[name] |= {"minors": int((mask & minor).sum()), "adult_range": share(adult[mask & minor])}
    return rows


def measure(predict: Predictor, portraits: Portraits) -> dict:
    """All that a report says of a network (`training.report`): validation, metrics of `evaluate`, `disturbed`."""
    validation = {}
    for source in SOURCES:
        faces = portraits.part("validation", source)
        validation[source] = score(predict(faces.images), faces) if len(faces) else {"faces": 0}
    return {
        "validation": validation,
        "metrics": evaluate(predict, portraits),
        "disturbed": disturbed(predict, portraits),
    }


def to_markdown(report: dict) -> str:
    """A report as a page."""
    lines = [f"# {report['model']} on FairFace and UTKFace", ""]
    return "\n".join([*lines, *tables(report["metrics"], report.get("disturbed")), ""])


def tables(results: dict[str, dict], disturbances: dict[str, dict] | None = None) -> list[str]:
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
