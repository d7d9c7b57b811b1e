"""Who may import whom, and what serving needs to have installed."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def imports(source: str, package: str = "") -> set[str]:
    """What a source file of a package imports, anywhere in it: "a.b" for `import a.b` and for `from a import b`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level <= 1, "packages are flat"
            module = ".".join(filter(None, [package * node.level, node.module]))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def packages(source: str, package: str = "") -> set[str]:
    return {name.split(".")[0] for name in imports(source, package)}


def sources(*folders: str) -> dict[str, str]:
    """Path and text of the Python files of top-level folders; "." means those beside them."""
    found = [file for folder in folders for file in (ROOT / folder).glob("*.py" if folder == "." else "**/*.py")]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in found}


def test_reader_of_imports():
    source = "import a.b, c as d\nfrom e.f import g\ndef h():\n    if 1:\n        from i import j\n"
    assert imports(source) == {"a.b", "c", "e.f.g", "i.j"}
    assert packages(source) == {"a", "c", "e", "i"}
    assert imports("from .b import c\nfrom . import d", "a") == {"a.b.c", "a.d"}


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("inference", {"gradio", "keras", "tensorflow", "training", "export", "webui", "app"}),
        ("training", {"gradio", "tf2onnx", "export", "webui", "app"}),
        ("export", {"gradio", "app"}),
        ("webui", {"keras", "tensorflow", "training", "export", "benchmarks", "tests", "app"}),
    ],
)
def test_packages(folder, forbidden):
    files = sources(folder)
    assert files
    assert {name: bad for name, text in files.items() if (bad := packages(text, folder) & forbidden)} == {}


def test_the_static_site_has_of_the_page_what_needs_no_gradio():
    users = {
        name: {part for part in imports(text) if part.startswith("webui")} for name, text in sources("export").items()
    }
    assert {name for name, found in users.items() if found} == {"export/site.py"}
    waiting, seen = {part.rpartition(".")[0] for part in users["export/site.py"]}, set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        found = imports((ROOT / name.replace(".", "/")).with_suffix(".py").read_text("utf-8"))
        assert not {part for part in found if part.split(".")[0] in ("gradio", "starlette")}, name
        waiting |= {part.rpartition(".")[0] for part in found if part.startswith("webui.")} - seen
    assert "webui.front" in seen


DOCS = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_a_file_of_the_page_imports_from_the_rows_above_its_own():
    table = DOCS.split("files of `webui`")[1].partition("\n\n")[0].splitlines()[2:]
    rows = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in table]
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    files = {Path(name).stem: text for name, text in sources("webui").items() if not name.endswith("__init__.py")}
    assert row_of.keys() == files.keys()
    seen = {
        (name, other)
        for name, text in files.items()
        for other in {imported.split(".")[1] for imported in imports(text) if imported.startswith("webui.")}
    }
    assert ("server", "photo") in seen
    assert {(name, other) for name, other in seen if row_of[other] >= row_of[name]} == set()


def test_the_picture_of_the_ways_is_that_of_the_code():
    """An arrow between two files is an import; one with an address leads to the file that answers there."""
    picture = DOCS.split("```mermaid")[1].split("```")[0]
    label = dict(re.findall(r'(\w+)\["([\w./]+)"\]', picture))
    bare = re.sub(r"[\[(]+[^\])]*[\])]+", "", picture)
    asked = re.findall(r'(\w+) -- "([\w./]+)" --> (\w+)', bare)
    chains = [line.split(" --> ") for line in bare.splitlines() if " --> " in line and " -- " not in line]
    arrows = [arrow for chain in chains for arrow in zip(map(str.strip, chain), map(str.strip, chain[1:]))]
    assert len(asked) == 6 and len(arrows) == 24
    for first, second in ((label.get(first), label.get(second)) for first, second in arrows):
        if first and second:
            text = (ROOT / first).read_text("utf-8")
            if first.endswith(".js"):
                assert f'from "./{Path(second).name}"' in text, (first, second)
            else:
                module = second.removesuffix(".py").replace("/", ".")
                found = {name.rpartition(".")[0] for name in imports(text, first.split("/")[0])}
                assert module in found, (first, second)
    for first, address, second in asked:
        folder, _, name = address.partition("/")
        text = (ROOT / label[second]).read_text("utf-8")
        assert f'"/{folder}' in text and f'{name}"' in text, (address, second)
        if first in label:
            assert address in (ROOT / label[first]).read_text("utf-8"), (first, address)


def test_training_sees_little_of_inference():
    allowed = (
        "inference.types.",
        "inference.alignment.",
        "inference.images.",
        "inference.emotion.",
        "inference.age_gender.",
        "inference.detector.",  # which eyes a face is cut out by
        # what the check of faces is shown of a candidate
        "inference.face_check.",
        "inference.search.",
    )
    seen = {name for text in sources("training").values() for name in imports(text) if name.startswith("inference")}
    assert "inference.types.EMOTIONS" in seen
    assert {name for name in seen if not name.startswith(allowed)} == set()


def dependencies(*folders: str) -> dict[str, set[str]]:
    """By module of some folders the modules of these that it imports."""
    texts = {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): t for name, t in sources(*folders).items()
    }

    def module(name: str) -> str | None:
        return next((each for each in (name, name.rpartition(".")[0]) if each in texts), None)

    found = {name: {module(each) for each in imports(text, name.split(".")[0])} for name, text in texts.items()}
    return {name: {other for other in others if other and other != name} for name, others in found.items()}


def test_nothing_is_imported_in_a_circle():
    graph = dependencies("training", "export", "benchmarks")
    assert "training.run" in graph["training.emotion.train"] and len(graph) > 50
    waiting = dict(graph)
    while free := [name for name, others in waiting.items() if not others & waiting.keys()]:
        for name in free:
            del waiting[name]
    assert waiting == {}


def test_both_networks_have_one_shape_around_what_knows_no_task():
    graph = dependencies("training", "export")
    networks = ("training.emotion", "training.age_gender")
    parts = [{name.removeprefix(f"{each}.") for name in graph if name.startswith(f"{each}.")} for each in networks]
    assert parts[0] & parts[1] == {"__main__", "data", "model", "recipes", "train", "evaluate", "robustness"}
    assert parts[1] < parts[0] and {"export.emotion", "export.age_gender"} < set(graph)
    for name, others in graph.items():
        used = {each for other in others for each in networks if other.startswith(each)}
        if name.startswith("training.") and not name.startswith(networks) and name != "training.evaluate":
            assert used == set(), name
        if name.startswith("training.age_gender"):
            assert used <= {"training.age_gender"}, name


def test_inference_is_one_package_under_whatever_name():
    """It is imported as `ifade` where it is installed."""
    assert {name for name, text in sources("inference").items() if "inference" in packages(text)} == set()


def test_only_the_page_imports_gradio():
    files = sources(".", "inference", "training", "export", "benchmarks", "webui")
    users = {name for name, text in files.items() if "gradio" in packages(text, "here")}
    assert {name for name in users if name != "app.py" and not name.startswith("webui/")} == set()


def test_serving_needs_nothing_of_training():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {re.match(r"[\w.-]*", line.strip())[0].lower() for line in lines}
    assert {"gradio", "numpy", "mediapipe"} <= required
    assert not required & {"tensorflow", "tensorflow-cpu", "keras", "tf2onnx", "onnx", "jax", "pytest"}
    assert not any(name.startswith("-") for name in required), "another file is included"
