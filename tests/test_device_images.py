"""Pictures are scaled, turned and cut out in the browser, by what is compiled of export/pixels.ts, as OpenCV does it."""

import json
from base64 import b64decode, b64encode
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference.alignment import cut_square
from inference.constants import constants

STATIC = Path(__file__).resolve().parent.parent / "webui" / "static"
ADDRESS = "http://device.test/"
CALL = """async ([constants, cases]) => {
  (await import("/device/constants.js")).configure(constants);
  const functions = {...await import("/device/images.js"), ...await import("/device/alignment.js")};
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return cases.map(([name, data, width, height, ...given]) => {
    const made = functions[name]({data: bytes(data), width, height}, ...given);
    return btoa(Array.from((made.crop ?? made).data, (byte) => String.fromCharCode(byte)).join(""));
  });
}"""


@pytest.fixture(scope="module")
def device(browser):
    """A function that gives the bytes of what functions of the modules make of pictures: a list of the function's name, the picture
    and what else it is given."""
    page = browser.new_page()

    def serve(route) -> None:
        file = STATIC / route.request.url.removeprefix(ADDRESS)
        if file.is_file():
            route.fulfill(path=file, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page.route(f"{ADDRESS}**", serve)
    page.goto(ADDRESS)

    def make(calls: list[tuple]) -> list[np.ndarray]:
        cases = [
            [name, b64encode(image.tobytes()).decode(), image.shape[1], image.shape[0], *given]
            for name, image, *given in calls
        ]
        made = page.evaluate(CALL, [json.loads(json.dumps(constants())), cases])
        return [np.frombuffer(b64decode(data), np.uint8) for data in made]

    yield make
    page.close()


def pictures(rng: np.random.Generator, count: int, channels: tuple[int, ...]) -> list[np.ndarray]:
    """Noise, as it is and smooth, uint8 (H, W) or (H, W, C)."""
    found = []
    for number in range(count):
        shape = rng.integers(20, 160, 2).tolist()
        kind = channels[number % len(channels)]
        noise = rng.integers(0, 256, (*shape, kind), np.uint8)
        found.append(np.squeeze(cv2.GaussianBlur(noise, (0, 0), 3) if number % 2 else noise))
    return found


def test_pictures_are_scaled_down_to_the_byte(device):
    """By two, by other whole factors, and by others."""
    rng = np.random.default_rng(0)
    calls, expected = [], []
    for number, image in enumerate(pictures(rng, 24, (1, 3, 4))):
        if number % 2:
            width, height = (int(rng.integers(5, side + 1)) for side in image.shape[1::-1])
        else:
            across, down = ((2, 2), (3, 2), (4, 4), (1, 5))[number // 2 % 4]
            image = np.ascontiguousarray(image[: image.shape[0] // down * down, : image.shape[1] // across * across])
            height, width = image.shape[0] // down, image.shape[1] // across
        calls.append(("resizeArea", image, width, height))
        seen = image if image.ndim == 2 else np.ascontiguousarray(image[..., :3])
        expected.append(cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA))
    for call, found, wanted in zip(calls, device(calls), expected):
        assert np.array_equal(found, wanted.ravel()), (call[1].shape, call[2:])


def test_faces_are_cut_out_to_the_byte(device):
    """Upright and turned, small and large, within the picture and beyond its edges, in color and grey."""
    rng = np.random.default_rng(1)
    calls, expected = [], []
    for number, image in enumerate(pictures(rng, 30, (3, 4))):
        height, width = image.shape[:2]
        center = [float(rng.uniform(-0.2, 1.2) * width), float(rng.uniform(-0.2, 1.2) * height)]
        side, roll = float(rng.uniform(10, 400)), float(rng.normal(0, 0.6)) * (number % 5 > 0)
        size, black, grey = int(rng.choice([48, 64, 128])), bool(number % 3 == 0), bool(number % 4 == 0)
        place = {"center": center, "side": side, "roll": roll}
        calls.append(("cutSquare", image, place, size, {"black": black, "grey": grey}))
        seen = np.ascontiguousarray(image[..., :3])
        seen = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY) if grey else seen
        border = cv2.BORDER_CONSTANT if black else cv2.BORDER_REPLICATE
        expected.append(cut_square(seen, tuple(center), side, roll, size, border)[0])
    for call, found, wanted in zip(calls, device(calls), expected):
        assert np.array_equal(found, wanted.ravel()), (call[1].shape, call[2:])
