"""The static site in headless Firefox, which is driven by its own protocol (Marionette): JSON over a socket."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.browser import READY, served_folder
from benchmarks.results import ROOT
from benchmarks.screenshot import free_port
from clips import write_face_clip
from export import site
from inference.analyzer import FaceAnalyzer
from inference.emotion import LIVE_MODEL, EmotionClassifier
from inference.images import load_image

PREFERENCES = {
    "media.navigator.streams.fake": True,  # a camera of moving colors
    "media.navigator.permission.disabled": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}
PATIENCE = 90
"""Seconds; there may be one busy core."""


class Firefox:
    """A new one, with an empty profile in `folder`."""

    def __init__(self, program: str, folder: Path):
        port = free_port()
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (folder / "user.js").write_text("\n".join([*lines, f'user_pref("marionette.port", {port});']))
        command = [program, "--headless", "--no-remote", "--marionette", "--profile", folder]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._number = 0
        self._socket = within(lambda: _connected(port))
        self._answers = self._socket.makefile("rb")
        self._read()  # what it is
        self.call("WebDriver:NewSession", capabilities={})

    def _read(self) -> list | dict:
        length = b""
        while (digit := self._answers.read(1)) != b":":
            length += digit
        return json.loads(self._answers.read(int(length)))

    def call(self, command: str, **parameters):
        """The answer to one of Marionette's commands."""
        self._number += 1
        message = json.dumps([0, self._number, command, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(message), message))
        _, _, error, answer = self._read()
        assert error is None, error
        return answer

    def say(self, expression: str):
        """The value of a JavaScript expression in the page."""
        return self.call("WebDriver:ExecuteScript", script=f"return {expression}", args=[], sandbox=None)["value"]

    def choose(self, selector: str, file: Path) -> None:
        """A file in an <input>."""
        found = self.call("WebDriver:FindElement", using="css selector", value=selector)["value"]
        self.call("WebDriver:ElementSendKeys", id=next(iter(found.values())), text=str(file))

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()


def _connected(port: int) -> socket.socket | None:
    try:
        return socket.create_connection(("127.0.0.1", port))
    except OSError:
        return None


def within(ask):
    """The first answer that is true."""
    end = time.monotonic() + PATIENCE
    while not (answer := ask()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return answer


@pytest.fixture(scope="module")
def firefox(tmp_path_factory) -> Iterator[Firefox]:
    """With the site, whose networks are loaded."""
    program = os.environ.get("FIREFOX") or shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("no Firefox found: install it, or name it in FIREFOX")
    folder = tmp_path_factory.mktemp("site")
    site.write(folder)
    with served_folder(folder) as address:
        firefox = Firefox(program, tmp_path_factory.mktemp("profile"))
        firefox.call("WebDriver:Navigate", url=address)
        within(lambda: firefox.say(f"({READY})()"))
        yield firefox
        firefox.close()


def test_firefox_answers_a_photo_as_python_does(firefox):
    firefox.choose("#ifade-photo .ifade-photo-file", ROOT / "examples" / "happy.jpg")
    texts = "[...document.querySelectorAll('#ifade-photo .ifade-percent')].map((part) => part.textContent)"
    percents = [float(words.rstrip("%")) for words in within(lambda: firefox.say(texts))]
    analyzer = FaceAnalyzer(classifier=EmotionClassifier(LIVE_MODEL))
    (face,) = analyzer.analyze(load_image(ROOT / "examples" / "happy.jpg")).faces
    assert percents == pytest.approx(100 * face.consensus, abs=1.5)
    within(lambda: firefox.say("document.querySelectorAll('#ifade-photo .ifade-why img').length === 2"))


def test_firefox_follows_a_camera(firefox):
    firefox.say("document.querySelector('#tab-live').click()")
    firefox.say("document.querySelector('#ifade-live .ifade-start').click()")
    frames = 0

    def several() -> bool:
        nonlocal frames
        frames += firefox.say("ifadeLive.take().length")
        return frames > 10

    within(several)
    assert firefox.say("document.querySelector('#ifade-live .ifade-problem').textContent") == ""


def test_a_camera_s_session_outlasts_a_reload_in_firefox(firefox):
    """That of the camera above, which has run so long, with a marker."""
    markers = "[...document.querySelectorAll('#ifade-live .ifade-markers li input')].map((field) => field.value)"
    kept = "JSON.parse(sessionStorage.getItem('ifade-kept') ?? '{\"timeline\": {\"markers\": []}}').timeline"
    firefox.say("document.querySelector('#ifade-live .ifade-marker-set').click()")
    (label,) = within(lambda: firefox.say(markers))
    firefox.say("document.querySelector('#ifade-live .ifade-stop').click()")
    within(lambda: firefox.say(f"{kept}.markers.length") == 1)
    firefox.call("WebDriver:Refresh")
    assert within(lambda: firefox.say(markers)) == [label]  # of the new worker's session
    assert firefox.say(f"{kept}.frames") > 10


def test_firefox_reads_a_video(firefox, tmp_path):
    firefox.say("document.querySelector('#tab-video').click()")
    clip = write_face_clip(tmp_path / "clip.webm", [number / 10 for number in range(25)])
    firefox.choose("#ifade-video .ifade-file", clip)
    status = "document.querySelector('#ifade-video .ifade-film-status').textContent"
    within(lambda: "Frames analysed: 25" in firefox.say(status))
