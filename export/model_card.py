"""Write MODEL_CARD.md, in Hugging Face's form, from what the exports measured.

    python -m export.model_card

Every figure comes from models/*metrics.json, from docs/results/fer2013.json (`python -m training.data DIR --json docs/fer2013.json`),
from the model files' metadata and from models/SHA256SUMS; run it after any of them has changed.
"""

import json
import sys

import onnxruntime
from huggingface_hub import EvalResult
from huggingface_hub.repocard_data import eval_results_to_model_index
from huggingface_hub.utils import yaml_dump

from inference.age_gender import DEFAULT_MODEL
from inference.alignment import AGE_GENDER_FRAMING, EYE_LINE, SIDE_BY_BOX, SIDE_BY_EYES
from inference.model_files import CHECKSUMS, MODELS
from training import demographic_report
from training.data import NEAR_DUPLICATE_COSINE
from training.evaluate import accuracy_table, recall_table

ROOT = MODELS.parent
CARD = ROOT / "MODEL_CARD.md"
FLAWS = ROOT / "docs" / "results" / "fer2013.json"

SNIPPET = '''
import json
import numpy as np
import onnxruntime
from PIL import Image


def answers(model, picture):
    """The labels and the outputs, by name, of a model for one face that was cut out before."""
    session = onnxruntime.InferenceSession(model)
    metadata = session.get_modelmeta().custom_metadata_map
    side, channels = int(metadata["input_size"]), int(metadata["channels"])
    face = Image.open(picture).convert("L" if channels == 1 else "RGB").resize((side, side))
    image = np.asarray(face, np.float32).reshape(1, side, side, channels)  # 0 to 255; any number of faces in one run
    names = [output.name for output in session.get_outputs()]
    return json.loads(metadata["labels"]), dict(zip(names, session.run(names, {"image": image})))


labels, emotion = answers("models/emotion.onnx", "face_for_emotion.png")
print(dict(zip(labels, emotion["probabilities"][0].round(3).tolist())))

labels, person = answers("models/age_gender_fairface.onnx", "face_for_age.png")
print(person["age"][0].round(), dict(zip(labels, person["gender"][0].round(3).tolist())))
'''

PRIVACY_TESTS = (
    "tests/test_app_live.py::test_two_visitors_leave_no_trace",
    "tests/test_app_live.py::test_delete_my_session_leaves_nothing",
    "tests/test_app_live.py::test_closing_the_page_ends_its_session_and_frees_its_memory",
    "tests/test_live.py::test_deleting_forgets_at_once",
    "tests/test_live.py::test_sessions_end_by_themselves",
    "tests/test_video_page.py::test_a_video_is_analysed_and_forgotten",
    "tests/test_privacy.py::test_no_photo_is_written_to_disk",
    "tests/test_privacy.py::test_the_photo_of_a_program_is_forgotten_when_it_was_read",
    "tests/test_privacy.py::test_nothing_of_a_request_is_printed",
    "tests/test_load.py::test_nothing_is_left_behind",
)


def emotion_results(figures: dict) -> list[EvalResult]:
    """Accuracy, macro F1 and calibration error on each test set of FER-2013, of `metrics` in metrics.json."""
    kinds = (
        ("accuracy", "accuracy", "accuracy"),
        ("macro_f1", "f1", "macro F1"),
        ("ece", "ece", "expected calibration error"),
    )
    return [
        EvalResult(
            task_type="image-classification",
            task_name="facial expression",
            dataset_type="fer2013",
            dataset_name="FER-2013",
            dataset_split=split,
            metric_type=metric,
            metric_name=name,
            metric_value=row[key],
        )
        for split, row in figures.items()
        for key, metric, name in kinds
    ]


def age_gender_results(figures: dict) -> list[EvalResult]:
    """Age and gender on both test sets, of `metrics` in an age and gender model's report."""
    kinds = (
        ("gender", "accuracy", "accuracy of the apparent gender"),
        ("mae", "mae", "mean error of the apparent age, years"),
        ("exact_group", "accuracy", "apparent age in the right one of nine groups"),
        ("within_one_group", "accuracy", "apparent age in the right group or one beside it"),
    )
    results = []
    for source, groups in figures.items():
        rows = {"whole": groups["all"], "without near-duplicates": groups["without_near_duplicates"]}
        worst = groups["gap"]["race"]["gender"]["worst"]
        rows[f"worst race group by gender: {worst}"] = groups["race"][worst]
        results += [
            EvalResult(
                task_type="image-classification",
                task_name="apparent age and gender",
                dataset_type=source.lower(),
                dataset_name=source,
                dataset_split=f"test, {part}",
                metric_type=metric,
                metric_name=name,
                metric_value=row[key],
            )
            for part, row in rows.items()
            for key, metric, name in kinds
            if key in row
        ]
    return results


