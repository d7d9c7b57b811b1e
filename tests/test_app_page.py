"""The Photo tab in headless Chromium, with real photographs, and the page's addresses."""

import csv
import io
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from inference import tables
from inference.analyzer import FaceAnalyzer
from inference.images import ImageError, load_image
from inference.saliency import heat_map
from inference.types import AGES, EMOTIONS, Analysis, Detection, Face
from webui.photo import data_url
from webui.texts import text

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
LOCAL = ("http://127.0.0.1:", "data:", "blob:")
FILE = "#ifade-photo .ifade-photo-file"
VIEWS = {
    "desktop, light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "phone, dark": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "dark",
        "has_touch": True,
        "is_mobile": True,
    },
}


@pytest.fixture(params=VIEWS)
def page(request, browser, page_address):
    context = browser.new_context(**VIEWS[request.param], permissions=["camera", "clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.outside, page.errors = [], []
    page.on("request", lambda sent: page.outside.append(sent.url) if not sent.url.startswith(LOCAL) else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(page_address)
    page.wait_for_selector(FILE, state="attached")
    yield page
    assert page.errors == []
    context.close()


def cards(page):
    return page.locator("#ifade-photo .ifade-card")


def status(page):
    return page.locator("#ifade-photo .ifade-photo-status")


def problem(page):
    return page.locator("#ifade-photo .ifade-problem")


def shown_width(page) -> int:
    """Of the photo, in its own pixels; 0 where none is shown."""
    page.wait_for_timeout(300)
    return page.locator("#ifade-photo .ifade-shown").evaluate("image => image.checkVisibility() && image.naturalWidth")


def test_a_photo_comes_back_with_its_face(page):
    page.set_input_files(FILE, EXAMPLES / "astronaut.jpg")
    expect(cards(page)).to_have_count(1)
    bars = cards(page).locator(".ifade-bar")
    assert [label.strip() for label in bars.locator(".ifade-label").all_inner_texts()] == list(EMOTIONS)
    percents = [float(text.rstrip("%")) for text in bars.locator(".ifade-percent").all_inner_texts()]
    (face,) = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg")).faces
    assert np.abs(np.array(percents) - 100 * face.consensus).max() < 0.51
    assert cards(page).locator(".ifade-leading .ifade-label").all_inner_texts() == ["happy"]
    assert cards(page).get_attribute("aria-label") == "Face 1: happy"
    # Each bar is as long as its number.
    page.wait_for_timeout(400)
    lengths = bars.evaluate_all(
        "bars => bars.map(bar => { const track = bar.querySelector('.ifade-track');"
        " return 100 * track.firstChild.getBoundingClientRect().width / track.getBoundingClientRect().width; })"
    )
    assert all(abs(length - percent) < 1.5 for length, percent in zip(lengths, percents))
    # They are in sight without scrolling, and so is the photo.
    bottom = bars.last.evaluate("bar => bar.getBoundingClientRect().bottom")
    assert page.evaluate("scrollY") == 0 and bottom < page.viewport_size["height"]
    assert status(page).inner_text() == "1 face found." and shown_width(page) == 512
    alt = page.locator("#ifade-photo .ifade-shown").get_attribute("alt")
    assert alt == "The photo with a numbered box around each face. Face 1: happy"
    timing = page.locator("#ifade-photo .ifade-timing")
    expect(timing).to_be_hidden()
    page.locator("#ifade-photo .ifade-details summary").click()
    assert re.search(
        r"Detection \d+ ms, classification \d+ ms with \w+Provider; photo of 512 x 512", timing.inner_text()
    )
    # Reasons are there where the model gives any.
    for summary in cards(page).locator("summary").all():
        summary.click()
    crop = cards(page).locator("img").first
    expect(crop).to_have_attribute("src", re.compile("^data:image/png"))
    crop.evaluate("image => image.decode()")
    assert crop.evaluate("image => image.naturalWidth") == 48
    # Nothing sticks out sideways, and nothing is asked of other servers.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.outside == []


def box_pixels(page) -> dict[str, list[int]]:
    """Left, right, top and bottom of what is drawn in each person's colour, in CSS pixels of the photo."""
    return page.evaluate(
        """() => {
          const canvas = document.querySelector("#ifade-photo .ifade-overlay"), scale = canvas.width / canvas.clientWidth;
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const found = {};
          for (const [id, color] of [[1, [180, 83, 9]], [2, [37, 99, 235]]]) {
            const xs = [], ys = [];
            for (let i = 0; i < data.length; i += 4) {
              if (data[i + 3] < 200 || !color.every((value, part) => Math.abs(data[i + part] - value) < 12)) continue;
              xs.push((i / 4) % canvas.width / scale);
              ys.push(Math.floor(i / 4 / canvas.width) / scale);
            }
            if (xs.length > 50) found[id] = [xs, ys].flatMap((all) => [
              all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))]);
          }
          return found;
        }"""
    )


def test_boxes_stand_around_the_faces_and_point_at_their_cards(page):
    page.set_input_files(FILE, EXAMPLES / "meeting.jpg")
    expect(cards(page)).to_have_count(5)
    page.wait_for_timeout(500)
    result = FaceAnalyzer().analyze(load_image(EXAMPLES / "meeting.jpg"))
    stage = page.locator("#ifade-photo .ifade-stage").bounding_box()
    scale = stage["width"] / result.width
    drawn = box_pixels(page)
    for number, face in enumerate(result.faces[:2], start=1):
        x1, y1, x2, y2 = (scale * value for value in face.detection.box)
        left, right, top, bottom = drawn[str(number)]
        assert left == pytest.approx(x1, abs=4) and right >= x2 - 4
        assert top <= y1 + 4 and bottom >= y2 - 4
    # Over a box, its card is lit and the other boxes pale; by the keyboard the other way round.
    lit = page.locator("#ifade-photo .ifade-lit")
    x1, y1, x2, y2 = (scale * value for value in result.faces[1].detection.box)
    page.mouse.move(stage["x"] + (x1 + x2) / 2, stage["y"] + (y1 + y2) / 2)
    expect(lit).to_have_attribute("aria-label", re.compile("^Face 2: "))
    assert set(box_pixels(page)) == {"2"}
    page.mouse.move(2, 2)
    expect(lit).to_have_count(0)
    cards(page).first.focus()
    expect(lit).to_have_attribute("aria-label", re.compile("^Face 1: "))
    assert set(box_pixels(page)) == {"1"}
    page.mouse.click(stage["x"] + (x1 + x2) / 2, stage["y"] + (y1 + y2) / 2)
    expect(cards(page).nth(1)).to_be_focused()


def test_no_face_and_no_photo_are_said_clearly(page, tmp_path):
    page.set_input_files(FILE, EXAMPLES / "cat.jpg")
    expect(status(page)).to_contain_text("No face was found")
    assert cards(page).count() == 0 and shown_width(page) > 0
    page.get_by_role("button", name="Remove this photo").click()
    expect(page.get_by_role("button", name="Choose photos")).to_be_visible()
    fake = tmp_path / "photo.jpg"
    fake.write_text("text")
    page.set_input_files(FILE, fake)
    expect(problem(page)).to_contain_text("not a photo")
    # It would be the same another time.
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


@pytest.mark.parametrize(("name", "kind"), [("IMG_0001.HEIC", "HEIF"), ("scan.tif", "TIFF")])
def test_a_photo_that_browsers_do_not_show(page, tmp_path, name, kind):
    Image.open(EXAMPLES / "astronaut.jpg").save(tmp_path / name, kind)
    page.set_input_files(FILE, tmp_path / name)
    expect(cards(page)).to_have_count(1)
    assert shown_width(page) == 512 and box_pixels(page)


def test_an_example_by_keyboard(page):
    page.get_by_role("button", name="Example: an astronaut").focus()
    page.keyboard.press("Enter")
    expect(cards(page)).to_have_count(1)
    assert shown_width(page) == 512


def copy_photo(page) -> None:
    """Onto the clipboard, from where browsers give it as a PNG."""
    page.evaluate(
        """async () => {
          const photo = await createImageBitmap(await (await fetch("examples/astronaut.jpg")).blob());
          const canvas = new OffscreenCanvas(photo.width, photo.height);
          canvas.getContext("2d").drawImage(photo, 0, 0);
          await navigator.clipboard.write([new ClipboardItem({"image/png": await canvas.convertToBlob()})]);
        }"""
    )


@pytest.mark.parametrize("focus", ["body", "#ifade-photo .ifade-age-gender", ".ifade-example", "[role=tab]"])
def test_a_photo_is_pasted_wherever_the_focus_is(page, focus):
    copy_photo(page)
    page.locator(focus).first.focus()
    page.keyboard.press("Control+V")
    expect(cards(page)).to_have_count(1)


def test_a_pasted_photo_stands_beside_another_and_takes_the_place_of_the_camera(page):
    copy_photo(page)
    page.set_input_files(FILE, EXAMPLES / "cat.jpg")
    expect(status(page)).to_contain_text("No face was found")
    page.keyboard.press("Control+V")
    expect(cards(page)).to_have_count(1)
    thumbnails = page.locator("#ifade-photo .ifade-thumbnail:not(.ifade-more)")
    expect(thumbnails).to_have_count(2)
    page.get_by_role("button", name="Remove all").click()
    expect(cards(page)).to_have_count(0)
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the photo")).to_be_visible()
    page.keyboard.press("Control+V")
    expect(cards(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Take the photo")).to_be_hidden()


def test_what_is_pasted_into_a_text_field_stays_there(page):
    copy_photo(page)
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("textarea").last.focus()
    page.keyboard.press("Control+V")
    page.wait_for_timeout(1000)
    assert cards(page).count() == 0 and page.get_by_role("button", name="Choose photos").is_visible()


def drop_file(page, file: Path, x: float, y: float) -> None:
    """As a visitor drops it: the browser itself opens what no script takes."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})


def test_a_file_dropped_anywhere_does_not_make_the_browser_leave_the_page(page):
    address = page.url
    drop_file(page, EXAMPLES / "astronaut.jpg", 20, 20)
    expect(cards(page)).to_have_count(1)
    page.get_by_role("tab", name="Live").click()
    expect(page.locator("#ifade-live .ifade-start")).to_be_visible()
    drop_file(page, EXAMPLES / "astronaut.jpg", 20, 20)
    expect(page.locator("#ifade-live .ifade-session-note")).to_contain_text(text("en", "file_in_live"))
    box = page.locator("#ifade-live .ifade-start").bounding_box()
    drop_file(page, EXAMPLES / "astronaut.jpg", box["x"] + 5, box["y"] + 5)
    page.wait_for_timeout(500)
    assert page.url == address + "#live" and page.locator("#ifade-live .ifade-start").is_visible()


def test_a_photo_from_the_camera(page):
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Take the photo").click()
    expect(cards(page)).to_have_count(1)
    assert shown_width(page) >= 640
    page.wait_for_timeout(300)
    assert page.locator("#ifade-photo .ifade-viewfinder").evaluate("video => video.srcObject") is None


def test_the_camera_ends_when_another_tab_is_opened(page):
    page.get_by_role("button", name="Use the camera").click()
    expect(page.get_by_role("button", name="Take the photo")).to_be_visible()
    page.get_by_role("tab", name="Live").click()
    page.wait_for_function("document.querySelector('#ifade-photo .ifade-viewfinder').srcObject === null")


# On the device


def test_a_visitor_may_have_pictures_analysed_by_the_browser(browser, page_address):
    """The page remembers it, says so, and sends no picture then."""
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    sent = []
    page.on("request", lambda request: sent.append((request.method, request.url)))
    page.goto(page_address)
    notice = page.locator("#ifade-notice")
    expect(notice).to_contain_text(text("en", "computed_on_server"))
    notice.locator("summary").click()
    expect(notice).to_contain_text(text("en", "kept_on_server", sent=120, left=15, idle=10))
    with page.expect_navigation():
        notice.get_by_text(text("en", "compute_device")).click()
    expect(notice).to_contain_text(text("en", "computed_on_device"))
    notice.locator("summary").click()
    expect(notice).to_contain_text(text("en", "kept_on_device"))
    sent.clear()
    page.set_input_files(FILE, EXAMPLES / "happy.jpg")
    expect(cards(page)).to_have_attribute("aria-label", "Face 1: happy")
    page.reload()
    page.set_input_files(FILE, EXAMPLES / "sad.jpg")
    expect(cards(page)).to_have_attribute("aria-label", "Face 1: sad")
    assert {method for method, address in sent if not address.startswith(("data:", "blob:"))} == {"GET"}
    with page.expect_navigation():
        notice.get_by_text(text("en", "compute_server")).click()
    with page.expect_request("**/analyze?*"):
        page.set_input_files(FILE, EXAMPLES / "happy.jpg")
    context.close()


def test_a_browser_that_cannot_do_it_is_told_so_and_the_server_does(browser, page_address):
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.add_init_script("localStorage['ifade-compute'] = 'device'; WebAssembly.validate = () => false;")
    page.goto(page_address)
    expect(page.locator("#ifade-notice")).to_contain_text(text("en", "device_too_old"))
    expect(page.locator("#ifade-notice")).to_contain_text(text("en", "computed_on_server"))
    with page.expect_request("**/analyze?*"):
        page.set_input_files(FILE, EXAMPLES / "happy.jpg")
    context.close()


def test_where_a_file_of_the_page_is_damaged_the_server_does_it(browser, page_address):
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(page_address)
    page.evaluate("localStorage['ifade-compute'] = 'device'")
    page.route("**/models/yunet*", lambda route: route.fulfill(body=b"no network"))
    page.reload()
    expect(page.locator("#ifade-notice")).to_contain_text(text("en", "device_incomplete"))
    expect(page.locator("#ifade-notice")).to_contain_text(text("en", "computed_on_server"))
    with page.expect_request("**/analyze?*"):
        page.set_input_files(FILE, EXAMPLES / "happy.jpg")
    context.close()


# Several photos


def download(page, kind: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.click(f"#ifade-photo [data-save={kind}]")
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_several_photos_go_through_one_after_the_other_and_into_one_table(page, tmp_path):
    flying, most = [0], [0]

    def note(change: int) -> None:
        flying[0] += change
        most[0] = max(most[0], flying[0])

    page.on("request", lambda sent: note(1) if "/analyze?" in sent.url else None)
    page.on("requestfinished", lambda sent: note(-1) if "/analyze?" in sent.url else None)
    fake = tmp_path / "=words.jpg"
    fake.write_text("text")
    page.set_input_files(FILE, [EXAMPLES / "meeting.jpg", EXAMPLES / "cat.jpg", fake, EXAMPLES / "astronaut.jpg"])
    rows = page.locator("#ifade-photo .ifade-photo-table tbody tr")
    expect(rows.last).to_contain_text("happy")
    assert most[0] == 1 and cards(page).count() == 5  # the first one is looked at all the while
    counts = [row.locator("td").first.inner_text() for row in rows.all()]
    assert counts == ["5", "0", "–", "1"] and "not a photo" in rows.nth(2).inner_text()
    thumbnails = page.locator("#ifade-photo .ifade-thumbnail:not(.ifade-more)")
    assert thumbnails.locator(".ifade-badge").all_inner_texts() == ["5", "0", "!", "1"]
    assert thumbnails.first.get_attribute("aria-current") == "true"
    thumbnails.last.click()
    expect(cards(page)).to_have_count(1)
    assert shown_width(page) == 512

    name, data = download(page, "csv")
    assert name == "ifade-photos.csv"
    lines = list(csv.DictReader(io.StringIO(data.decode())))
    assert tuple(lines[0]) == tables.NAMES and [line["faces"] for line in lines] == ["5"] * 5 + ["0", "", "1"]
    assert lines[6]["file"] == "./=words.jpg" and "not a photo" in lines[6]["error"]
    result = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg"))
    written = tables.columns(tables.photo_rows(result), "astronaut.jpg")
    for column in tables.COLUMNS:
        (value,), cell = written[column.name], lines[7][column.name]
        if column.type == "number" and value is not None:
            assert float(cell) == pytest.approx(value, abs=0.51 if column.name in tables.BOX else 2e-5), column.name
        else:
            words = "" if value is None else str(value)
            assert cell == (words.upper() if column.type == "yes or no" else words), column.name
    name, data = download(page, "json")
    entries = json.loads(data)
    assert name == "ifade-photos.json" and [len(entry.get("faces", [])) for entry in entries] == [5, 0, 0, 1]
    assert "error" in entries[2] and entries[3]["faces"][0]["shown"] == "happy" and "crop" not in entries[0]["faces"][0]


def test_a_photo_is_saved_with_boxes_or_with_blurred_faces(page, tmp_path):
    page.set_input_files(FILE, EXAMPLES / "astronaut.jpg")
    expect(cards(page)).to_have_count(1)
    (face,) = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg")).faces
    x1, y1, x2, y2 = (round(value) for value in face.detection.box)
    before = load_image(EXAMPLES / "astronaut.jpg").astype(int)
    name, data = download(page, "boxes")
    assert name == "astronaut-boxes.jpg"
    changed = np.abs(load_image(data).astype(int) - before).max(axis=2) > 60
    assert changed.shape == (512, 512) and changed[(y1 + y2) // 2, [x1, x2 - 1]].all()
    assert not changed[y1 + 8 : y2 - 8, x1 + 8 : x2 - 8].any() and not changed[400:].any()
    name, data = download(page, "blurred")
    assert name == "astronaut-blurred.jpg"
    blurred = load_image(data)
    assert FaceAnalyzer().analyze(blurred).faces == []
    assert np.abs(blurred[400:].astype(int) - before[400:]).mean() < 6
    assert json.loads(download(page, "json")[1])["faces"][0]["shown"] == "happy"
    # Nothing fine is left of any face, not even of one that the edge cuts off.
    page.set_input_files(FILE, EXAMPLES / "meeting.jpg")
    expect(cards(page)).to_have_count(5)
    before, blurred = load_image(EXAMPLES / "meeting.jpg"), load_image(download(page, "blurred")[1])
    for face in FaceAnalyzer().analyze(before).faces:
        assert fineness(blurred, face.detection.box) < fineness(before, face.detection.box) / 3


def fineness(image: np.ndarray, box: tuple[float, ...]) -> float:
    """How much neighbouring pixels in a box differ."""
    x1, y1, x2, y2 = (max(0, round(value)) for value in box)
    return float(np.abs(np.diff(image[y1:y2, x1:x2].mean(axis=2), axis=1)).mean())


def test_of_a_large_photo_a_smaller_copy_is_shown_and_the_whole_is_saved(page, tmp_path):
    upright = Image.open(EXAMPLES / "astronaut.jpg").resize((2400, 3000))
    lying, exif = upright.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    lying.save(tmp_path / "phone.jpg", exif=exif)
    page.set_input_files(FILE, tmp_path / "phone.jpg")
    expect(cards(page)).to_have_count(1)
    shown = page.locator("#ifade-photo .ifade-shown")
    assert shown.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [1280, 1600] and box_pixels(page)
    x1, y1, x2, y2 = (round(value) for value in json.loads(download(page, "json")[1])["faces"][0]["box"])
    saved = load_image(download(page, "boxes")[1])
    changed = np.abs(saved.astype(int) - load_image(tmp_path / "phone.jpg")).max(axis=2) > 60
    assert changed.shape == (3000, 2400) and changed[(y1 + y2) // 2, [x1, x2 - 1]].all()
    assert fineness(saved, (0, 2400, 2400, 3000)) > 0.9 * fineness(np.asarray(upright), (0, 2400, 2400, 3000))
    # What can be seen through stays so.
    page.get_by_role("button", name="Remove this photo").click()
    upright.putalpha(Image.linear_gradient("L").resize(upright.size))
    upright.save(tmp_path / "clear.png", compress_level=1)
    page.set_input_files(FILE, tmp_path / "clear.png")
    expect(status(page)).to_contain_text("found")
    alphas = shown.evaluate("""async image => {
      const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight), context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return [10, 800, 1590].map((y) => context.getImageData(9, y, 1, 1).data[3]); }""")
    assert alphas == pytest.approx([1, 127, 254], abs=3)


# What can go wrong


@pytest.mark.parametrize("language", ["en", "tr"])
def test_what_the_photo_cannot_be_is_said_in_the_language_of_the_page(browser, page_address, tmp_path, language):
    page = browser.new_page(locale="en-US")
    page.set_default_timeout(60_000)
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('refused', 'NotAllowedError'); }"
    )
    page.goto(f"{page_address}?lang={language}")
    page.wait_for_selector(FILE, state="attached")
    large, unknown = tmp_path / "large.jpg", tmp_path / "IMG_0001.HEIC"
    large.write_bytes(bytes(31 * 2**20))
    unknown.write_text("words")
    # A video is told where it belongs, by its name before it is sent, and by its content.
    named, content = tmp_path / "clip.MKV", tmp_path / "photo.jpg"
    named.write_bytes(bytes(40 * 2**20))
    content.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(2000))
    for file, said in (
        (large, text(language, "photo_too_large", megabytes=30)),
        (unknown, ImageError("photo_unknown").sentence(language)),
        (named, text(language, "video_in_photo")),
        (content, text(language, "video_in_photo")),
    ):
        page.set_input_files(FILE, file)
        expect(problem(page)).to_contain_text(said)
    assert text(language, "page_video") in problem(page).inner_text()
    page.get_by_role("button", name=text(language, "use_camera")).click()
    expect(problem(page)).to_contain_text(text(language, "camera_forbidden"))
    page.close()


def test_a_server_that_is_busy_or_gone_loses_nothing(page):
    asked = []

    def answer(route):
        asked.append(route.request.url)
        if len(asked) == 1:
            return route.fulfill(status=503, json={"error": "The page is busy."})
        return route.abort() if len(asked) < 4 else route.continue_()

    page.route("**/analyze?*", answer)
    page.set_input_files(FILE, EXAMPLES / "astronaut.jpg")
    expect(problem(page)).to_have_text("The page is busy. Trying again …")
    expect(problem(page)).to_have_text("The server does not answer. Try again.", timeout=60_000)
    assert len(asked) == 3 and shown_width(page) == 512
    page.get_by_role("button", name="Try again").click()
    expect(cards(page)).to_have_count(1)
    expect(problem(page)).to_be_empty()


def test_a_photo_that_waits_is_told_how_many_are_before_it(page):
    held = []
    page.route("**/analyze?*", lambda route: held.append(route))
    page.route("**/analyze/turn?*", lambda route: route.fulfill(json={"ahead": 3}))
    page.set_input_files(FILE, EXAMPLES / "astronaut.jpg")
    expect(status(page)).to_have_text("The server is busy. Photos before yours: 3.")
    held[0].continue_()
    expect(cards(page)).to_have_count(1)
    expect(status(page)).to_have_text("1 face found.")


# Age and gender


def test_age_and_gender_by_the_checkbox(page):
    """Not before it is ticked, and gone when it is unticked; the card stays meanwhile."""
    page.set_input_files(FILE, EXAMPLES / "astronaut.jpg")
    expect(cards(page)).to_have_count(1)
    assert "apparent" not in cards(page).inner_text()
    box = page.locator("#ifade-photo").get_by_label(text("en", "age_gender"))
    expect(box).not_to_be_checked()
    box.check()
    apparent = cards(page).locator(".ifade-card-apparent")
    expect(apparent).to_contain_text("apparent age")
    (face,) = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg"), age_gender=True).faces
    first, last = face.age_range
    sure = "" if face.age_sure else "not sure, "
    age = f"apparent age: {sure}about {math.floor(face.to_dict()['age'] + 0.5)} ({first} to {last})"
    gender = f"woman {face.gender.max():.0%}" if face.gender_sure else "not sure"
    assert apparent.inner_text() == f"{age}, apparent gender: {gender}"
    metrics = json.loads((ROOT / "models" / "age_gender_metrics.json").read_text())["metrics"]
    assert len(metrics) > 1
    for dataset, figures in metrics.items():
        expect(page.locator("#ifade-photo .ifade-apparent-note")).to_contain_text(
            f"{figures['all']['coverage']:.0%} ({dataset})"
        )
    box.uncheck()
    expect(apparent).to_be_empty()


# Cards of made-up faces

SAD_OR_HAPPY = [0.05, 0.01, 0.01, 0.4, 0.5, 0.01, 0.02]
HAPPY_CROWD = [0.01, 0.96, 0.0, 0.0, 0.0, 0.0, 0.0, 0.03]
NOTHING_LEADS = [0.3, 0.1, 0.1, 0.2, 0.1, 0.1, 0.1]


def face_saying(probabilities, crowd=None, activation=None) -> Face:
    crop = np.full((48, 48), 120, np.uint8)
    crowd = None if crowd is None else np.array(crowd)
    return Face(Detection((0, 0, 9, 9), 0.9, (3, 4), (6, 4)), crop, np.array(probabilities), crowd, activation)


@pytest.fixture
def show(page):
    """A function that shows the cards of faces, in place of those of a photo; returns the page."""

    def show_cards(*faces: Face):
        answer = Analysis(512, 512, list(faces), "CPUExecutionProvider", 1.0, 1.0).to_dict()
        for entry, face in zip(answer["faces"], faces):
            heat = None
            if face.activation is not None:
                heat = data_url(heat_map(face.crop, face.activation, EMOTIONS.index(face.shown)), "jpeg")
            entry |= {"crop": data_url(face.crop, "png"), "heat": heat}
        page.route("**/analyze?*", lambda route: route.fulfill(json=answer))
        page.set_input_files(FILE, EXAMPLES / "astronaut.jpg")
        expect(cards(page)).to_have_count(len(faces))
        return page

    return show_cards


def notes(page) -> list[str]:
    return page.locator("#ifade-photo .ifade-people .ifade-note").all_inner_texts()


def test_a_card_shows_the_consensus_and_its_reasons(show):
    activation = np.zeros((6, 6, 7), np.float32)
    activation[1, 1, EMOTIONS.index("happy")] = 5
    activation[4, 4, EMOTIONS.index("sad")] = 9
    face = face_saying(SAD_OR_HAPPY, HAPPY_CROWD, activation)
    page = show(face)
    card = page.get_by_role("region", name="Face 1: happy")
    assert card.locator(".ifade-leading .ifade-label").all_inner_texts() == ["happy"]
    meters = [float(value) for value in card.get_by_role("meter").evaluate_all("all => all.map(m => m.ariaValueNow)")]
    assert np.abs(np.array(meters) - 100 * face.consensus).max() < 0.51
    assert notes(page) == [text("en", "two_answers")]
    assert "not sure" not in card.inner_text()

    picture = card.get_by_alt_text(text("en", "heat_alt", number=1, emotion="happy"))
    expect(picture).to_be_hidden()
    card.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(picture).to_be_visible()
    assert text("en", "heat_caption", emotion="happy") in card.inner_text()
    # The map is of the shown emotion and its warm place is warm: red and blue were not exchanged.
    colors = picture.evaluate(
        """async (image) => {
          await image.decode();
          const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
          canvas.drawImage(image, 0, 0);
          return [0.25, 0.75].map(place => [...canvas.getImageData(
            place * image.naturalWidth, place * image.naturalHeight, 1, 1).data]);
        }"""
    )
    assert colors[0][0] > colors[0][2] + 60 and max(colors[1][:3]) - min(colors[1][:3]) < 10
    head = card.locator("thead th").all_inner_texts()
    assert head == ["what one person would call it", "what ten people would say"]
    rows = [row.split() for row in card.locator("tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [*EMOTIONS, "contempt"]
    assert rows[EMOTIONS.index("happy")] == ["happy", "40%", "96%"]
    assert rows[EMOTIONS.index("sad")] == ["sad", "50%", "0%"] and rows[-1] == ["contempt", "–", "3%"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_card_says_the_apparent_age_and_gender(show):
    years = np.eye(AGES)[31:40].mean(axis=0)
    doubtful = np.eye(AGES)[10:80].mean(axis=0)
    faces = [
        replace(face_saying(SAD_OR_HAPPY), age_distribution=distribution, gender=np.array(gender))
        for distribution, gender in ((years, [0.87, 0.13]), (doubtful, [0.4, 0.6]))
    ]
    page = show(*faces)
    apparent = cards(page).locator(".ifade-card-apparent")
    expect(apparent.first).to_be_empty()  # the box is not ticked
    page.check("#ifade-photo .ifade-age-gender")
    assert apparent.first.inner_text() == "apparent age: about 35 (31 to 39), apparent gender: woman 87%"
    assert re.fullmatch(
        r"apparent age: not sure, about \d+ \(\d+ to \d+\), apparent gender: not sure", apparent.last.inner_text()
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_doubtful_face_says_so_in_words(show):
    page = show(face_saying(SAD_OR_HAPPY), face_saying(NOTHING_LEADS))
    card = page.get_by_role("region", name="Face 2: not sure")
    expect(card.get_by_text("not sure")).to_be_visible()
    assert card.locator(".ifade-bar").count() == 7 and card.locator(".ifade-leading").count() == 0
    assert page.get_by_role("region", name="Face 1: sad").locator(".ifade-leading").count() == 1
    assert notes(page) == [text("en", "unsure", limit="50%")]


@pytest.mark.parametrize(("activation", "crowd"), [(True, None), (False, HAPPY_CROWD)])
def test_reasons_are_only_those_that_the_model_gives(show, activation, crowd):
    page = show(face_saying(SAD_OR_HAPPY, crowd, np.zeros((6, 6, 7), np.float32) if activation else None))
    reasons = cards(page).locator(".ifade-why")
    assert reasons.get_by_alt_text(re.compile("tinted")).count() == activation
    assert reasons.locator("table").count() == (crowd is not None)
    assert notes(page) == [text("en", "two_answers")] * (crowd is not None)


def test_a_card_says_what_speaks_against_the_answer(show):
    cues = FaceAnalyzer().analyze(load_image(EXAMPLES / "astronaut.jpg")).faces[0].quality
    small, away = replace(cues, issues=("too_small",)), replace(cues, issues=("turned_away", "blurred"))
    page = show(replace(face_saying(NOTHING_LEADS), quality=small), replace(face_saying(SAD_OR_HAPPY), quality=away))
    unsure, sure = cards(page).all()
    assert "too small to tell" in unsure.inner_text() and "not sure" not in unsure.inner_text()
    assert "turned away, blurred" in sure.inner_text() and sure.locator(".ifade-card-answer").inner_text() == "sad"
    assert text("en", "issues_note") in notes(page)


# The page's addresses


def test_each_tab_has_an_address_that_a_change_of_language_keeps(browser, page_address):
    page = browser.new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{page_address}#live")
    expect(page.locator("#ifade-live .ifade-start")).to_be_visible()
    page.get_by_role("tab", name="Video").click()
    assert page.url == f"{page_address}#video"
    page.get_by_role("link", name="Türkçe").click()
    expect(page.locator("#ifade-video .ifade-choose")).to_have_text("Video seç")
    assert page.url == f"{page_address}?lang=tr#video"
    page.close()
