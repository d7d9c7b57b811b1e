"""What is said to people: the same in each language, and each error in a sentence that is there."""

import ast
import json
import pickle
import re
from pathlib import Path
from string import Formatter

import pytest

from inference.image_checks import OTHERS, ImageError
from inference.model_files import ModelError
from inference.sentences import LOCALES, SENTENCES, IfadeError, read_sentences
from inference.video import VideoError
from webui.texts import LANGUAGES, TEXTS, PageError

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"inference": LOCALES, "webui": ROOT / "webui" / "locales"}
ERRORS = {"IfadeError", "PageError", "Refusal"}
"""Classes whose first argument is a code; those that are made from them are found in the sources."""
BY_PREFIX = re.compile(
    "(compute|computed_on|emotion|example|face|figure|gradio|issue|page|person)_|(live|video)_(baseline|delete|report)$"
)
"""Keys that are put together where they are used."""


def places(words: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(words) if name is not None}


def sources(folder: str) -> dict[str, ast.Module]:
    return {file.name: ast.parse(file.read_text("utf-8")) for file in sorted((ROOT / folder).glob("*.py"))}


def error_classes() -> set[str]:
    classes = [node for folder in FOLDERS for tree in sources(folder).values() for node in ast.walk(tree)]
    classes = [node for node in classes if isinstance(node, ast.ClassDef)]
    names = set(ERRORS)
    for _ in range(3):  # as far as they are made from one another
        names |= {node.name for node in classes if names & {getattr(base, "id", "") for base in node.bases}}
    return names


def codes(node: ast.expr) -> list[str] | None:
    """The strings that an expression may be; None where it is another thing."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        parts = codes(node.body), codes(node.orelse)
        return None if None in parts else [*parts[0], *parts[1]]
    return None


def raised(folder: str):
    """Of every error that a folder makes: where, its codes (None where it passes another error on), and its values."""
    names = error_classes()
    for file, tree in sources(folder).items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
                arguments = node.args[node.func.id == "Refusal" :]
                yield f"{file}:{node.lineno}", codes(arguments[0]), {keyword.arg for keyword in node.keywords}


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_language_says_the_same(folder):
    tables = {file.stem: json.loads(file.read_text("utf-8")) for file in FOLDERS[folder].glob("*.json")}
    assert set(tables) == set(LANGUAGES)
    english = tables["en"]
    for language, table in tables.items():
        assert list(table) == list(english), language  # in the same order, so that they can be read side by side
        for key, words in table.items():
            assert words.strip() == words != "", (language, key)
            assert places(words) == places(english[key]), (language, key)


def test_a_key_says_one_thing():
    tables = [json.loads((folder / "en.json").read_text("utf-8")) for folder in FOLDERS.values()]
    assert set(tables[0]) & set(tables[1]) == set()
    assert not any("{@" in words for table in TEXTS.values() for words in table.values())


def test_the_turkish_sentences_are_turkish():
    english = re.compile(r"\b(?:the|is|are|was|not|again|choose|try|most|file|picture|frames?)\b", re.IGNORECASE)
    names = ("copies_name_file", "copies_several")  # FILE.mp4 is what the command's help calls it
    assert [
        key for key, words in TEXTS["tr"].items() if english.search(re.sub(r"{.*?}", "", words)) and key not in names
    ] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_error_has_its_sentence_and_the_values_for_it(folder):
    known = SENTENCES["en"] if folder == "inference" else TEXTS["en"]
    found = list(raised(folder))
    assert len(found) > 30
    for place, names, values in found:
        for code in names or []:
            assert code in known, f"{place}: {code}"
            assert values == places(known[code]), f"{place}: {code}"
    assert set(OTHERS) <= set(known)  # which find_format picks from


def test_every_sentence_is_used():
    text = "\n".join(
        file.read_text("utf-8")
        for pattern in ("app.py", "inference/*.py", "webui/*.py", "webui/**/*.js", "webui/**/*.html")
        for file in ROOT.glob(pattern)
    )
    text += "".join(
        re.findall(r"\{@\w+\}", "".join((each / "en.json").read_text("utf-8") for each in FOLDERS.values()))
    )
    used = set(re.findall(r"""["'`{@](\w+)["'`}]""", text))
    # One that ends so takes the other's place where pictures are analysed on the device.
    asked = {key: key.removesuffix("_device") for key in TEXTS["en"]}
    assert [key for key, of in asked.items() if not {key, of} & used and not BY_PREFIX.match(key)] == []
    alone = [key for key, of in asked.items() if of != key and of not in TEXTS["en"] and key not in used]
    assert [key for key in alone if not BY_PREFIX.match(key)] == []


def test_values_are_written_as_the_language_writes_them():
    error = ImageError("photo_pixels", width=8000, height=9000, megapixels=50.0)
    assert str(error) == (
        "The photo has 8,000 x 9,000 pixels; at most 50 megapixels are read. Make it smaller and try again."
    )
    assert error.sentence("tr").startswith("Fotoğraf 8.000 x 9.000 piksel; en çok 50 megapiksel okunur.")
    assert error.sentence("xx") == str(error) and isinstance(error, ValueError)
    assert (error.code, error.values["width"]) == ("photo_pixels", 8000)
    path = ImageError("file_missing", path=Path("a/1.5,2.jpg"))
    assert path.sentence("tr") == f"{Path('a/1.5,2.jpg')}: böyle bir dosya yok."


def test_errors_within_an_error_speak_its_language():
    first = VideoError("damaged_place", start=1.5, end=2.04)
    after = VideoError("seconds_read_of", position=3.0, duration=4.26)
    error = VideoError("two_sentences", first=first, second=VideoError("reading_ended", after=after))
    assert str(error) == (
        "The file is damaged from 1.5 to 2 seconds; frames are missing there. Reading was ended after 3 of 4.3 seconds."
    )
    assert error.sentence("tr") == (
        "Dosya 1,5 ile 2 saniye arasında bozuk; orada kareler eksik. "
        "Okuma 4,3 saniyenin 3 saniyesinden sonra sonlandırıldı."
    )


def test_the_page_has_sentences_of_its_own_and_those_of_inference():
    assert PageError("photo_gone").sentence("tr") == "Fotoğraf sunucuda bulunamadı. Yeniden yükleyin."
    assert PageError("video_empty").sentence("tr") == VideoError("video_empty").sentence("tr")


def test_an_error_goes_from_one_process_to_another():
    error = pickle.loads(pickle.dumps(ModelError("model_not_onnx", model="m.onnx", reason="no")))
    assert type(error) is ModelError and error.values == {"model": "m.onnx", "reason": "no"}
    assert str(error) == "m.onnx is not a model that ONNX Runtime can read: no"


def test_a_language_is_a_file(tmp_path):
    (tmp_path / "de.json").write_text('{"b": "Zwei {n}. {@a}", "a": "Eins."}')
    tables = read_sentences(tmp_path)
    assert tables == {"de": {"b": "Zwei {n}. Eins.", "a": "Eins."}}

    class Said(IfadeError):
        sentences = {"en": SENTENCES["en"] | {"b": "Two {n}."}, "de": SENTENCES["tr"] | tables["de"]}

    assert Said("b", n=1000).sentence("de") == "Zwei 1.000. Eins." and str(Said("b", n=1000)) == "Two 1,000."
