"""The page for everybody: in two languages, by keyboard and screen reader, in every colour scheme and width."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from matplotlib.figure import Figure
from matplotlib.text import Text
from playwright.sync_api import expect

from clips import write_face_clip
from inference.report import figure_png
from inference.satisfaction import Timeline
from test_satisfaction import sure_of, watch
from webui.texts import LANGUAGES, language_of, number, percent, text, texts

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


def pattern(words: str) -> re.Pattern:
    """What a text looks like with its places filled."""
    return re.compile(re.sub(r"\\\{\w*\\\}", ".+", re.escape(words)))


def test_numbers_as_they_are_written():
    assert [percent("en", 0.873, 1), percent("tr", 0.873, 1), percent("tr", 0.5)] == ["87.3%", "%87,3", "%50"]
    assert [number("en", -0.5, 2), number("tr", -0.5, 2)] == ["-0.50", "-0,50"]
    assert [language_of(accepted) for accepted in ("tr-TR,tr;q=0.9", "tr", "en-US,tr;q=0.5", "de", "", None)] == [
        *("tr", "tr", "en", "en", "en", "en")
    ]


def test_the_picture_of_the_report_speaks_turkish(monkeypatch):
    written = []
    save = Figure.savefig

    def look_and_save(figure, *arguments, **options):
        save(figure, *arguments, **options)
        written.extend(part.get_text() for part in figure.findobj(Text))

    monkeypatch.setattr(Figure, "savefig", look_and_save)
    timeline = Timeline()
    watch(timeline, sure_of("happy"), 4)
    for language in LANGUAGES:
        written.clear()
        assert figure_png(timeline.report(), language).startswith(b"\x89PNG")
        words = texts(language, "figure_") | texts(language, "emotion_") | texts(language, "not_sure")
        said = {key for key, words in words.items() if any(pattern(words).fullmatch(w) for w in written)}
        assert words.keys() - said == {"figure_title", "emotion_contempt"}, written
    assert not any(re.search(r"\d\.\d|seconds|person|happy", words) for words in written)
    assert "mutlu" in written and "Memnuniyet: ortalama +0,7" in " ".join(written)


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
    page.on("console", lambda said: page.errors.append(said.text) if "Content Security" in said.text else None)
    page.goto(page_address)
    page.wait_for_selector("#ifade-photo .ifade-photo-file", state="attached")
    page.read = set(page.evaluate(READ_ALL))
    page.check("#ifade-photo .ifade-age-gender")
    page.set_input_files("#ifade-photo .ifade-photo-file", [EXAMPLES / "astronaut.jpg", EXAMPLES / "cat.jpg"])
    expect(page.locator("#ifade-photo .ifade-card-apparent")).not_to_be_empty(timeout=60_000)
    expect(page.locator("#ifade-photo .ifade-waiting, #ifade-photo .ifade-working")).to_have_count(0, timeout=60_000)
    page.apparent_note = page.locator("#ifade-photo .ifade-apparent-note").inner_text()
    page.get_by_role("tab").nth(1).click()
    page.locator("#ifade-live .ifade-age-gender").check()
    # It says there what it says below a photo, in figures of the same language.
    expect(page.locator("#ifade-live .ifade-apparent-note")).to_have_text(page.apparent_note)
    page.read |= set(page.evaluate(READ_ALL))
    page.click("#ifade-live .ifade-start")
    expect(page.locator("#ifade-live .ifade-card-apparent")).not_to_be_empty(timeout=60_000)
    page.click("#ifade-live .ifade-marker-set")
    expect(page.locator("#ifade-live .ifade-marker-note")).not_to_be_empty(timeout=60_000)
    page.click("#ifade-live .ifade-report-show")
    expect(page.locator("#ifade-live .ifade-report table")).to_have_count(3, timeout=60_000)
    page.wait_for_timeout(2500)
    page.read |= set(page.evaluate(READ_ALL))
    page.click("#ifade-live .ifade-stop")
    page.get_by_role("tab").nth(2).click()
    page.read |= set(page.evaluate(READ_ALL))
    page.set_input_files(".ifade-file", clip)
    expect(page.locator(".ifade-film .ifade-report table")).to_have_count(2, timeout=60_000)
    page.click(".ifade-film .ifade-marker-set")
    expect(page.locator(".ifade-film .ifade-report table")).to_have_count(3, timeout=60_000)
    for folded in page.locator("summary").all():
        folded.evaluate("summary => { summary.parentElement.open = true; }")
    page.read |= set(page.evaluate(READ_ALL))
    yield page
    context.close()


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
    assert {"photo_limits", "two_answers", "formula", "live_invitation", "frames_analysed"} <= seen
    assert any(pattern(f"{mine['apparent_note']} {mine['apparent_measured']}").fullmatch(words) for words in page.read)
    notice = page.locator("#ifade-notice").inner_text()
    assert ("5(1)(f)" in notice and "50(3)" in notice) and ("AI Act" in notice) == (page.language == "en")


def test_the_address_and_the_header_choose_the_language(browser, page_address):
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(f"{page_address}?__theme=dark")
    expect(page.get_by_role("tab").first).to_have_text("Photo", timeout=60_000)
    assert page.evaluate("[document.documentElement.lang, navigator.language]") == ["en", "en"]
    page.get_by_role("link", name="Türkçe").click()
    expect(page.get_by_role("tab").nth(1)).to_have_text("Canlı", timeout=60_000)
    assert "__theme=dark" in page.url and page.evaluate("document.documentElement.lang") == "tr"
    expect(page.get_by_role("link", name="Türkçe")).to_have_attribute("aria-current", "true", timeout=60_000)
    page.set_input_files("#ifade-photo .ifade-photo-file", EXAMPLES / "cat.jpg")
    expect(page.locator("#ifade-photo .ifade-photo-status")).to_contain_text("Yüz bulunamadı", timeout=60_000)
    # Programs get English unless they ask for something else.
    for accepted, says in (("", "This session has ended."), ("tr", "Bu oturum sona erdi.")):
        answer = page.request.get(f"{page_address}session/curve", headers={"Accept-Language": accepted})
        assert answer.status == 404 and answer.json()["error"] == says
    assert page.request.get(page_address, headers={"Accept-Language": "tr"}).text().count('lang="tr"') == 1
    context.close()


@pytest.mark.parametrize("tab", ["photo", "live", "video"])
def test_axe_finds_nothing_grave(page, tab):
    page.get_by_role("tab", name=text(page.language, f"page_{tab}"), exact=True).click()
    page.wait_for_timeout(500)
    violations = Axe().run(page).response["violations"]
    grave = [
        (violation["id"], violation["help"], node["target"], node["html"][:200])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert grave == []


def test_pictures_and_curves_are_described(page):
    answer = text(page.language, "face_answer", id=1, answer=text(page.language, "emotion_happy"))
    alt = page.locator("#ifade-photo .ifade-shown").get_attribute("alt")
    assert alt == f"{text(page.language, 'photo_alt')} {answer}"
    for chart in page.locator(".ifade-chart").all():
        label = chart.get_attribute("aria-label")
        values = re.findall(r"[+−]\d[.,]\d\d", label)
        # The last value lies between the lowest and the highest, with the language's own mark for decimals.
        last, lowest, highest = (float(value.replace("−", "-").replace(",", ".")) for value in values)
        assert lowest <= last <= highest and ("," in values[0]) == (page.language == "tr"), label
    # The part of the page that tells what became of a photo is there before the photo is.
    assert page.locator("#ifade-photo .ifade-photo-status[role=status]").inner_text() == text(page.language, "one_face")


def test_nothing_sticks_out_at_320_pixels(page):
    """Which is also what 1280 pixels are at a zoom of 400 %."""
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 700})
    for tab in ("photo", "live", "video"):
        page.get_by_role("tab", name=text(page.language, f"page_{tab}"), exact=True).click()
        page.wait_for_timeout(300)
        wide = page.evaluate(
            """() => [...document.querySelectorAll("body *")].filter((node) => node.checkVisibility() && !node.closest(
              ".ifade-table, .ifade-strip, .ifade-hidden, .ifade-overlay") && node.getBoundingClientRect().right > innerWidth + 1)
              .map((node) => node.outerHTML.slice(0, 100))"""
        )
        # What is too wide may be cut off instead of giving the page a scroll bar.
        assert wide == [] and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size(size)


@pytest.fixture
def open_live(browser, page_address):
    """A function that opens the Live tab in a context with options."""
    contexts = []

    def open_page(**options):
        contexts.append(browser.new_context(permissions=["camera"], locale="en-US", **options))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.goto(page_address)
        page.get_by_role("tab", name="Live").click()
        expect(page.locator("#ifade-live .ifade-start")).to_be_visible(timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()


def answer_by_turns(page) -> None:
    """Have frames answered with one or another emotion, in no rhythm that a second could share, and every tenth with another
    place, however slow the machine is."""
    page.evaluate(
        """() => {
          const real = fetch;
          let count = 0;
          window.fetch = async (address, options) => {
            if (!String(address).endsWith("/live/frame")) return real(address, options);
            await new Promise((done) => setTimeout(done, 50));
            const left = Math.floor(count / 10) % 2 ? 0.1 : 0.6;
            const happy = Number(Math.random() < 0.5);
            count++;
            return Response.json({seconds: performance.now() / 1000, room: [0.1, 0.1], milliseconds: 1, people: [{
              id: 1, box: [left, 0.3, left + 0.2, 0.6], probabilities: [0, 0, 0, happy, 1 - happy, 0, 0],
              shown: happy ? "happy" : "sad", sure: true, issues: [], index: [0.1, 0.1], apparent: null}]});
          };
        }"""
    )
    page.click("#ifade-live .ifade-start")
    expect(page.locator("#ifade-live .ifade-card")).to_have_count(1, timeout=60_000)


def test_an_answer_that_cannot_be_drawn_is_the_only_one(open_live):
    page = open_live()
    page.evaluate(
        """() => {
          const real = fetch;
          let spoiled = false;
          window.fetch = async (address, options) => {
            const answer = await real(address, options);
            if (spoiled || !answer.ok || !String(address).endsWith("/live/frame")) return answer;
            const said = await answer.json();
            for (const person of said.people) {
              delete person.probabilities;
              delete person.issues;
              spoiled = true;
            }
            return Response.json(said);
          };
        }"""
    )
    with page.expect_event("pageerror"):
        page.click("#ifade-live .ifade-start")
    page.wait_for_function("() => (window.answered = (window.answered ?? 0) + ifadeLive.take().length) > 10")
    expect(page.locator("#ifade-live .ifade-card-answer")).to_have_text("happy")


def test_changes_are_announced_at_most_once_a_second(open_live):
    page = open_live()
    answer_by_turns(page)
    times = page.evaluate(
        """async () => {
          const times = [], start = performance.now();
          new MutationObserver(() => times.push(performance.now())).observe(
            document.querySelector("#ifade-live .ifade-announcement"), {childList: true, characterData: true, subtree: true});
          while (times.length < 5 && performance.now() - start < 30000) await new Promise((done) => setTimeout(done, 100));
          return times;
        }"""
    )
    gaps = [later - earlier for earlier, later in zip(times, times[1:])]
    assert len(times) == 5 and min(gaps) > 950
    assert re.fullmatch("person 1 (happy|sad)", page.locator("#ifade-live .ifade-announcement").inner_text())


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_boxes_glide_only_where_motion_is_welcome(open_live, motion):
    page = open_live(reduced_motion=motion)
    answer_by_turns(page)
    places = page.evaluate(
        """async () => {
          const canvas = document.querySelector("#ifade-live .ifade-overlay"), places = [];
          const seen = (wanted) => places.some((place) => Math.abs(place - wanted) < 0.02), start = performance.now();
          while (places.length < 40 || (!(seen(0.3) && seen(0.8)) && performance.now() - start < 20000)) {
            await new Promise(requestAnimationFrame);
            const {data, width, height} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const row = 4 * width * Math.round(0.5 * height);
            const drawn = [...Array(width).keys()].filter((x) => data[row + 4 * x + 3] > 128);
            if (drawn.length) places.push((drawn[0] + drawn.at(-1)) / 2 / width);
          }
          return places;
        }"""
    )
    # Mirrored: the middle of the box is at 0.8 or at 0.3.
    between = [place for place in places if min(abs(place - 0.8), abs(place - 0.3)) > 0.02]
    assert {round(place, 1) for place in places} >= {0.3, 0.8}
    assert (between == []) == (motion == "reduce")
    bar = page.locator("#ifade-live .ifade-card .ifade-track > span").first
    moves = bar.evaluate("bar => getComputedStyle(bar).transitionDuration")
    assert (moves == "0s") == (motion == "reduce")


def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(open_live):
    page = open_live()

    def reached(times: int) -> list[str]:
        """What of the tab the next presses of the key reach."""
        names = []
        for _ in range(times):
            page.keyboard.press("Tab")
            name, visible, ours = page.evaluate(
                """() => {
                  const node = document.activeElement, {outlineStyle, outlineWidth} = getComputedStyle(node);
                  const name = node.closest("label")?.textContent.trim() ?? (node.ariaLabel || node.textContent.trim());
                  return [name, outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, Boolean(node.closest(".ifade-live"))];
                }"""
            )
            assert visible or not ours, name
            names += [name] * ours
        return names

    page.get_by_role("tab", name="Live").focus()
    assert reached(10) == ["Start camera", "People in view", "Mirrored", "Estimate age and gender"]
    page.locator("#ifade-live .ifade-start").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#ifade-live .ifade-card")).to_have_count(1, timeout=60_000)
    expect(page.locator("#ifade-live .ifade-chart")).to_be_visible(timeout=60_000)
    page.locator("#ifade-live .ifade-people").focus()
    *names, chart, mark, baseline, computed = reached(13)
    assert names == [
        *("Stop camera", "Mirrored", "Estimate age and gender", "Satisfaction", "−1 to 1"),
        *("Last 60 seconds", "Whole session", "Zoom out", "Zoom in"),
    ]
    assert chart.startswith("Satisfaction. From 0:0")
    assert (mark, baseline, computed) == ("Set marker M", "Take neutral baseline", "How it is computed")


def test_bars_can_be_seen_in_forced_colors(open_live):
    page = open_live(forced_colors="active")
    answer_by_turns(page)
    track = page.locator("#ifade-live .ifade-card .ifade-track").first
    ground, border, bar = track.evaluate(
        "track => [getComputedStyle(document.body).backgroundColor, getComputedStyle(track).borderTopColor,"
        " getComputedStyle(track.firstChild).backgroundColor]"
    )
    assert ground not in (border, bar) and track.evaluate("track => getComputedStyle(track).borderTopWidth") == "1px"
