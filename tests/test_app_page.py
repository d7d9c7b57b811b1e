"""The page in headless Chromium, with real photographs."""

import base64
import json
import numpy as np
import pytest
import re
from dataclasses import replace
from pathlib import Path
from PIL import Image
from playwright.sync_api import expect

from inference.analyzer import FaceAnalyzer
from inference.images import ImageError, load_image
from inference.types import AGES, EMOTIONS, Detection, Face
from webui.results import face_cards
from webui.texts import text

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
LOCAL = ("http://127.0.0.1:", "data:", "blob:")
VIEWS = {
    "desktop, light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "phone, dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}


@pytest.fixture(params=VIEWS)
def page(request, browser, page_address):
    context = browser.new_context(**VIEWS[request.param], permissions=["camera", "clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.outside = []
    page.on("request", lambda sent: page.outside.append(sent.url) if not sent.url.startswith(LOCAL) else None)
    page.goto(page_address)
    page.wait_for_selector("input[type=file]", state="attached")
    yield page
    context.close()


def wait_for_answer(page) -> None:
    expect(page.locator(".ifade-message strong")).to_be_visible(timeout=30_000)


def test_a_photo_comes_back_with_its_face(page):
    page.set_input_files("input[type=file]", EXAMPLES / "astronaut.jpg")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)
    bars = page.locator(".ifade-bar")
    assert [label.strip() for label in bars.locator(".ifade-label").all_inner_texts()] == list(EMOTIONS)
    percents = [float(text.rstrip("%")) for text in bars.locator(".ifade-percent").all_inner_texts()]
    (face,) = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg")).faces
    assert np.abs(np.array(percents) - 100 * face.consensus).max() < 0.11
    assert page.locator(".ifade-leading .ifade-label").all_inner_texts() == ["happy"]
    assert page.locator(".ifade-face").get_attribute("aria-label") == "Face 1: happy"
    # Each bar is as long as its number.
    lengths = bars.evaluate_all(
        "bars => bars.map(bar => { const track = bar.querySelector('.ifade-track');"
        " return 100 * track.firstChild.getBoundingClientRect().width / track.getBoundingClientRect().width; })"
    )
    assert all(abs(length - percent) < 1.5 for length, percent in zip(lengths, percents))
    message = page.locator(".ifade-message").inner_text()
    assert "1 face found" in message and re.search(r"Detection \d+ ms, classification \d+ ms with \w+Provider", message)
    crop = page.locator(".ifade-face img").first
    assert base64.b64decode(crop.get_attribute("src").split(",")[1]).startswith(b"\x89PNG")
    assert crop.evaluate("image => image.naturalWidth") == 48
    annotated = page.locator(".ifade-photo img").last
    expect(annotated).to_be_visible()
    assert annotated.evaluate("image => image.naturalWidth") == 512
    # Reasons are there where the model gives any.
    reasons = page.locator(".ifade-face details")
    assert reasons.count() == (face.crowd is not None or face.activation is not None)
    for summary in reasons.locator("summary").all():
        summary.click()
    # Nothing sticks out sideways, and nothing is asked of other servers.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.outside == []


def test_no_face_and_no_photo_are_said_clearly(page, tmp_path):
    page.set_input_files("input[type=file]", EXAMPLES / "cat.jpg")
    wait_for_answer(page)
    assert "No face was found" in page.locator(".ifade-message").inner_text()
    assert page.locator(".ifade-face").count() == 0
    page.get_by_role("button", name="Clear").or_(page.get_by_label("Remove Image")).first.click()
    expect(page.locator(".ifade-message")).to_contain_text("Drop, paste or choose")
    fake = tmp_path / "photo.jpg"
    fake.write_text("text")
    page.set_input_files("input[type=file]", fake)
    wait_for_answer(page)
    assert "not a photo" in page.locator(".ifade-message").inner_text()


def test_a_heic_photo(page, tmp_path):
    """Which the browser itself cannot show; the answer is a JPEG."""
    Image.open(EXAMPLES / "astronaut.jpg").save(tmp_path / "IMG_0001.HEIC", "HEIF", quality=90)
    page.set_input_files("input[type=file]", tmp_path / "IMG_0001.HEIC")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)
    page.wait_for_function(
        "[...document.querySelectorAll('.ifade-photo img')].some(image => image.naturalWidth == 512)"
    )


