"""The page in headless Chromium, with real photographs."""

import base64
import pytest
import re
from pathlib import Path
from playwright.sync_api import expect

from inference.types import EMOTIONS

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
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
    assert abs(sum(percents) - 100) < 0.5 and max(percents) == percents[EMOTIONS.index("happy")]
    # Each bar is as long as its number.
    lengths = bars.evaluate_all(
        "bars => bars.map(bar => { const track = bar.querySelector('.ifade-track');"
        " return 100 * track.firstChild.getBoundingClientRect().width / track.getBoundingClientRect().width; })"
    )
    assert all(abs(length - percent) < 1.5 for length, percent in zip(lengths, percents))
    message = page.locator(".ifade-message").inner_text()
    assert "1 face found" in message and re.search(r"Detection \d+ ms, classification \d+ ms with \w+Provider", message)
    crop = page.locator(".ifade-face img")
    assert base64.b64decode(crop.get_attribute("src").split(",")[1]).startswith(b"\x89PNG")
    assert crop.evaluate("image => image.naturalWidth") == 48
    annotated = page.locator(".ifade-photo img").last
    expect(annotated).to_be_visible()
    assert annotated.evaluate("image => image.naturalWidth") == 512
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
    assert "not a picture" in page.locator(".ifade-message").inner_text()


def test_an_example_by_keyboard(page):
    thumbnail = page.locator("button.gallery-item, .gallery button, button:has(img)").first
    thumbnail.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


def test_a_photo_from_the_clipboard(page):
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
    page.get_by_label("Paste from clipboard").click()
    expect(page.locator(".ifade-face")).to_have_count(1, timeout=30_000)


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
