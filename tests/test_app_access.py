"""The page for everybody: in two languages, by keyboard and screen reader, in every colour scheme and width."""

import ast
import pytest
import re
from pathlib import Path
from playwright.sync_api import expect

from clips import write_face_clip
from webui.texts import LANGUAGES, SENTENCES, TEXTS, language_of, number, percent, text, texts, translated

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}

# Every pair of language, colours and width stands together once.
VISITS = {
    "English, light, desktop": {"locale": "en-US", "color_scheme": "light", "viewport": DESKTOP},
    "English, dark, phone": {"locale": "en-US", "color_scheme": "dark", "viewport": PHONE, "has_touch": True},
    "Turkish, dark, desktop": {"locale": "tr-TR", "color_scheme": "dark", "viewport": DESKTOP},
    "Turkish, light, phone": {"locale": "tr-TR", "color_scheme": "light", "viewport": PHONE, "has_touch": True},
}

# All that is read to people: texts, and the attributes that stand for texts.
READ_ALL = """() => {
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest("script, style")) found.push(walker.currentNode.textContent);
  for (const name of ["aria-label", "aria-valuetext", "alt", "title", "placeholder"])
    for (const node of document.querySelectorAll(`[${name}]`)) found.push(node.getAttribute(name));
  return [...new Set(found.map((words) => words.replace(/\\s+/g, " ").trim()))].filter(Boolean);
}"""


# The texts themselves


def places(words: str) -> list[str]:
    return sorted(re.findall(r"\{(\w*)\}", words))


def test_both_languages_say_everything():
    for key, pair in TEXTS.items():
        assert len(pair) == len(LANGUAGES) and all(words.strip() == words != "" for words in pair), key
        assert places(pair[0]) == places(pair[1]) or key == "formula", key  # the Turkish one has the formula in it
    for english, turkish in SENTENCES.items():
        assert places(english) == places(turkish), english
    assert texts("tr")["emotion_sad"] == "üzgün" and text("tr", "face", number=2) == "Yüz 2"
    assert set(texts("en", "page_")) == {key for key in TEXTS if key.startswith("page_")}


def test_numbers_as_they_are_written():
    assert [percent("en", 0.873, 1), percent("tr", 0.873, 1), percent("tr", 0.5)] == ["87.3%", "%87,3", "%50"]
    assert [number("en", -0.5, 2), number("tr", -0.5, 2)] == ["-0.50", "-0,50"]
    assert [language_of(accepted) for accepted in ("tr-TR,tr;q=0.9", "tr", "en-US,tr;q=0.5", "de", "", None)] == [
        *("tr", "tr", "en", "en", "en", "en")
    ]