def front_matter(emotion: dict, people: list[dict]) -> str:
    """The YAML block, with a model-index that has an entry for each file."""
    results = {emotion["model"]: emotion_results(emotion["metrics"])}
    results[emotion["int8"]["model"]] = emotion_results(emotion["int8"]["metrics"])
    results |= {report["model"]: age_gender_results(report["metrics"]) for report in people}
    data = {
        "language": "en",
        "license": "other",
        "license_name": "apache-2.0-and-terms-of-the-training-data",
        "license_link": "LICENSE",
        "library_name": "onnx",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression-recognition", "emotion-recognition", "age-estimation", "onnx", "keras"],
        "datasets": ["fer2013", "ferplus", "fairface", "utkface"],
        "metrics": ["accuracy", "f1", "mae"],
        "model-index": [entry for name, rows in results.items() for entry in eval_results_to_model_index(name, rows)],
    }
    return f"---\n{yaml_dump(data)}---\n"


def files_table(reports: list[dict]) -> list[str]:
    """Every .onnx file with its contract, as lines of Markdown."""
    known = dict(reversed(line.split(maxsplit=1)) for line in CHECKSUMS.read_text().splitlines())
    lines = ["| file | input | outputs | parameters | MB | trained on | sha256 |", "|---" * 7 + "|"]
    for report in reports:
        file = MODELS / report["model"]
        megabytes = file.stat().st_size / 1e6
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        shapes = [
            [f"`{node.name}` ({', '.join(map(str, node.shape))})" for node in nodes]
            for nodes in (session.get_inputs(), session.get_outputs())
        ]
        metadata = session.get_modelmeta().custom_metadata_map
        cells = [f"`{file.name}`", ", ".join(shapes[0]), ", ".join(shapes[1]), f"{int(metadata['parameters']):,}"]
        cells += [f"{megabytes:.1f}", metadata["dataset"], f"`{known[file.name]}`"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def recalls(report: dict) -> list[str]:
    """Recall by emotion, whole and without near-duplicates, as lines of Markdown, and which is worst and best."""
    metrics = report["metrics"]
    private = metrics["PrivateTest"]["recall"]
    alone = "PrivateTest without near-duplicates of Training"
    lines = [f"| recall | {' | '.join(private)} |", "|---" * (len(private) + 1) + "|"]
    for name in ("PrivateTest", alone):
        lines.append(f"| {name} | " + " | ".join(f"{value:.1%}" for value in metrics[name]["recall"].values()) + " |")
    worst, best = min(private, key=private.get), max(private, key=private.get)
    lines += [
        "",
        f"On PrivateTest `{report['model']}` finds {private[best]:.1%} of the faces labelled {best}, its best, and "
        f"{private[worst]:.1%} of those labelled {worst}, its worst; {1 - metrics['PrivateTest']['accuracy']:.1%} of all its "
        f"answers differ from the label, {1 - metrics[alone]['accuracy']:.1%} where faces with a near twin in Training are "
        "left out.",
    ]
    return lines


def gaps(report: dict) -> list[str]:
    """Best and worst group of each kind in words, as items of a Markdown list."""
    lines = []
    for source, groups in report["metrics"].items():
        for kind, named in (("race", "race group"), ("gender", "gender"), ("age_group", "age group")):
            for figure, what in (("gender", "gender right"), ("mae", "mean error of the age")):
                if figure not in groups["gap"][kind]:
                    continue
                best, worst = (groups["gap"][kind][figure][end] for end in ("best", "worst"))
                values = [groups[kind][name][figure] for name in (best, worst)]
                text = [f"{value:.1f} years" if figure == "mae" else f"{value:.1%}" for value in values]
                lines.append(f"- {source}, by {named}, {what}: {best} {text[0]}, {worst} {text[1]}.")
    return lines


def people_table(reports: list[dict]) -> list[str]:
    """The age and gender models side by side, as lines of Markdown."""
    heads = ["UTKFace: mean error, years", "gender", "FairFace: exact group", "within one group", "gender"]
    lines = [f"| file | {' | '.join(heads)} | gender, worst race group |", "|---" * (len(heads) + 2) + "|"]
    for report in reports:
        utkface, fairface = report["metrics"]["UTKFace"]["all"], report["metrics"]["FairFace"]["all"]
        worst = report["metrics"]["FairFace"]["gap"]["race"]["gender"]["worst"]
        cells = [f"`{report['model']}`", f"{utkface['mae']:.2f}", f"{utkface['gender']:.1%}"]
        cells += [f"{fairface[name]:.1%}" for name in ("exact_group", "within_one_group", "gender")]
        cells.append(f"{report['metrics']['FairFace']['race'][worst]['gender']:.1%} ({worst})")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def terms(people: list[dict]) -> str:
    """What the data sets' terms mean for each age and gender file, and how to serve another than the default."""
    parts = []
    for report in people:
        limited = "UTKFace" in report["dataset"]
        use = "use it for non-commercial research only" if limited else "commercial use is allowed, with attribution"
        parts.append(f"`{report['model']}` was trained on {report['dataset']}: {use} ({report['terms']}).")
    free = next((report["model"] for report in people if "UTKFace" not in report["dataset"]), None)
    if free and free != DEFAULT_MODEL:
        parts.append(
            f"The page serves `{DEFAULT_MODEL}` unless the environment names another: `AGE_GENDER_MODEL={free} python app.py`. "
            "Where it is left out and none is named, age and gender are not offered."
        )
    return " ".join(parts)


def duplicates(found: dict, report: dict) -> str:
    """What is wrong with FER-2013, and what it does to the figures."""
    repeated = found["in_training"]["PrivateTest"]
    whole = report["metrics"]["PrivateTest"]["accuracy"]
    alone = report["metrics"]["PrivateTest without near-duplicates of Training"]["accuracy"]
    return (
        f"Of its {found['faces']:,} images {found['unique']:,} differ; {len(found['blank'])} are blank, and "
        f"{found['contradictory_groups']} groups of identical images carry different labels. Of the {repeated['faces']:,} "
        f"PrivateTest images {repeated['exactly']} also stand in Training, and {repeated['nearly']} have a near-duplicate there "
        f"(cosine of mean-free thumbnails at least {NEAR_DUPLICATE_COSINE}). Therefore every result is given with and without "
        f"them: {whole:.1%} and {alone:.1%} for `{report['model']}`."
    )


def card() -> str:
    """The whole text of MODEL_CARD.md.

    Raises:
        OSError: a report, a model file or docs/results/fer2013.json is missing.
    """
    emotion = json.loads((MODELS / "metrics.json").read_text())
    people = [json.loads(file.read_text()) for file in sorted(MODELS.glob("age_gender*_metrics.json"))]
    people.sort(key=lambda report: report["model"] != DEFAULT_MODEL)
    found = json.loads(FLAWS.read_text())
    framing = AGE_GENDER_FRAMING
    lines = [
        front_matter(emotion, people),
        "# Ifade: facial expression, apparent age and apparent gender",
        "",
        "Small networks for one face, cut out of a picture, in ONNX; [README.md](README.md) describes the page and the library "
        "around them. `emotion.onnx` answers with the probabilities of seven expressions (angry, disgust, fear, happy, sad, "
        "surprise, neutral), and with what a crowd of ten people would have answered; `emotion_int8.onnx` is smaller and does "
        "the same for live video. The age and gender networks answer with a distribution over the years 0 to 100 and with the "
        "probabilities of female and male. **They estimate the expression shown, not what a person feels, and how old and of "
        "which gender somebody looks, not who somebody is. They are often wrong, and for some groups of people more often than "
        "for others.** This page is written by `python -m export.model_card` from what was measured.",
        "",
        "## Files",
        "",
        *files_table([emotion, emotion["int8"], *people]),
        "",
        "All are float32, RGB or grey values 0 to 255; N is the number of faces. Labels, sizes and figures are in the metadata "
        "of each file.",
        "",
        "Faces are found by YuNet (`yunet_n_dynamic.onnx`) and MediaPipe's BlazeFace, and told from animals by `face_check.onnx`, "
        "which was trained on FairFace, UTKFace and pictures of animals; [README.md](README.md) says how well.",
        "",
        "## Uses",
        "",
        "Meant for: demonstrations, teaching, research on the networks themselves, and summaries of how the expressions of "
        "people who agreed to it change over time. Ask everybody who is in view first.",
        "",
        "Out of scope:",
        "",
        "- Inferring what people feel, think, intend or are like. An expression is no such evidence.",
        "- The workplace and education: there the European Union forbids systems that infer emotions (Regulation (EU) 2024/1689, "
        "the AI Act, Article 5(1)(f)), other than for medical or safety reasons, for which these networks were not made either.",
        "- Decisions about people, of any kind; recognising who somebody is; surveillance; checks of age.",
        "- Anything that people in view do not know of: who deploys a system for emotion recognition has to inform the people "
        "exposed to it (Article 50(3)) and to process their data by the General Data Protection Regulation.",
        "",
        "## Results: expression",
        "",
        f"`{emotion['model']}` on FER-2013's official test faces:",
        "",
        *accuracy_table(emotion["metrics"]),
        "",
        f"`{emotion['int8']['model']}`:",
        "",
        *accuracy_table(emotion["int8"]["metrics"])[:-2],
        "",
        *recalls(emotion),
        "",
        "Recall of each answer by each kind of label; FERPlus' is the majority of ten people, where that is clear; the consensus is "
        "what the page shows:",
        "",
        *recall_table({name: emotion["metrics"][name] for name in ("PublicTest", "PrivateTest")}),
        "",
        "How the accuracy depends on race, gender and age was not measured: FER-2013 does not state them.",
        "",
        "## Results: apparent age and gender",
        "",
        *people_table(people),
        "",
    ]
    for report in people:
        lines += [f"### {report['model']}", "", *gaps(report), ""]
        lines += [*demographic_report.to_markdown(report["metrics"]), ""]
    lines += [
        "## Limits",
        "",
        "Faces in profile, covered, dark, blurred or small are answered worse; the README has tables of what each costs. All "
        'networks give an answer for anything that they are shown; the page says "not sure" where the answer is weak. They know '
        "seven expressions and two genders because their labels do. The labels are other people's guesses, and for UTKFace partly "
        "a program's. What the tables show for groups of people are differences between groups of photographs from the web; "
        "they say little of a single person, and nothing of groups that the data sets do not name.",
        "",
        "## Training data and its terms",
        "",
        "- FER-2013 (Goodfellow et al. 2013, arXiv:1307.0414): 48 x 48 grey pictures from a web search. Its terms are not clear: "
        "who took the pictures and who is in them was not asked. " + duplicates(found, emotion),
        "- FERPlus (Barsoum et al. 2016, arXiv:1608.01041): ten people's answers to each of those faces; MIT licence.",
        "- FairFace (Karkkainen and Joo 2021, arXiv:1908.04913): photographs with age group, gender and race group as judged by "
        "people, about balanced by race group; CC BY 4.0.",
        "- UTKFace (Zhang et al. 2017, arXiv:1702.08423): photographs with age, gender and race group, estimated by a program and "
        "checked by people; for non-commercial research only.",
        "",
        terms(people),
        "",
        "## Training",
        "",
        f"`{emotion['model']}` ({emotion['recipe']}) is a small convolutional network with one output for the label and one for "
        "FERPlus' votes; its answer is the mean of those to the face and to its mirror image. It is a student of six larger "
        "networks (three of the recipe resnet18 with dropout before the heads, two of vgg9 with batch norm's scale, one with 2, 4, "
        "4 and 2 residual blocks), which were trained on FER-2013's Training split and its FERPlus votes, 46 to 54 epochs by the "
        "hyperparameters of this project's recipes, on one GPU by a PyTorch program that is not part of this repository. The same "
        "program trained the student for 109 epochs on the teachers' mean answers to 16 views of the training faces and, 40 for "
        "every 100 of these, to two views of 55,121 faces of FairFace and UTKFace that are not for testing, without their labels. "
        "So this repository cannot make the file alone; README.md has the commands for one like it, docs/runs those that "
        "it trained itself. Nothing of PublicTest or PrivateTest was trained on; the network, its temperatures and what is "
        "shown of both outputs were chosen on PublicTest.",
        f"`{emotion['int8']['model']}` ({emotion['int8']['recipe']}) is the same network in 8-bit integers, calibrated on training "
        "faces; it looks at the face alone. UTKFace is for non-commercial research; its faces, not its labels, had a part here.",
        *(
            f"`{report['model']}` ({report['runs']}) learned an interval of years and the gender of {report['dataset']} with faces "
            "drawn evenly over groups to a part; epoch and calibration were chosen on validation faces taken from the training "
            f"parts.{' It is kept in 8-bit integers, calibrated on training faces.' * (report.get('weights') == 'int8')}"
            for report in people
        ),
        "Faces are cut out by the same code in training and in use. README.md has the commands, docs/age_gender every epoch.",
        "",
        "## What is stored",
        "",
        "The networks keep nothing. The page writes no photo and no picture of a camera to disk, deletes videos, and forgets a live session "
        "when it is left; these tests hold that: " + ", ".join(f"`{name}`" for name in PRIVACY_TESTS) + ".",
        "",
        "## Use from Python",
        "",
        "With ONNX Runtime, NumPy and Pillow. The face has to be cut out upright: for the expression a square whose side is the "
        f"larger of {SIDE_BY_EYES} distances between the eyes and {SIDE_BY_BOX} sides of the detector's box, the eyes at "
        f"{EYE_LINE:.1%} of it from the top; for age and gender {framing['side_by_eyes']}, {framing['side_by_box']} and "
        f"{framing['eye_line']:.1%}. `inference.analyzer.FaceAnalyzer` does all of that.",
        "",
        f"```python{SNIPPET}```",
        "",
        "## Licence",
        "",
        "The files are offered under the [Apache License 2.0](LICENSE) as far as this project has rights in them; the terms of "
        "the data above stand beside it. [models/NOTICE](models/NOTICE) has the origins, also of the face detector's files.",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    try:
        text = card()
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    CARD.write_text(text)
    print(f"{CARD}: {len(text.splitlines())} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
