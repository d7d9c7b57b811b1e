"""The browser's worker reads photos as Python does: the same pixels, or a sentence."""

import json
import struct
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from color_profiles import ADOBE_D50, P3_D50, SRGB_D50, gamma, icc_profile, rgb_profile, srgb_curve
from inference.constants import constants
from inference.images import load_image

STATIC = Path(__file__).resolve().parent.parent / "webui" / "static"
ADDRESS = "http://device.test/"
SIZE = 60, 40
RUNNER = """
  import {configure} from "/device/constants.js";
  self.addEventListener("message", async ({data: [constants, text]}) => {
    configure(constants);
    const {decode} = await import("/device/decoding.js");
    try {
      const {data, width, height} = await decode(new Blob([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))]));
      self.postMessage({width, height, data: btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""))});
    } catch (error) {
      self.postMessage({code: error.code ?? String(error)});
    }
  });
  self.postMessage("ready");
"""
ASK = """async (message) => {
  const worker = new Worker("/runner.js", {type: "module"});
  const answer = () => new Promise((done) => worker.addEventListener("message", ({data}) => done(data), {once: true}));
  await answer();
  worker.postMessage(message);
  const data = await answer();
  worker.terminate();
  return data;
}"""


@pytest.fixture(scope="module")
def decoded(browser):
    """A function that gives the pixels of a file, uint8 (H, W, 3), or the code of what is said of it."""
    page = browser.new_page()

    def serve(route) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        if name == "runner.js":
            route.fulfill(body=RUNNER, content_type="text/javascript")
        elif (STATIC / name).is_file():
            route.fulfill(path=STATIC / name, content_type="text/javascript" if name.endswith(".js") else None)
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page.context.route(f"{ADDRESS}**", serve)
    page.goto(ADDRESS)
    given = json.loads(json.dumps(constants()))

    def decode(data: bytes) -> np.ndarray | str:
        answer = page.evaluate(ASK, [given, b64encode(data).decode()])
        if "code" in answer:
            return answer["code"]
        pixels = np.frombuffer(b64decode(answer["data"]), np.uint8)
        return pixels.reshape(answer["height"], answer["width"], 4)[..., :3]

    yield decode
    page.close()


def picture(mode: str = "RGB") -> Image.Image:
    """Smooth, and different in each corner."""
    down, right = np.mgrid[: SIZE[1], : SIZE[0]] / max(SIZE)
    rgb = np.stack([255 * right, 255 * down, 255 * (1 - right)], axis=2).astype(np.uint8)
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray((grey / 255).astype(np.float32))
    return Image.fromarray(rgb).convert(mode)


def file(form: str, mode: str = "RGB", **options) -> bytes:
    kept = BytesIO()
    picture(mode).save(kept, form, **options)
    return kept.getvalue()


def transparent() -> Image.Image:
    image = picture("RGBA")
    image.putalpha(Image.fromarray(np.asarray(picture("L"))))
    return image


def animated(form: str) -> bytes:
    kept = BytesIO()
    picture("RGB").save(kept, form, save_all=True, append_images=[Image.new("RGB", SIZE, "red")], duration=100)
    return kept.getvalue()


FILES = {
    "a TIFF": file("TIFF"),
    "a TIFF of LZW": file("TIFF", compression="tiff_lzw"),
    "a TIFF of Deflate": file("TIFF", compression="tiff_adobe_deflate"),
    "a TIFF of PackBits": file("TIFF", compression="packbits"),
    "a TIFF of JPEG": file("TIFF", compression="jpeg", quality=95),
    "a fax": file("TIFF", "1", compression="group4"),
    "a TIFF with a palette": file("TIFF", "P", compression="tiff_lzw"),
    "a grey TIFF of 16 bits": file("TIFF", "I;16"),
    "a TIFF of floating point": file("TIFF", "F"),
    "a TIFF of inks": file("TIFF", "CMYK"),
    **{f"a TIFF turned by {turn}": file("TIFF", tiffinfo={274: turn}) for turn in (2, 3, 4, 5, 6, 7, 8)},
    "a PNG of 16 bits": file("PNG", "I;16"),
    "a JPEG of inks": file("JPEG", "CMYK", quality=95),
    "a GIF that moves": animated("GIF"),
    "a WebP that moves": animated("WEBP"),
    "a BMP": file("BMP"),
    "an AVIF": file("AVIF", quality=95),
}


def test_photos_are_the_same_pixels_as_in_python(decoded):
    kept = BytesIO()
    transparent().save(kept, "TIFF", compression="tiff_lzw")
    for name, data in (FILES | {"a TIFF to see through": kept.getvalue()}).items():
        found, expected = decoded(data), load_image(data)
        assert not isinstance(found, str), f"{name}: {found}"
        assert found.shape == expected.shape, name
        assert np.abs(found.astype(int) - expected).mean() < 1.5, name


def test_profiles_are_followed_to_the_grey_value(decoded):
    forms = {
        "JPEG": {},
        "PNG": {},
        "WEBP": {"lossless": True},
        "TIFF": {},
        "HEIF": {"quality": -1},
        "AVIF": {"quality": 95},
    }
    p3 = rgb_profile(P3_D50, srgb_curve, name=b"n" * 70_000)  # of two segments in JPEG
    for form, options in forms.items():
        plain = load_image(file(form, **options)).astype(int)
        for profile in (p3, rgb_profile(ADOBE_D50, gamma(563 / 256))):
            data = file(form, icc_profile=profile, **options)
            found, expected = decoded(data), load_image(data).astype(int)
            most = {"HEIF": 0.1, "AVIF": 0.3}.get(form, 0)  # rounded otherwise before; the browser's own conversion
            assert np.abs(found - expected).mean() <= most and np.abs(expected - plain).mean() > 3, form
    for profile in (rgb_profile(SRGB_D50, srgb_curve), icc_profile(b"RGB ", {}), b"no profile" * 20):
        assert np.array_equal(decoded(file("JPEG", icc_profile=profile)), load_image(file("JPEG")))


def test_a_photo_that_cannot_be_read_here_is_told_so(decoded):
    assert decoded(file("TIFF", compression="lzma")) == "photo_not_here"
    assert decoded(file("TIFF", "LAB")) == "photo_not_here"
    assert decoded(file("TIFF", big_tiff=True)) == "photo_not_here"
    assert decoded(file("TIFF")[:-100]) == "photo_damaged"
    assert decoded(file("ICO")) == "photo_is_icon"
    tags = {256: 60_000, 257: 60_000, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 60_000, 279: 8}
    directory = b"".join(struct.pack("<2H2I", tag, 4, 1, value) for tag, value in tags.items())
    assert decoded(b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + bytes(100)) == "photo_pixels"
