"""README.md and docs/: what they link and name is there, and their figures are those of the reports."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from benchmarks import (
    age_gender_tta,
    alignment,
    batch,
    browser,
    detection,
    live,
    load,
    quality,
    readme,
    reproduction,
    results,
    runs,
    speed,
    studies,
    tracking,
    video,
)
from training.age_gender.data import SOURCES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {
    page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))
}
RENDERED = {
    "age_gender_tta": age_gender_tta.to_markdown,
    "alignment": alignment.to_markdown,
    "batch": batch.to_markdown,
    "browser": browser.to_markdown,
    "detection": detection.to_markdown,
    "live": live.to_markdown,
    "load": load.to_markdown,
    "quality": quality.to_markdown,
    "reproduction": reproduction.section,
    "runs": runs.to_markdown,
    "speed": speed.to_markdown,
    "studies": studies.section,
    "tracking": tracking.to_markdown,
    "video": video.to_markdown,
}
"""How the page of each result is written from its figures."""


def anchors(text: str) -> set[str]:
    """The names that GitHub gives the headings of a page."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_anchors_are_those_of_github():
    assert anchors("# How good, how fast\n## age_gender.onnx\n```\n# no heading\n```") == {
        "how-good-how-fast",
        "age_genderonnx",
    }


def test_what_a_page_links_is_there():
    missing = []
    for name, text in PAGES.items():
        for target in re.findall(r"\]\((?!\w+:)([^)\s]+)\)", text):
            path, _, anchor = unquote(target).partition("#")
            file = (ROOT / name).parent / path if path else ROOT / name
            if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
                missing.append(f"{name}: {target}")
    assert missing == []


def test_every_page_can_be_reached_from_the_readme():
    seen, waiting = set(), ["README.md"]
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", PAGES[name]):
            linked = ((ROOT / name).parent / target).resolve().relative_to(ROOT).as_posix()
            if linked in PAGES and linked not in seen:
                waiting.append(linked)
    assert set(PAGES) - seen == set()


def options(*folders: str) -> set[str]:
    """The options that the commands of some folders take."""
    texts = [file.read_text(encoding="utf-8") for folder in folders for file in (ROOT / folder).glob("**/*.py")]
    return {f"--{source.lower()}" for source in SOURCES} | set(re.findall(r'"(--[\w-]+)"', "\n".join(texts)))


def test_the_commands_that_are_named_exist_with_their_options():
    # Those of the data sets are written in training/.
    known = {name: options(name, "training") for name in ("inference", "training", "export", "benchmarks", "webui")}
    wrong, found = [], 0
    for name, text in PAGES.items():
        if name == "CHANGELOG.md":
            continue  # it names what is no more
        for module, rest in re.findall(
            r"python\s+-m\s+((?:inference|training|export|benchmarks|webui)[\w.]*)([^`\n]*)", text
        ):
            found += 1
            path = ROOT / module.replace(".", "/")
            if not path.with_suffix(".py").is_file() and not (path / "__main__.py").is_file():
                wrong.append(f"{name}: {module}")
            wrong += [
                f"{name}: {module} {each}"
                for each in re.findall(r"(?<!\S)\[?(--[\w-]+)", rest)
                if each not in known[module.split(".")[0]]
            ]
    assert found > 50 and wrong == []


def test_the_readme_is_short_and_begins_with_its_picture():
    assert len(README.splitlines()) <= 250
    picture = re.search(r"!\[[^\]]+\]\(([^)]+)\)", README)
    assert picture and README[: picture.start()].count("\n") < 30


def test_the_two_commands_of_the_set_up_stand_on_lines_of_their_own():
    lines = README.splitlines()
    assert lines.count("pip install -r requirements.txt && python app.py") == 1
    assert lines.count("pip install -r requirements-dev.txt && pytest") == 1


def test_pictures_are_small():
    sizes = {file.name: file.stat().st_size for file in (ROOT / "docs").glob("**/*.png")}
    assert {"live.png", "page.png"} <= set(sizes) and max(sizes.values()) < 300_000, sizes


def test_the_table_of_the_readme_is_what_the_reports_say():
    written = readme.MARKS.search(README)[0].splitlines()[1:-1]
    assert "\n".join(written) == readme.table(), "run python -m benchmarks.readme"


def test_the_accuracy_is_what_the_report_says():
    _, _, written = PAGES["docs/results/accuracy.md"].partition("\n\n")
    assert written == readme.accuracy_page().strip() + "\n", "run python -m benchmarks.readme"


@pytest.mark.parametrize("name", [name for name in RENDERED if (results.RESULTS / f"{name}.json").is_file()])
def test_a_result_says_what_its_figures_say(name):
    _, _, written = PAGES[f"docs/results/{name}.md"].partition("\n\n")
    assert written == RENDERED[name](results.read_figures(name)).strip() + "\n"


def test_every_result_names_its_command():
    written = {name: text for name, text in PAGES.items() if name.startswith("docs/results/")}
    assert len(written) >= 15
    assert [name for name, text in written.items() if "`python -m benchmarks." not in text] == []


def test_figures_stand_row_by_row(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    figures = {"rows": [{"a": "two  [spaces", "b": [0.5, None]}, {"a": 2, "b": []}]}
    results.write_result("some", "A title", "\ntext\n", figures)
    assert (tmp_path / "results" / "some.md").read_text() == "# A title\n\ntext\n"
    assert results.read_figures("some") == figures
    assert '"b": [0.5, null]' in (tmp_path / "results" / "some.json").read_text()


def test_what_a_public_host_reads_is_well_formed():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps] and (ROOT / ".ci/run").stat().st_mode & 0o100
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and all(citation[key] for key in ("message", "title", "authors"))
    assert ".ci/javascript" in [step.get("run") for step in steps]
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook for repo in repos for hook in repo["hooks"]]
    assert [hook["id"] for hook in hooks] == ["ruff-check", "ruff-format", "biome"]
    (biome,) = hooks[-1]["additional_dependencies"]
    assert f"biome=(npx --yes {biome})\n" in (ROOT / ".ci/javascript").read_text()
