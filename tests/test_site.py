"""The static site, by a plain file server under a path of its own, in headless Chromium: all of it is computed there."""

import csv
import hashlib
import io
import json
import re
from base64 import b64decode
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from playwright.sync_api import expect

from benchmarks.browser import READY, served_folder
from benchmarks.results import ROOT
from clips import face_at, write_face_clip
from export import runtimes, site
from inference.analyzer import FaceAnalyzer
from inference.emotion import LIVE_MODEL, EmotionClassifier
from inference.images import load_image
from inference.saliency import heat_map
from inference.search import WHOLE_SIDE
from inference.tables import NAMES
from inference.types import EMOTIONS
from webui.front import PLACES, named_place
from webui.policy import ISOLATION
from webui.texts import text

EXAMPLES = ROOT / "examples"
PHOTO = "#ifade-photo .ifade-photo-file"
PATH = "some/where/"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Of the host."""
    return tmp_path_factory.mktemp("host")


@pytest.fixture(scope="module")
def files(folder) -> dict[str, bytes]:
    """The site's files by their paths, as they were written."""
    written = site.write(folder / PATH)
    there = [file.relative_to(folder / PATH).as_posix() for file in (folder / PATH).rglob("*") if file.is_file()]
    assert set(there) == set(written)
    return written


@pytest.fixture(scope="module")
def server(folder, files):
    """What ends the server when it is closed, and the site's address."""
    with ExitStack() as running:
        yield running, running.enter_context(served_folder(folder)) + PATH


@pytest.fixture(scope="module")
def page(browser, server):
    """The site as a visitor has it; whatever it asks for is written down, and its errors."""
    context = browser.new_context(permissions=["camera"], locale="en-US")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.asked, page.errors = [], []
    context.on("request", lambda sent: page.asked.append((sent.method, sent.url)))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text) if said.type == "error" else None)
    page.goto(server[1])
    yield page
    context.close()


def cards(page, tab: str = "photo"):
    return page.locator(f"#ifade-{tab} .ifade-card")


def download(page, selector: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.click(selector)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def picture_of(image) -> np.ndarray:
    """The pixels of an <img> whose address is a data URL."""
    with Image.open(io.BytesIO(b64decode(image.get_attribute("src").partition(",")[2]))) as picture:
        return np.asarray(picture.convert("L") if picture.format == "PNG" else picture.convert("RGB"))


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))


def test_the_files_are_those_that_the_site_lists(files):
    listed = dict(reversed(line.split("  ")) for line in files["SHA256SUMS"].decode().splitlines())
    assert set(listed) == set(files) - {"SHA256SUMS"}
    assert all(hashlib.sha256(files[path]).hexdigest() == value for path, value in listed.items())
    kept = json.loads(re.search(r"const FILES = (\{.*?\});", files["sw.js"].decode(), re.DOTALL)[1])
    assert kept == {path: listed[path] for path in set(files) - set(site.ABOUT)}
    front = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert front["sdk"] == "static" and front["app_file"] in files and front["license_link"] in files
    assert front["custom_headers"] == {name.lower(): value for name, value in ISOLATION.items()}
    assert "UTKFace" in files["models/NOTICE"].decode() and b"https:" not in files["index.html"]
    assert max(map(len, files.values())) < 10 * 2**20


def test_the_runtimes_are_those_that_were_fetched():
    listed = dict(reversed(line.split("  ")) for line in runtimes.CHECKSUMS.read_text().splitlines())
    assert set(listed) == {*runtimes.FILES, runtimes.COMPILED, runtimes.SOURCE}
    for name, value in listed.items():
        assert hashlib.sha256((runtimes.VENDOR / name).read_bytes()).hexdigest() == value
    lock = (ROOT / "package-lock.json").read_text()
    wanted = json.loads((ROOT / "package.json").read_text())["dependencies"]
    assert json.loads(lock)["packages"][""]["dependencies"] == wanted and '"resolved"' not in lock
    notice = (ROOT / "NOTICE").read_text()
    assert [name for name in wanted if name not in notice] == []


