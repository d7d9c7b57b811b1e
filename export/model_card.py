"""Write MODEL_CARD.md, in Hugging Face's form, from export/model_card.md and what the exports measured.

    python -m export.model_card

Every figure comes from models/*_metrics.json, from docs/results/fer2013.json (`python -m training.emotion.data DIR --json
docs/results/fer2013.json`), from the model files' metadata and from models/SHA256SUMS; run it after any of them has changed.
"""

import json
import sys
from pathlib import Path

import onnxruntime
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from inference.age_gender import DEFAULT_MODEL
from inference.alignment import AGE_GENDER_FRAMING, EYE_LINE, SIDE_BY_BOX, SIDE_BY_EYES
from inference.model_files import CHECKSUMS, MODELS
from training.datasets import NEAR_DUPLICATE_COSINE
from training.emotion.evaluate import accuracy_table
from training.report import read_report, report_path

ROOT = MODELS.parent
CARD = ROOT / "MODEL_CARD.md"
TEMPLATE = Path(__file__).with_suffix(".md")
FLAWS = ROOT / "docs" / "results" / "fer2013.json"
ALONE = "PrivateTest without near-duplicates of Training"
"""The test set whose pictures the networks cannot have memorised."""


def front_matter(emotion: dict, age_gender: dict) -> ModelCardData:
    """What the Hub shows beside the card: terms, data sets, and the leading figures of the networks that are served."""

    def result(task: str, dataset: str, name: str, metric: str, value: float) -> EvalResult:
        return EvalResult(
            task_type="image-classification",
            task_name=task,
            dataset_type=dataset.partition(",")[0].lower().replace("-", ""),
            dataset_name=dataset,
            metric_type=metric,
            metric_name=name,
            metric_value=value,
        )

    expression, people, test = "facial expression", "apparent age and gender", age_gender["metrics"]
    whole, alone = (emotion["metrics"][name]["accuracy"] for name in ("PrivateTest", ALONE))
    fairface, utkface = test["FairFace"]["all"], test["UTKFace"]["all"]
    results = [
        result(expression, "FER-2013, PrivateTest", "accuracy", "accuracy", whole),
        result(expression, "FER-2013, PrivateTest", "accuracy without near-duplicates of Training", "accuracy", alone),
        result(people, "FairFace", "accuracy of the apparent gender", "accuracy", fairface["gender"]),
        result(people, "UTKFace", "mean error of the apparent age, years", "mae", utkface["mae"]),
    ]
    return ModelCardData(
        language="en",
        license="other",
        license_name="apache-2.0-and-terms-of-the-training-data",
        license_link="LICENSE",
        library_name="onnx",
        pipeline_tag="image-classification",
        tags=["facial-expression-recognition", "emotion-recognition", "age-estimation"],
        datasets=["fer2013", "ferplus", "fairface", "utkface"],
        model_name="Ifade",
        eval_results=results,
    )


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *rows])


def files_table(reports: list[dict]) -> str:
    """Every .onnx file with its contract."""
    known = {name: digest for digest, name in (line.split(maxsplit=1) for line in CHECKSUMS.read_text().splitlines())}
    rows = []
    for report in reports:
        file = MODELS / report["model"]
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        inputs, outputs = (
            ", ".join(f"`{node.name}` ({', '.join(map(str, node.shape))})" for node in nodes)
            for nodes in (session.get_inputs(), session.get_outputs())
        )
        metadata = session.get_modelmeta().custom_metadata_map
        size = f"{file.stat().st_size / 1e6:.1f}"
        cells = [f"`{file.name}`", inputs, outputs, f"{int(metadata['parameters']):,}", size, metadata["dataset"]]
        rows.append([*cells, f"`{known[file.name]}`"])
    return table(["file", "input", "outputs", "parameters", "MB", "trained on", "sha256"], rows)


def people_table(reports: list[dict]) -> str:
    """The age and gender networks side by side."""
    rows = []
    for report in reports:
        utkface, fairface = report["metrics"]["UTKFace"]["all"], report["metrics"]["FairFace"]["all"]
        cells = [f"`{report['model']}`", f"{utkface['mae']:.2f}", f"{utkface['gender']:.1%}"]
        rows.append(cells + [f"{fairface[name]:.1%}" for name in ("exact_group", "within_one_group", "gender")])
    heads = ["file", "UTKFace: mean error, years", "gender", "FairFace: exact age group", "within one group", "gender"]
    return table(heads, rows)


def groups_table(reports: list[dict]) -> str:
    """Best and worst group of each kind by every network."""
    rows = []
    for source in reports[0]["metrics"]:
        for figure, what in (("gender", "gender right"), ("mae", "mean error of the age")):
            for kind, named in (("race", "race group"), ("gender", "gender"), ("age_group", "age group")):
                groups = [report["metrics"][source] for report in reports]
                if figure not in groups[0]["gap"][kind]:
                    continue
                cells = []
                for of_report in groups:
                    names = [of_report["gap"][kind][figure][end] for end in ("best", "worst")]
                    values = [of_report[kind][name][figure] for name in names]
                    texts = [f"{value:.1f} years" if figure == "mae" else f"{value:.1%}" for value in values]
                    cells.append(", ".join(map(" ".join, zip(names, texts))))
                rows.append([f"{source}, {what}, by {named}", *cells])
    return table(["best, worst", *(f"`{report['model']}`" for report in reports)], rows)


def card() -> str:
    """The whole text of MODEL_CARD.md.

    Raises:
        OSError: a report, a model file or docs/results/fer2013.json is missing.
    """
    emotion, int8 = (read_report(report_path(MODELS / name)) for name in ("emotion.onnx", "emotion_int8.onnx"))
    people = [read_report(file) for file in MODELS.glob("age_gender*_metrics.json")]
    people.sort(key=lambda report: (report["model"] != DEFAULT_MODEL, report["model"]))
    flaws = json.loads(FLAWS.read_text())
    recalls = emotion["metrics"]["PrivateTest"]["recall"]
    text = ModelCard.from_template(
        front_matter(emotion, people[0]),
        template_path=str(TEMPLATE),
        percent="{:.1%}".format,
        count="{:,}".format,
        emotion=emotion,
        int8=int8,
        reports=people,
        private=emotion["metrics"]["PrivateTest"],
        alone=emotion["metrics"][ALONE],
        recalls=recalls,
        best=max(recalls, key=recalls.get),
        worst=min(recalls, key=recalls.get),
        flaws=flaws,
        repeated=flaws["in_training"]["PrivateTest"],
        cosine=NEAR_DUPLICATE_COSINE,
        framing={
            "emotion": {"side_by_eyes": SIDE_BY_EYES, "side_by_box": SIDE_BY_BOX, "eye_line": EYE_LINE},
            "age_gender": AGE_GENDER_FRAMING,
        },
        files=files_table([emotion, int8, *people]),
        accuracy="\n".join(
            accuracy_table(
                {
                    f"`{report['model']}`, {name}": report["metrics"][name]
                    for report in (emotion, int8)
                    for name in ("PrivateTest", ALONE)
                }
            )
        ),
        people=people_table(people),
        groups=groups_table(people),
    )
    return str(text).rstrip() + "\n"


def main() -> int:
    try:
        text = card()
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    CARD.write_text(text, encoding="utf-8")
    print(f"{CARD}: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