def said_in(path: str) -> list[str]:
    """The sentences that a module refuses something with, a 1 in place of what it fills in."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        if node.func.id in ("ImageError", "VideoError", "SessionError", "Refusal"):
            message = node.args[-1]
            if isinstance(message, ast.Constant):
                found.append(message.value)
            elif isinstance(message, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "1" for part in message.values]
                found.append("".join(parts))
    return found


# Of files on the server's own disk, and for those who write programs.
NOT_FOR_VISITORS = ("1: ", "X-", "The body should be", "The time of a marker should be", "The data URL")


@pytest.mark.parametrize(
    "path",
    [
        "inference/images.py",
        "inference/video.py",
        "webui/photo_input.py",
        *(f"webui/{file.name}" for file in ROOT.glob("webui/*.py")),
    ],
)
def test_every_refusal_is_said_in_turkish(path):
    for message in said_in(path):
        if message.startswith(NOT_FOR_VISITORS):
            continue
        message = message.replace("holds 1.", "holds no moving pictures.")
        left = re.findall(
            r"\b(?:the|is|are|was|not|again|choose|try|most|file|picture)\b", translated(message, "tr").lower()
        )
        assert left == [], message
        assert translated(message, "en") == message


def test_sentences_are_translated_with_their_numbers():
    said = "The file is damaged from 1.5 to 2.0 seconds; pictures are missing there. Reading was ended after 3.0 of 4.0 seconds."
    assert translated(said, "tr") == (
        "Dosya 1,5 ile 2,0 saniye arasında bozuk; orada kareler eksik. Okuma 3,0 saniye sonra bitirildi, toplam süre 4,0 saniye."
    )
    assert (
        translated(
            "The picture has 8,000 x 9,000 pixels; at most 50 megapixels are read. Make it smaller and try again.", "tr"
        )[:22]
        == "Resim 8.000 x 9.000 pi"
    )
    assert translated("Something else.", "tr") == "Something else."


# The page


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_face_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", [number / 25 for number in range(50)])


@pytest.fixture(scope="module", params=VISITS)
def page(request, browser, page_address, clip):
    """A page with results in all three tabs, and all that is folded open."""
    context = browser.new_context(**VISITS[request.param], permissions=["camera"])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.errors, page.language = [], VISITS[request.param]["locale"][:2]
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(page_address)
    page.wait_for_selector("input[type=file]", state="attached")
    page.read = set(page.evaluate(READ_ALL))
    page.get_by_label(text(page.language, "page_age_gender")).check()
    page.set_input_files("input[type=file]", EXAMPLES / "astronaut.jpg")
    expect(page.locator(".ifade-apparent")).to_be_visible()
    page.get_by_role("tab").nth(1).click()
    page.locator("#ifade-live .ifade-age-gender").check()
    page.read |= set(page.evaluate(READ_ALL))
    page.click("#ifade-live .ifade-start")
    expect(page.locator("#ifade-live .ifade-card-apparent")).not_to_be_empty()
    page.click("#ifade-live .ifade-marker-set")
    expect(page.locator("#ifade-live .ifade-marker-note")).not_to_be_empty()
    page.click("#ifade-live .ifade-report-show")
    expect(page.locator("#ifade-live .ifade-report table")).to_have_count(3)
    page.wait_for_timeout(2500)
    page.read |= set(page.evaluate(READ_ALL))
    page.click("#ifade-live .ifade-stop")
    page.get_by_role("tab").nth(2).click()
    page.read |= set(page.evaluate(READ_ALL))
    page.set_input_files(".ifade-file", clip)
    expect(page.locator(".ifade-film .ifade-report table")).to_have_count(2)
    page.click(".ifade-film .ifade-marker-set")
    expect(page.locator(".ifade-film .ifade-report table")).to_have_count(3)
    for folded in page.locator("summary").all():
        folded.evaluate("summary => { summary.parentElement.open = true; }")
    page.read |= set(page.evaluate(READ_ALL))
    yield page
    context.close()


def pattern(words: str) -> re.Pattern:
    """What a text looks like with its places filled."""
    return re.compile(re.sub(r"\\\{\w*\\\}", ".+", re.escape(words)))


def test_the_page_speaks_one_language(page):
    assert page.evaluate("document.documentElement.lang") == page.language and page.errors == []
    mine, other = (texts(language) for language in sorted(LANGUAGES, key=lambda key: key != page.language))
    seen = {key for key, words in mine.items() if any(pattern(words).fullmatch(read) for read in page.read)}
    assert len(seen) > 100, sorted(mine.keys() - seen)
    wrong = {
        (key, read)
        for key, words in other.items()
        if words != mine[key] and len(re.sub(r"\{\w+\}|\W", "", words)) > 2  # more than a place and a unit
        for read in page.read
        if pattern(words).fullmatch(read) and not any(pattern(mine[key]).fullmatch(read) for key in seen)
    }
    assert wrong == set()
    assert {"page_welcome", "two_answers", "apparent_note", "formula", "live_invitation", "frames_analysed"} <= seen
    notice = page.locator("#ifade-notice").inner_text()
    assert ("5(1)(f)" in notice and "50(3)" in notice) and ("AI Act" in notice) == (page.language == "en")


def test_the_address_and_the_header_choose_the_language(browser, page_address):
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(f"{page_address}?__theme=dark")
    expect(page.get_by_role("tab").first).to_have_text("Photo")
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == ["en", "en"]
    page.get_by_role("link", name="Türkçe").click()
    expect(page.get_by_role("tab").nth(1)).to_have_text("Canlı")
    assert "__theme=dark" in page.url and page.evaluate("document.documentElement.lang") == "tr"
    expect(page.get_by_role("link", name="Türkçe")).to_have_attribute("aria-current", "true")
    page.set_input_files("input[type=file]", EXAMPLES / "cat.jpg")
    expect(page.locator(".ifade-message strong")).to_contain_text("Yüz bulunamadı")
    # Programs get English unless they ask for something else.
    for accepted, says in (("", "This session has ended."), ("tr", "Bu oturum sona erdi.")):
        answer = page.request.get(f"{page_address}live/curve", headers={"Accept-Language": accepted})
        assert answer.status == 404 and answer.json() == {"error": says}
    assert page.request.get(page_address, headers={"Accept-Language": "tr"}).text().count('lang="tr"') == 1
    context.close()
