"""What follows from finished reports: the table of README.md and docs/results/accuracy.md.

    python -m benchmarks.readme

reads models/*_metrics.json, which the exports measured on the exported files, and the
figures in docs/results. Run it when any of them has changed.
"""

import re
import sys

from benchmarks.results import ROOT, read_figures, write_result
from inference.types import NOT_SURE
from training.emotion.evaluate import accuracy_table, disturbance_tables, recall_table
from training.report import read_report, report_path

README = ROOT / "README.md"
ALONE = "PrivateTest without near-duplicates of Training"
"""The test set whose pictures the networks cannot have memorised."""
MARKS = re.compile(r"(<!-- begin table -->\n).*(<!-- end table -->)", re.DOTALL)


def report(model: str) -> dict:
    """The report of a model in models/."""
    return read_report(report_path(ROOT / "models" / model))


def accuracy_page() -> str:
    """models/emotion_metrics.json as tables."""
    emotion = report("emotion.onnx")
    metadata = emotion["metadata"]
    lines = [
        f"How often the first of the `probabilities` of `models/{emotion['model']}` is the label, on FER-2013's official test "
        "faces. Some of them also stand, exactly or nearly, in the training split; rows without near-duplicates leave those out:",
        "",
        *accuracy_table(emotion["metrics"]),
        "",
        "Recall of each answer by each kind of label; FERPlus' is the majority of ten people, where that is clear:",
        "",
        *recall_table({name: emotion["metrics"][name] for name in ("PublicTest", "PrivateTest", ALONE)}),
        "",
        f"Recipe `{metadata['recipe']}`, {int(metadata['parameters']):,} parameters, trained on {metadata['dataset']}; epoch and "
        f"temperature were chosen on PublicTest. Measured on the exported file by `{emotion['command']}`, which writes "
        "[models/emotion_metrics.json](../../models/emotion_metrics.json); `python -m benchmarks.readme` writes this page.",
        "",
    ]
    lines += disturbance_tables(emotion)
    int8 = report("emotion_int8.onnx")
    lines += ["", f"`{int8['model']}`, `{int8['metadata']['recipe']}` in 8 bits, measured by `{int8['command']}`:", ""]
    lines += accuracy_table(int8["metrics"])[:-2]
    return "\n".join(lines)


def table() -> str:
    """How good and how fast, in a table of README.md.

    Raises:
        OSError: a report is missing.
    """
    rows = [*_expression(), *_age_and_gender(), *_faces_found(), *_speed(), *_page()]
    lines = ["| what | how good, how fast | measured on |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])


def _expression() -> list[tuple[str, str, str]]:
    emotion = report("emotion.onnx")
    test = emotion["metrics"]["PrivateTest"]
    alone = emotion["metrics"][ALONE]
    majority = test["by_label"]["FERPlus"]["consensus"]
    sure = next(row for row in emotion["not_sure"]["PrivateTest"] if row["threshold"] == NOT_SURE)
    link = f"[FER-2013, PrivateTest](docs/results/accuracy.md), {test['faces']:,} faces"
    return [
        (
            "the expression shown is the label, one of seven",
            f"**{test['consensus_accuracy']:.1%}**; {alone['consensus_accuracy']:.1%} without near-duplicates of training faces",
            link,
        ),
        (
            "it is what most of ten people named",
            f"**{majority['accuracy']:.1%}**",
            f"[FERPlus](docs/results/accuracy.md), {majority['faces']:,} faces",
        ),
        ("where the answer is sure", f"**{sure['accuracy']:.1%}** of {sure['answered']:.0%} of the faces", link),
    ]


def _age_and_gender() -> list[tuple[str, str, str]]:
    people = report("age_gender.onnx")["metrics"]
    fairface, utkface = people["FairFace"]["all"], people["UTKFace"]["all"]
    worst = people["FairFace"]["gap"]["race"]["gender"]["worst"]
    least = people["FairFace"]["race"][worst]["gender"]
    return [
        (
            "apparent gender right",
            f"**{fairface['gender']:.1%}**; {least:.1%} in the worst race group ({worst})",
            f"[FairFace](docs/results/age_gender.md), {fairface['faces']:,} faces",
        ),
        (
            "apparent age off by",
            f"**{utkface['mae']:.1f} years** in the mean",
            f"[UTKFace](docs/results/age_gender.md), {utkface['faces']:,} faces",
        ),
    ]


def _faces_found() -> list[tuple[str, str, str]]:
    try:
        detection = read_figures("detection")
    except OSError:
        return []
    counts = detection["counts"]["FaceDetector"]
    return [
        (
            "faces found in crowds, groups and portraits",
            f"**{counts['found']} of {counts['all']}**, {counts.get('false', 0)} made up",
            "[composed pictures](docs/results/detection.md)",
        )
    ]


def _speed() -> list[tuple[str, str, str]]:
    speed = read_figures("speed")
    one, several = (
        f"[{speed['processor']}, {threads}](docs/results/speed.md)"
        for threads in ("one thread", f"{speed['processors']} cores")
    )
    faces = [f"{batches['1']:.1f} ms ({model})" for model, batches in speed["classification_per_face"].items()]
    rows = [("one face classified", ", ".join(faces), one)]
    full, *small = speed["classification_per_face"]
    for kind, model, threads, link in (
        ("a photo", full, "all processors", several),
        ("a frame of a stream", (small or [full])[0], "one thread", one),
    ):
        times = [
            f"**{row['milliseconds']:.0f} ms** with {row['faces']} face{'s' * (row['faces'] > 1)}"
            for row in speed["pictures_640x480"]
            if (row["picture"], row["model"], row.get("threads")) == (kind, model, threads)
        ]
        rows.append((f"{kind} of 640x480, faces found and classified by {model}", ", ".join(times), link))
    return rows


def _page() -> list[tuple[str, str, str]]:
    results = [result for result in read_figures("live") if "fps" in result and not result.get("kbit")]
    most = max(result.get("viewers", 0) for result in results)
    rows = []
    for result in results:
        if result.get("clients", most) != most:  # without a browser so many alone, to compare
            continue
        number, slowest = result.get("viewers", most), min(result["fps"])
        where = "browsers on the same machine" if "viewers" in result else "without a browser"
        rows.append(
            (
                f"Live, {number} viewer{'s' * (number > 1)}, {where}",
                f"**{slowest:.0f} frames a second**{' each' * (number > 1)}, {result['latency_ms']['p50']:.0f} ms from camera to answer",
                f"[{result['processor']}, {result['processors']} cores](docs/results/live.md)",
            )
        )
    load = read_figures("load")
    photos = load["phases"]["photos"]
    rows.append(
        (
            f"{load['photos']} visitors' photos at the same moment",
            f"half of them answered within **{photos['latency_ms']['p50'] / 1e3:.1f} s**, {photos['wrong']} wrongly, "
            f"{photos['errors']} errors",
            f"[{load['processor']}, {load['processors']} cores](docs/results/load.md)",
        )
    )
    return rows


def main() -> int:
    write_result("accuracy", "How often the expression is right", accuracy_page())
    text, count = MARKS.subn(lambda match: match[1] + table() + "\n" + match[2], README.read_text(encoding="utf-8"))
    if count != 1:
        print(
            "error: README.md should have the lines <!-- begin table --> and <!-- end table --> once.", file=sys.stderr
        )
        return 1
    README.write_text(text, encoding="utf-8")
    print(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