def test_another_folder_is_not_overwritten(tmp_path, call, capsys):
    (tmp_path / "letter.txt").write_text("mine")
    assert call(site.main, tmp_path) == 1 and "new folder" in capsys.readouterr().err
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_photo_is_answered_as_by_python(page):
    page.get_by_role("button", name=text("en", "example_happy")).click()
    expect(cards(page)).to_have_count(1)
    percents = [float(words.rstrip("%")) for words in cards(page).locator(".ifade-percent").all_inner_texts()]
    image = load_image(EXAMPLES / "happy.jpg")
    (face,) = FaceAnalyzer(classifier=EmotionClassifier(LIVE_MODEL)).analyze(image).faces
    assert percents == pytest.approx(100 * face.consensus, abs=1.5)
    assert cards(page).get_attribute("aria-label") == "Face 1: happy"
    name, data = download(page, "#ifade-photo [data-save=json]")
    answer = json.loads(data)
    assert name == "happy.json" and (answer["width"], answer["height"]) == image.shape[1::-1]
    assert set(answer["faces"][0]) == set(face.to_dict())
    assert answer["faces"][0]["box"] == pytest.approx(face.to_dict()["box"], abs=1.01)
    (row,) = rows_of(download(page, "#ifade-photo [data-save=csv]")[1])
    assert tuple(row) == NAMES and row["shown"] == "happy"
    pictures = cards(page).locator("details img")
    # They are drawn when they are unfolded.
    assert [image.get_attribute("src") for image in pictures.all()] == [None, None]
    cards(page).locator("summary").click()
    expect(pictures.last).to_have_attribute("src", re.compile("^data:"))
    crop, heat = map(picture_of, pictures.all())
    assert np.array_equal(crop, face.crop)
    expected = heat_map(face.crop, face.activation, EMOTIONS.index(face.shown))
    difference = np.abs(heat.astype(int) - expected)
    assert np.ptp(expected.astype(int), axis=2).max() > 60 and difference.mean() < 2
    assert page.get_by_text("Warm: what spoke for").is_visible()


def test_after_large_photos_little_memory_is_kept(browser, server, tmp_path):
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(server[1])
    page.wait_for_function(READY, timeout=60_000)
    (worker,) = page.workers
    worker.evaluate("""async () => {
      const {FaceSearch} = await import(new URL("search.js", location.href)), {see} = FaceSearch.prototype;
      self.runs = []; // pixels of what the network sees at once
      FaceSearch.prototype.see = function (images, part) {
        const {width, height} = part ?? images[0];
        runs.push(images.length * width * height);
        return see.call(this, images, part);
      };
      const {Instance} = WebAssembly;
      self.kernels = []; // their memories, one after the other
      WebAssembly.Instance = function (code) {
        const instance = new Instance(code);
        kernels.push(instance.exports.memory);
        return instance;
      };
    }""")
    # A large face is cut out at once; a picture without one is looked at in all turns.
    photos = [tmp_path / f"{name}.jpg" for name in ("happy", "cat")]
    for photo in photos:
        Image.open(EXAMPLES / photo.name).resize((4000, 3000)).save(photo)
    page.set_input_files(PHOTO, photos)
    expect(page.locator("#ifade-photo .ifade-thumbnail.ifade-done")).to_have_count(len(photos), timeout=60_000)
    assert max(worker.evaluate("runs")) <= WHOLE_SIDE**2
    assert worker.evaluate("kernels.at(-1).buffer.byteLength") < 2**24
    context.close()