def test_an_example_by_keyboard(page):
    thumbnail = page.locator("button.gallery-item, .gallery button, button:has(img)").first
    thumbnail.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


def test_a_photo_from_the_clipboard(page):
    copy_photo(page)
    page.get_by_label("Paste from clipboard").click()
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


def copy_photo(page) -> None:
    """Onto the clipboard, from where browsers give it as a PNG."""
    data = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
    page.evaluate(
        """async (data) => {
          const photo = await createImageBitmap(await (await fetch("data:image/jpeg;base64," + data)).blob());
          const canvas = new OffscreenCanvas(photo.width, photo.height);
          canvas.getContext("2d").drawImage(photo, 0, 0);
          await navigator.clipboard.write([new ClipboardItem({"image/png": await canvas.convertToBlob()})]);
        }""",
        data,
    )


@pytest.mark.parametrize("focus", ["body", "#ifade-age-gender input", ".gallery-item", "[role=tab]"])
def test_a_photo_is_pasted_wherever_the_focus_is(page, focus):
    copy_photo(page)
    page.locator(focus).first.focus()
    page.keyboard.press("Control+V")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


def test_a_pasted_photo_takes_the_place_of_another_and_of_the_camera(page):
    copy_photo(page)
    page.set_input_files("input[type=file]", EXAMPLES / "cat.jpg")
    expect(page.locator(".ifade-message")).to_contain_text("No face was found", timeout=30_000)
    page.keyboard.press("Control+V")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)
    page.get_by_label("Remove Image").first.click()
    expect(page.locator(".ifade-face")).to_have_count(0)
    page.get_by_label("Capture from camera").click()
    expect(page.get_by_text("Click to Access Webcam")).to_be_visible()
    page.keyboard.press("Control+V")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


def test_what_is_pasted_into_a_text_field_stays_there(page):
    copy_photo(page)
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").last.focus()
    page.keyboard.press("Control+V")
    page.wait_for_timeout(1000)
    assert page.locator(".ifade-face").count() == 0 and "Drop, paste" in page.locator(".ifade-message").inner_text()


def drop_file(page, file: Path, x: float, y: float) -> None:
    """As a visitor drops it: the browser itself opens what no script takes."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})


def test_a_file_dropped_beside_the_zone_does_not_make_the_browser_leave_the_page(page):
    address = page.url
    drop_file(page, EXAMPLES / "astronaut.jpg", 20, 20)
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("#ifade-live .ifade-start")).to_be_visible()
    drop_file(page, EXAMPLES / "astronaut.jpg", 20, 20)
    expect(page.locator("#ifade-live .ifade-session-note")).to_contain_text("Open photos in the Photo tab")
    box = page.locator("#ifade-live .ifade-marker-label").bounding_box()
    drop_file(page, EXAMPLES / "astronaut.jpg", box["x"] + 5, box["y"] + 5)
    page.wait_for_timeout(500)
    assert page.url == address and page.locator("#ifade-live .ifade-start").is_visible()


def test_a_photo_dropped_on_the_page(page):
    data = base64.b64encode((EXAMPLES / "astronaut.jpg").read_bytes()).decode()
    page.evaluate(
        """async (data) => {
          const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "pasted.jpg", {type: "image/jpeg"}));
          const zone = document.querySelector(".ifade-photo button, .ifade-photo [role=button]");
          zone.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }""",
        data,
    )
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


def test_a_photo_from_the_camera(page):
    page.get_by_label("Capture from camera").or_(page.locator("[aria-label*=ebcam], [aria-label*=amera]")).first.click()
    page.get_by_text("Click to Access Webcam").click()
    capture = page.get_by_label("capture photo")
    capture.click()
    wait_for_answer(page)
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


@pytest.mark.parametrize("language", ["en", "tr"])
def test_what_the_photo_cannot_be_is_said_in_the_language_of_the_page(browser, page_address, tmp_path, language):
    """Gradio says these things in English, or not at all."""
    page = browser.new_page(locale="en-US")
    page.set_default_timeout(60_000)
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('refused', 'NotAllowedError'); }"
    )
    page.goto(f"{page_address}?lang={language}")
    page.wait_for_selector("input[type=file]", state="attached")
    toast = page.get_by_test_id("toast-body")
    large, written = tmp_path / "large.jpg", tmp_path / "words.txt"
    large.write_bytes(bytes(31 * 2**20))
    written.write_text("words")
    for file, said in ((large, text(language, "photo_too_large", megabytes=30)), (written, text(language, "no_photo"))):
        page.set_input_files("input[type=file]", file)
        expect(toast.get_by_text(said)).to_be_visible(timeout=60_000)
    assert text(language, "gradio_Error") in toast.inner_text()
    expect(toast.get_by_role("button", name=text(language, "gradio_Close"), exact=True)).to_be_visible()
    # A photo whose type the browser does not know, dropped, is not refused before the server has looked at it.
    page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["words"], "IMG_0001.HEIC"));
          document.querySelector(".ifade-photo button").dispatchEvent(
            new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    not_read = ImageError("photo_unknown").sentence(language)
    expect(page.locator("#ifade-status")).to_contain_text(not_read, timeout=60_000)
    # A video is told where it belongs, by its name before it is sent, and by its content.
    named, content = tmp_path / "clip.MKV", tmp_path / "photo.jpg"
    named.write_bytes(bytes(40 * 2**20))
    content.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(2000))
    page.set_input_files("input[type=file]", named)
    expect(page.locator("#ifade-status")).to_contain_text(text(language, "video_in_photo"))
    page.set_input_files("input[type=file]", content)
    said = page.locator("#ifade-status strong").get_by_text(text(language, "video_in_photo"))
    expect(said).to_be_visible(timeout=60_000)
    assert text(language, "page_video") in said.inner_text()
    page.reload()
    page.get_by_label(text(language, "gradio_Capture from camera")).click()
    page.get_by_text(text(language, "gradio_Click to Access Webcam")).click()
    expect(page.locator("#ifade-status")).to_contain_text(text(language, "camera_forbidden"), timeout=60_000)
    page.close()


# Cards of made-up faces

SAD_OR_HAPPY = [0.05, 0.01, 0.01, 0.4, 0.5, 0.01, 0.02]
HAPPY_CROWD = [0.01, 0.96, 0.0, 0.0, 0.0, 0.0, 0.0, 0.03]
NOTHING_LEADS = [0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1]


def face_saying(probabilities, crowd=None, activation=None) -> Face:
    crop = np.full((48, 48), 120, np.uint8)
    crowd = None if crowd is None else np.array(crowd)
    return Face(Detection((0, 0, 9, 9), 0.9, (3, 4), (6, 4)), crop, np.array(probabilities), crowd, activation)


@pytest.fixture(params=VIEWS)
def show(request, browser):
    """A function that shows the cards of faces, and returns the page."""
    context = browser.new_context(**VIEWS[request.param])

    def show_cards(*faces: Face, **options):
        page = context.new_page()
        style = (ROOT / "webui" / "static" / "style.css").read_text()
        cards = face_cards(faces, **options)
        page.set_content(f"<meta name=viewport content='width=device-width'><style>{style}</style>{cards}")
        return page

    yield show_cards
    context.close()


def test_a_card_shows_the_consensus_and_its_reasons(show):
    activation = np.zeros((6, 6, 7), np.float32)
    activation[1, 1, EMOTIONS.index("happy")] = 5
    activation[4, 4, EMOTIONS.index("sad")] = 9
    face = face_saying(SAD_OR_HAPPY, HAPPY_CROWD, activation)
    page = show(face)
    card = page.get_by_role("region", name="Face 1: happy")
    assert page.locator(".ifade-leading .ifade-label").all_inner_texts() == ["happy"]
    meters = [float(value) for value in card.get_by_role("meter").evaluate_all("all => all.map(m => m.ariaValueNow)")]
    assert np.abs(np.array(meters) - 100 * face.consensus).max() < 0.06
    assert page.locator(".ifade-note").inner_text() == text("en", "two_answers")
    assert "not sure" not in page.inner_text("body")

    picture = card.get_by_alt_text(re.compile("tinted .* spoke for happy"))
    expect(picture).to_be_hidden()
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(picture).to_be_visible()
    assert "Warm: what spoke for “happy”." in card.inner_text()
    # The map is of the shown emotion and its warm place is warm: red and blue were not exchanged.
    colors = picture.evaluate(
        """image => {
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
          canvas.drawImage(image, 0, 0);
          return [0.25, 0.75].map(place => [...canvas.getImageData(
            place * image.naturalWidth, place * image.naturalHeight, 1, 1).data]);
        }"""
    )
    assert colors[0][0] > colors[0][2] + 60 and max(colors[1][:3]) - min(colors[1][:3]) < 10
    rows = [row.split() for row in card.locator("tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [*EMOTIONS, "contempt"]
    assert rows[EMOTIONS.index("happy")] == ["happy", "40.0%", "96.0%"]
    assert rows[EMOTIONS.index("sad")] == ["sad", "50.0%", "0.0%"] and rows[-1] == ["contempt", "–", "3.0%"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_age_and_gender_by_the_checkbox(page):
    """Not before it is ticked, and gone when it is unticked; the photo is not sent again."""
    page.set_input_files("input[type=file]", EXAMPLES / "astronaut.jpg")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)
    assert "apparent" not in page.locator(".ifade-face").inner_text()
    box = page.get_by_label("Estimate age and gender")
    expect(box).not_to_be_checked()
    box.check()
    expect(page.locator(".ifade-apparent")).to_contain_text("apparent age", timeout=30_000)
    (face,) = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg"), age_gender=True).faces
    assert page.locator(".ifade-apparent").inner_text().splitlines() == face.apparent
    metrics = json.loads((ROOT / "models" / "age_gender_metrics.json").read_text())["metrics"]
    assert len(metrics) > 1
    for dataset, figures in metrics.items():
        expect(page.get_by_text("The years aim to hold")).to_contain_text(
            f"{figures['all']['coverage']:.0%} ({dataset})"
        )
    box.uncheck()
    expect(page.locator(".ifade-apparent")).to_have_count(0, timeout=30_000)


def test_a_card_says_the_apparent_age_and_gender(show):
    years = np.eye(AGES)[31:40].mean(axis=0)
    face = replace(face_saying(SAD_OR_HAPPY), age_distribution=years, gender=np.array([0.87, 0.13]))
    page = show(face)
    assert page.locator(".ifade-apparent").inner_text() == "apparent age 31 to 39\napparent gender: woman 0.87"
    note = text("en", "apparent_note", aim="80%", limit="80%")
    assert page.locator(".ifade-note").inner_text() == note
    # How often the years are right is what was measured on the network that said them.
    measured = {"Here": {"all": {"coverage": 0.7533}}, "There": {"all": {"coverage": 0.8364}}, "Nowhere": {"all": {}}}
    page = show(face, language="tr", age_gender_metrics=measured)
    assert (
        page.locator(".ifade-note")
        .inner_text()
        .endswith(text("tr", "apparent_measured", measured="%75 (Here), %84 (There)"))
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_doubtful_face_says_so_in_words(show):
    page = show(face_saying(SAD_OR_HAPPY), face_saying(NOTHING_LEADS))
    card = page.get_by_role("region", name="Face 2: not sure")
    expect(card.get_by_text("not sure")).to_be_visible()
    assert card.locator(".ifade-bar").count() == 7 and card.locator(".ifade-leading").count() == 0
    assert page.get_by_role("region", name="Face 1: sad").locator(".ifade-leading").count() == 1
    assert page.locator(".ifade-note").inner_text() == text("en", "unsure", limit="50%")


def test_reasons_are_only_those_that_the_model_gives(show):
    activation = np.zeros((6, 6, 7), np.float32)
    page = show(face_saying(SAD_OR_HAPPY))
    assert page.locator("details, .ifade-note").count() == 0
    page = show(face_saying(SAD_OR_HAPPY, activation=activation))
    assert page.locator("details img").count() == 1 and page.locator("details table, .ifade-note").count() == 0
    page = show(face_saying(SAD_OR_HAPPY, HAPPY_CROWD))
    assert page.locator("details table").count() == 1 and page.locator("details img").count() == 0