def test_what_is_no_photo_is_told_so_and_the_next_is_answered(page, tmp_path):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4) * 2 + bytes(2000))
    words, heic = tmp_path / "words.jpg", tmp_path / "photo.heic"
    words.write_text("words")
    Image.open(EXAMPLES / "sad.jpg").save(heic)  # which this browser does not decode itself
    page.set_input_files(PHOTO, [bomb, words, heic])
    rows = page.locator("#ifade-photo .ifade-photo-table tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("60,000 x 60,000 pixels; at most 50 megapixels")
    expect(rows.nth(2)).to_contain_text("not a photo")
    expect(rows.nth(3)).to_contain_text("sad")


def test_a_worker_that_ends_is_replaced(page):
    (worker,) = page.workers
    worker.evaluate("() => { setTimeout(() => { throw new Error('ended'); }); }")
    page.set_input_files(PHOTO, EXAMPLES / "cat.jpg")
    expect(page.locator("#ifade-photo .ifade-photo-status")).to_have_text(text("en", "no_face"))
    assert worker not in page.workers and page.locator("#ifade-notice .ifade-compute-problem").inner_text() == ""


def test_a_network_that_fails_is_told_so_and_loaded_anew(page):
    (worker,) = page.workers
    broken = "Network.prototype.run = () => Promise.reject(new Error('it is broken'))"
    worker.evaluate(
        f"async (path) => {{ const {{Network}} = await import(path); {broken}; }}", f"/{PATH}static/device/network.js"
    )
    page.set_input_files(PHOTO, [EXAMPLES / "neutral.jpg", EXAMPLES / "angry.jpg"])
    rows = page.locator("#ifade-photo .ifade-photo-table tbody tr")
    expect(rows.filter(has_text="neutral.jpg")).to_contain_text(text("en", "detector_failed"))
    expect(rows.filter(has_text="angry.jpg")).to_contain_text("1angry")


@pytest.mark.parametrize("file", ["models/yunet_n_dynamic.onnx", "static/vendor/onnxruntime.wasm.gz"])
def test_a_file_that_is_missing_or_damaged_is_named(browser, server, files, file):
    context = browser.new_context(locale="en-US", service_workers="block")
    page = context.new_page()
    damaged = {"body": files[file][:5000] + bytes(5000)} if file.endswith(".gz") else {"status": 404}
    page.route(f"**/{file}", lambda route: route.fulfill(**damaged))
    page.goto(server[1])
    words = text("en", "browser_incomplete", file=Path(file).name)
    expect(page.locator("#ifade-notice .ifade-compute-problem")).to_have_text(words)
    page.set_input_files(PHOTO, EXAMPLES / "cat.jpg")
    expect(page.locator("#ifade-photo")).to_contain_text(words)
    context.close()


def test_the_camera_is_followed_and_reported_on(page):
    page.get_by_role("tab", name="Live").click()
    page.click("#ifade-live .ifade-start")
    expect(cards(page, "live")).to_have_count(1)
    expect(cards(page, "live").locator(".ifade-card-answer")).to_have_text("happy")
    expect(page.locator("#ifade-live .ifade-results")).to_be_visible()
    page.click("#ifade-live .ifade-marker-set")
    expect(page.locator("#ifade-live .ifade-markers li")).to_have_count(1)
    page.click("#ifade-live .ifade-stop")
    rows = rows_of(download(page, "#ifade-live [data-file='report.csv']")[1])
    assert tuple(rows[0]) == NAMES and "1" in {row["person"] for row in rows}
    report = json.loads(download(page, "#ifade-live [data-file='report.json']")[1])
    assert report["frames"] == len(rows) and report["people"][0]["mean"] > 0 and len(report["markers"]) == 1
    assert download(page, "#ifade-live [data-file='report.png']")[1].startswith(b"\x89PNG")
    kept = f"() => JSON.parse(sessionStorage.getItem('ifade-kept') ?? '{{}}').timeline?.frames === {report['frames']}"
    page.wait_for_function(kept)
    page.reload()
    expect(page.locator("#ifade-live .ifade-markers li")).to_have_count(1)
    again = json.loads(download(page, "#ifade-live [data-file='report.json']")[1])
    assert [again[name] for name in ("frames", "to", "rows_dropped")] == [report["frames"], report["to"], len(rows)]
    assert again["room"]["mean"] == pytest.approx(report["room"]["mean"], abs=2e-4)
    assert [marker["label"] for marker in again["markers"]] == [marker["label"] for marker in report["markers"]]
    page.click("#ifade-live .ifade-delete")
    page.wait_for_timeout(500)
    page.click("#ifade-live .ifade-delete")
    expect(page.locator("#ifade-live .ifade-session-note")).to_have_text(text("en", "session_deleted_device"))
    assert page.evaluate("sessionStorage.getItem('ifade-kept')") is None


def test_a_video_is_read_picture_by_picture(page, tmp_path):
    clip = write_face_clip(tmp_path / "clip.webm", [number / 10 for number in range(25)])
    page.get_by_role("tab", name="Video").click()
    page.set_input_files("#ifade-video .ifade-file", clip)
    expect(page.locator("#ifade-video .ifade-film-status")).to_contain_text("Frames analysed: 25")
    rows = rows_of(download(page, "#ifade-video [data-file='report.csv']")[1])
    assert [float(row["seconds"]) for row in rows] == pytest.approx([number / 10 for number in range(25)], abs=2e-3)
    for row in rows:
        x = (float(row["x1"]) + float(row["x2"])) / 2
        assert abs(x - face_at(float(row["seconds"]))[0]) < 12 and row["shown"] in EMOTIONS
    cut = write_face_clip(tmp_path / "clip.mp4", [number / 10 for number in range(5)]).read_bytes()
    unread = {
        "cut.mp4": (cut[: cut.rindex(b"moov")], "video_index_missing"),
        "empty.mp4": (b"", "video_empty_device"),
        "clip.avi": (b"RIFF\0\0\0\0AVI " + bytes(3000), "video_unknown_device"),
    }
    for name, (data, key) in unread.items():
        (tmp_path / name).write_bytes(data)
        page.set_input_files("#ifade-video .ifade-file", tmp_path / name)
        expect(page.locator("#ifade-video .ifade-problem")).to_have_text(text("en", key))


@pytest.fixture
def isolated(browser, tmp_path):
    """A page of the site as a Space serves it, not kept for use offline and not opened yet, its address and its folder."""
    site.write(tmp_path / "site")
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.set_default_timeout(60_000)
    with served_folder(tmp_path / "site", ISOLATION) as address:
        yield page, address, tmp_path / "site"
    context.close()


def happy_in(page) -> None:
    """The example photograph's face is found and judged."""
    page.get_by_role("button", name=text("en", "example_astronaut")).click()
    expect(cards(page)).to_have_attribute("aria-label", "Face 1: happy")


def threads_of(page) -> int:
    """Of its networks: workers of the page's worker, each of which loads the runtime."""
    return 1 + sum("onnxruntime" in worker.url for worker in page.workers)


def test_where_the_server_lets_it_its_networks_have_threads(isolated):
    page, address, _ = isolated
    page.goto(address)
    happy_in(page)
    assert page.evaluate("crossOriginIsolated")
    assert threads_of(page) == min(page.evaluate("navigator.hardwareConcurrency"), 4)


def test_where_threads_cannot_start_it_goes_on_without(isolated):
    page, address, folder = isolated
    runtime = folder / "static" / "vendor" / "onnxruntime.js"
    runtime.write_text("if (self.name === 'em-pthread') throw new Error('no threads');\n" + runtime.read_text())
    page.goto(address)
    happy_in(page)
    assert threads_of(page) == 1


def test_after_the_first_visit_it_works_without_a_server_and_nothing_was_sent(page, server):
    page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    asked = list(page.asked)
    server[0].close()
    page.goto(f"{server[1]}?lang=tr")
    page.get_by_role("button", name=text("tr", "example_astronaut")).click()
    expect(cards(page)).to_have_attribute("aria-label", "Yüz 1: mutlu")
    assert page.evaluate("document.documentElement.lang") == "tr" and page.evaluate("crossOriginIsolated")
    assert {(method, address.startswith((server[1], "blob:", "data:"))) for method, address in asked} == {("GET", True)}
    assert any("models/face_check.onnx" in address for _, address in asked)
    assert not any("age_gender.onnx" in address for _, address in asked)  # nobody wanted it
    assert page.errors == []


def test_a_host_names_where_pictures_are_analysed():
    assert PLACES == ("device", "server")
    assert [named_place({}), named_place({"SPACE_ID": "a/b"})] == ["server", "device"]
    assert named_place({"SPACE_ID": "a/b", "IFADE_COMPUTE": "server"}) == "server"
    with pytest.raises(SystemExit, match="IFADE_COMPUTE"):
        named_place({"IFADE_COMPUTE": "cloud"})
