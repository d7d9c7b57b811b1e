"""How the page bears many visitors at once, clients that vanish or dawdle, and hostile requests.

    python -m benchmarks.load --json FILE [--minutes 20] [--photos 50] [--streams 16] [--hostile 5000] [--seed 0]
    python -m benchmarks.load --docs FILE

The first starts `python app.py` on a port and in a temporary folder of its own and runs these phases one after another:

    before   one visitor, one photo after another, when as many as come later have been there once
    photos   PHOTOS clients that send a photo each at the same moment, every second one as the page does, the others as
             programs do (/analyze); each picture is another, and its right answer is known from a direct call
    live     STREAMS cameras at once, each of which sends its next frame when the last is answered
    soak     both together for MINUTES; meanwhile a process that holds half-sent and unread requests is killed (kill -9) and
             started anew all the time, and slow clients send or read a byte a second
    hostile  HOSTILE requests over every address: wrong methods, headers and types, malformed and huge JSON, paths that
             climb out of folders, and valid requests with random changes
    attacks  each of `benchmarks.hostile.ATTACKS` for ATTACK_SECONDS, by one client of another address, and meanwhile a visitor who
             sends photos, one with a camera, and one who asks for the page's health
    after    the same as before, REST seconds later

A request is a photo with all that belongs to it (upload, call, answer), a frame, or a hostile request. `answered` and `wrong`
(another answer than the right one: somebody else's, say) are those that got one; `refused` those that got a 4xx (hostile
requests) or a 503 with a sentence that says so (everybody); `errors` everything else: a 5xx, a traceback in an answer, a
closed connection, silence for ANSWER_SECONDS. The exit status is 1 where `errors` or `wrong` is not 0. The process's memory
(`server_rss_mb`), threads, open files and the files in its temporary folder are read before, after the phases and after the
rest. Linux only, for /proc. Nothing else should be running.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import httpx
import numpy as np

from benchmarks.camera import GRIDS, PERIOD, jpeg, moving_faces
from benchmarks.hostile import ATTACKS, FILE, MULTIPART, dawdle, hostile_request, multipart, raw, vanish_again_and_again
from benchmarks.results import write_result
from benchmarks.screenshot import free_port, page_process
from benchmarks.speed import processor
from inference.processors import usable_processors
from webui.limits import Limits

ANSWER_SECONDS = 120
"""How long a client waits for its answer."""
READ_SECONDS = 3.0
"""How long the answer to a hostile request is read: streams of events do not end."""
LONE_PHOTOS = 12
"""The visitor who is alone sends so many photos, before and after the others, or each once where there are fewer."""
WARM_SECONDS = 3.0
"""The cameras run so many seconds before everything else, or --live-seconds where that is less."""
SETTLING_SECONDS = 150.0
"""The seconds after which the page has forgotten the visitors' photos (`webui.api`), or --rest where that is less."""
PAUSE_SECONDS = 2.0
"""Longest pause of a soaking client between two photos."""
POLITE_SECONDS = 0.3
"""Pause of the visitor between two photos while an attack goes on."""
SETTLED_SECONDS = 1.0
"""Where a camera's last three frames took longer, not everybody in the picture need be shown."""
PROBLEMS = 20
"""Descriptions of problems that are kept of each phase."""


class Refused(Exception):
    """The page said that it has no room."""


@dataclass
class Phase:
    """What became of the requests of one phase; latencies in seconds."""

    requests: int = 0
    answered: int = 0
    refused: int = 0
    errors: int = 0
    wrong: int = 0
    latencies: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def error(self, what: str) -> None:
        self.errors += 1
        if len(self.problems) < PROBLEMS:
            self.problems.append(what)

    def answer(self, seconds: float, right: bool, what: str) -> None:
        self.answered += 1
        self.latencies.append(seconds)
        if not right:
            self.wrong += 1
            if len(self.problems) < PROBLEMS:
                self.problems.append(f"wrong answer: {what}")

    def to_dict(self) -> dict:
        counts = {name: getattr(self, name) for name in ("requests", "answered", "refused", "errors", "wrong")}
        return {**counts, "latency_ms": percentiles(self.latencies), "problems": self.problems}


def percentiles(seconds: list[float]) -> dict:
    """p50, p95 and max in milliseconds; None where there is nothing."""
    if not seconds:
        return {"p50": None, "p95": None, "max": None}
    return dict(zip(("p50", "p95", "max"), np.round(np.percentile(seconds, (50, 95, 100)) * 1e3, 1).tolist()))


@dataclass(frozen=True)
class Picture:
    """A JPEG and its right answer: boxes (N, 4) as parts of width and height, consensus (N, 7)."""

    data: bytes
    width: int
    height: int
    boxes: np.ndarray
    consensus: np.ndarray


def make_pictures(count: int, streams: int) -> tuple[list[Picture], list[Picture]]:
    """Photos, and frames for the cameras, of one to six faces; their right answers come from the analyzers of the page.

    No two photos have the same size, and no two frames their faces in the same places, so that answers cannot be mixed up
    unseen.
    """
    from inference.analyzer import FaceAnalyzer
    from inference.detector import FaceDetector
    from inference.emotion import LIVE_MODEL, EmotionClassifier
    from inference.images import load_image

    frames = {faces: list(moving_faces(faces)) for faces in GRIDS}

    def make(analyzer: FaceAnalyzer, number: int, scale: float, brightness: float) -> Picture:
        faces = frames[list(GRIDS)[number % len(GRIDS)]]
        frame = cv2.resize(faces[number * 7 % PERIOD], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        data = jpeg(np.clip(frame * brightness, 0, 255).astype(np.uint8), 85)
        result = analyzer.analyze(load_image(data))
        size = np.array([result.width, result.height] * 2)
        boxes = np.array([face.detection.box for face in result.faces]).reshape(-1, 4) / size
        return Picture(data, result.width, result.height, boxes, np.array([face.consensus for face in result.faces]))

    analyzer = FaceAnalyzer()
    photos = [make(analyzer, i, 1 + i / 64, 0.5 + 0.7 * (i * 13 % count) / count) for i in range(count)]
    analyzer = FaceAnalyzer(FaceDetector(), EmotionClassifier(LIVE_MODEL))
    cameras = [make(analyzer, i, 1.0, 1.0) for i in range(streams)]
    return photos, cameras


class Visitors:
    """The well-behaved clients, all of one event loop.

    Args:
        http: sends their requests.
    """

    def __init__(self, http: httpx.AsyncClient):
        self._http = http

    async def photo(self, phase: Phase, picture: Picture, as_page: bool) -> None:
        """Send a photo and look at the answer."""
        phase.requests += 1
        started = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                right = await (self._ask_as_page if as_page else self._ask_as_program)(picture)
        except Refused:
            phase.refused += 1
        except (httpx.HTTPError, ValueError, LookupError, TypeError, TimeoutError) as error:
            phase.error(f"photo: {type(error).__name__}: {error}")
        else:
            what = f"photo of {picture.width} x {picture.height}, as {'page' if as_page else 'program'}"
            phase.answer(time.perf_counter() - started, right, what)

    async def _ask_as_page(self, picture: Picture) -> bool:
        return _is_right(_json(await self._http.post("/analyze?why=1", content=picture.data)), picture)

    async def _ask_as_program(self, picture: Picture) -> bool:
        upload = {"files": ("photo.jpg", picture.data, "image/jpeg")}
        (path,) = _json(await self._http.post("/gradio_api/upload", files=upload))
        call = {"data": [{"path": path, "meta": FILE}]}
        event = _json(await self._http.post("/gradio_api/call/analyze", json=call))["event_id"]
        name = ""
        async with self._http.stream("GET", f"/gradio_api/call/analyze/{event}") as stream:
            async for line in stream.aiter_lines():
                key, _, value = line.partition(": ")
                name = value if key == "event" else name
                if key == "data" and name == "complete":
                    (result,) = json.loads(value)
                    return _is_right(result, picture)
                if key == "data" and name == "error":
                    raise ValueError(value)
        raise ValueError("the stream of events ended without an answer")

    async def stream(self, phase: Phase, picture: Picture, until: float) -> None:
        """Be a camera in front of a picture until `until` (of time.monotonic)."""
        try:
            token = _json(await self._http.post("/session/start"))["session"]
        except (Refused, httpx.HTTPError, ValueError, LookupError) as error:
            phase.requests += 1
            phase.error(f"start: {type(error).__name__}: {error}")
            return
        headers = {"X-Session": token, "X-Camera": f"{picture.width}x{picture.height}"}
        recent: deque[float] = deque(maxlen=3)  # times of the last frames
        for number in itertools.count():
            if time.monotonic() > until:
                break
            phase.requests += 1
            started = time.perf_counter()
            recent.append(time.time())
            headers["X-Seconds"] = str(recent[-1])
            try:
                answer = _json(await self._http.post("/live/frame", content=picture.data, headers=headers))
                boxes = [person["box"] for person in answer["people"]]
            except Refused:
                phase.refused += 1
                await asyncio.sleep(1)
            except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
                phase.error(f"frame: {type(error).__name__}: {error}")
                await asyncio.sleep(1)
            else:
                # A person is shown from the second look on, and after a gap anew; until then some may be missing.
                settled = number > 2 and recent[-1] - recent[0] < SETTLED_SECONDS
                complete = len(boxes) == len(picture.boxes) and _among(picture.boxes, boxes, 0.03)
                right = _among(boxes, picture.boxes, 0.03) and (complete or not settled)
                phase.answer(time.perf_counter() - started, right, f"frame {number} of {len(picture.boxes)} faces")
        with contextlib.suppress(httpx.HTTPError):
            await self._http.post("/session/delete", headers={"X-Session": token})


def _is_right(result: dict, picture: Picture) -> bool:
    consensus = [list(face["consensus"].values()) for face in result["faces"]]
    size = result["width"], result["height"]
    return size == (picture.width, picture.height) and _near(consensus, picture.consensus, 0.01)


def _json(response: httpx.Response):
    if response.status_code == 503 and _is_polite(response.text):
        raise Refused(response.text)
    if response.status_code != 200:
        raise ValueError(f"{response.status_code} {response.text[:200]}")
    return response.json()


def _is_polite(text: str) -> bool:
    """Whether there is a sentence for the visitor in an answer, and nothing of the program."""
    return bool(re.search(r"[A-Z][^\"]* [^\"]* [^\"]*\.", text)) and not _tells_of_the_program(text)


def _tells_of_the_program(text: str) -> bool:
    return "Traceback (most" in text or bool(re.search(r"\.py\", line \d", text))


def _near(values, wanted, tolerance: float) -> bool:
    values, wanted = np.asarray(values, float), np.asarray(wanted, float)
    return values.shape == wanted.shape and bool(np.all(np.abs(values - wanted) <= tolerance))


def _among(values, wanted, tolerance: float) -> bool:
    """Whether each of the rows is one of the wanted ones."""
    return all(any(_near(row, right, tolerance) for right in wanted) for row in values)


async def send_hostile(address: tuple[str, int], phase: Phase, request: bytes, malformed: bool) -> str:
    """Send a hostile request and judge the answer; its status, or what became of it."""
    phase.requests += 1
    started, answer = time.perf_counter(), b""
    line = request.split(b"\r\n", 1)[0][:150].decode("latin-1")
    try:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        if malformed:
            writer.write_eof()  # a body that never comes is not waited for
        with contextlib.suppress(ConnectionError):  # the answer to a body that is refused may come before its end
            await writer.drain()
        with contextlib.suppress(TimeoutError):
            answer = await asyncio.wait_for(reader.read(65536), ANSWER_SECONDS)
            async with asyncio.timeout(READ_SECONDS):
                while len(answer) < 2**20 and (part := await reader.read(65536)):
                    answer += part
        writer.close()
    except OSError:
        pass
    status = re.match(rb"HTTP/1\.1 (\d{3}) ", answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n"))
    if not status:
        if malformed:
            phase.refused += 1
            return "closed"
        phase.error(f"{line}: no answer")
        return "no answer"
    code, text = int(status[1]), answer.decode("latin-1")
    if _tells_of_the_program(text):
        phase.error(f"{line}: {code} with a traceback")
    elif code >= 500 and not (code == 503 and _is_polite(text)):
        phase.error(f"{line}: {code} {text.partition(chr(13) + chr(10) * 2)[2][:200]}")
    elif code >= 400:
        phase.refused += 1
    else:
        phase.answered += 1
        phase.latencies.append(time.perf_counter() - started)
    return str(code)


@dataclass
class Server:
    """What the system says of the page's process."""

    process: int
    folder: Path

    def look(self) -> dict:
        """Memory in MB, that of its children too, threads, open files, and files in the temporary folder with their size."""
        status, children = Path(f"/proc/{self.process}/status").read_text(), 0.0
        for task in Path(f"/proc/{self.process}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread or a child that has just ended
                for child in (task / "children").read_text().split():
                    memory = Path(f"/proc/{child}/smaps_rollup").read_text()
                    children += int(re.search(r"Pss:\s+(\d+)", memory)[1]) / 1024
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        return {
            "rss_mb": round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1),
            "peak_mb": round(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024, 1),
            "children_mb": round(children, 1),
            "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
            "open_files": len(os.listdir(f"/proc/{self.process}/fd")),
            "temporary_files": len(files),
            "temporary_bytes": sum(file.stat().st_size for file in files),
        }


async def run_phases(address: str, server: Server, photos: list[Picture], cameras: list[Picture], args) -> dict:
    """All phases against a running page."""
    place = (urlsplit(address).hostname, urlsplit(address).port)
    phases = {name: Phase() for name in ("before", "photos", "live", "soak photos", "soak live", "hostile", "after")}
    details: dict = {}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=address, timeout=ANSWER_SECONDS, limits=limits) as http:
        visitors = Visitors(http)

        async def lone(phase: Phase) -> None:
            for number, picture in enumerate(photos[:LONE_PHOTOS]):
                await visitors.photo(phase, picture, number % 2 == 0)

        details["start"] = server.look()
        # Everything works once and for as many as come later, so that it has its memory and threads.
        await asyncio.gather(*(visitors.photo(Phase(), picture, i % 2 == 0) for i, picture in enumerate(photos)))
        until = time.monotonic() + min(WARM_SECONDS, args.live_seconds)
        await asyncio.gather(*(visitors.stream(Phase(), camera, until) for camera in cameras))
        await asyncio.sleep(min(args.rest, SETTLING_SECONDS))
        await lone(phases["before"])
        details["before"] = server.look()

        await asyncio.gather(*(visitors.photo(phases["photos"], p, i % 2 == 0) for i, p in enumerate(photos)))
        details["after photos"] = server.look()

        until = time.monotonic() + args.live_seconds
        await asyncio.gather(*(visitors.stream(phases["live"], camera, until) for camera in cameras))
        details["after live"] = server.look()

        until, rng = time.monotonic() + args.minutes * 60, random.Random(args.seed)

        async def send_photos(number: int) -> None:
            for i in itertools.count(number * 7):
                if time.monotonic() > until:
                    break
                await visitors.photo(phases["soak photos"], photos[i % len(photos)], i % 2 == 0)
                await asyncio.sleep(rng.uniform(0, PAUSE_SECONDS))

        token = (await http.post("/session/start")).json()["session"]
        upload = raw("POST", "/gradio_api/upload", multipart(photos[0].data), Content_Type=MULTIPART)
        frame = {"X_Session": token, "X_Seconds": "1", "X_Camera": "640x480"}
        slow = {
            "upload": (upload, False),
            "call": (raw("POST", "/gradio_api/call/analyze", bytes(5000), Content_Type="application/json"), False),
            "frame": (raw("POST", "/live/frame", photos[0].data, **frame), False),
            "page": (raw("GET", "/"), True),
        }
        cut: dict[str, list[float]] = {name: [] for name in slow}
        memory: list[float] = []

        async def watch_memory() -> None:
            for minute in range(1, int(args.minutes) + 1):
                await asyncio.sleep(until - args.minutes * 60 + minute * 60 - time.monotonic())
                memory.append(server.look()["rss_mb"])

        vanished, *_ = await asyncio.gather(
            vanish_again_and_again(place, photos[0].data, token, until),
            *(dawdle(place, request, reads, until, cut[name]) for name, (request, reads) in slow.items()),
            *(visitors.stream(phases["soak live"], camera, until) for camera in cameras),
            *(send_photos(number) for number in range(max(1, len(photos) // 5))),
            watch_memory(),
        )
        details["soak"] = {
            "vanished_clients": vanished,
            "slow_clients_ended_after_seconds": cut,
            "rss_mb_each_minute": memory,
        }
        details["after soak"] = server.look()
        # The session of those who vanished is free for its next frame.
        headers = {"X-Session": token, "X-Seconds": str(time.time()), "X-Camera": "640x480"}
        phases["soak live"].requests += 1
        answer = await http.post("/live/frame", content=photos[0].data, headers=headers)
        if answer.status_code in (200, 404):  # 404: its time is over
            phases["soak live"].answered += 1
        else:
            phases["soak live"].error(f"the session of vanished clients: {answer.status_code} {answer.text}")

        requests = (hostile_request(rng, photos[0].data) for _ in range(args.hostile))
        statuses: Counter[str] = Counter()

        async def send_all() -> None:
            for request, malformed in requests:
                statuses[await send_hostile(place, phases["hostile"], request, malformed)] += 1

        await asyncio.gather(*(send_all() for _ in range(8)))
        details["hostile"] = {"statuses": dict(sorted(statuses.items()))}
        details["after hostile"] = server.look()

        details["attacks"] = {}
        for name in args.attacks:
            phases[name], phases[f"{name}, frames"] = Phase(), Phase()
            details["attacks"][name] = await attacked(
                visitors, http, name, phases, photos, cameras[0], args.attack_seconds
            )
        details["after attacks"] = server.look()

        await asyncio.sleep(args.rest)
        details["after rest"] = server.look()
        await lone(phases["after"])
    return {"phases": phases, "details": details}


async def attacked(
    visitors: Visitors,
    http: httpx.AsyncClient,
    name: str,
    phases: dict[str, Phase],
    photos: list,
    camera: Picture,
    seconds: float,
) -> dict:
    """One attack, by a process of its own; what /health said meanwhile."""
    command = ("-m", "benchmarks.hostile", name, str(http.base_url.port), str(seconds))
    attacker = await asyncio.create_subprocess_exec(sys.executable, *command)
    until, health = time.monotonic() + seconds, Counter[str]()

    async def send_photos() -> None:
        for number in itertools.count():
            if time.monotonic() > until:
                break
            await visitors.photo(phases[name], photos[number % len(photos)], number % 2 == 0)
            await asyncio.sleep(POLITE_SECONDS)

    async def ask_health() -> None:
        while time.monotonic() < until:
            try:
                health[str((await http.get("/health")).status_code)] += 1
            except httpx.HTTPError as error:
                health[type(error).__name__] += 1
            await asyncio.sleep(1)

    await asyncio.gather(send_photos(), visitors.stream(phases[f"{name}, frames"], camera, until), ask_health())
    try:
        await asyncio.wait_for(attacker.wait(), ANSWER_SECONDS)
    except TimeoutError:
        attacker.kill()
        await attacker.wait()
    return {"health": dict(health), "attacker_ended_with": attacker.returncode}


def tracebacks(printed: str) -> Counter:
    """How often each traceback stands in what a program printed.

    Its name is where it was raised, as folder, file and line, without what a machine calls the folders above, and the first
    line that is not indented, which says what went wrong.
    """
    kinds: Counter[str] = Counter()
    for text in printed.split("Traceback (most recent call last):\n")[1:]:
        frames, error = re.match(r"((?:[ |+].*\n|\n)*)(.*)", text).groups()
        places = re.findall(r'File "(?:.*/)?([^/"]+/[^/"]+)", line (\d+)', frames)
        kinds[f"{':'.join(places[-1]) if places else ''}: {error[:200]}"] += 1
    return kinds


def measure(args) -> dict:
    """Start the page, run all phases, end it."""
    photos, cameras = make_pictures(args.photos, args.streams)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        environment = {"TMPDIR": folder, "PYTHONUNBUFFERED": "1", "IFADE_PROXIES": "1"}  # so that strangers are others
        with page_process(free_port(), environment, log=log) as (address, process):
            server = Server(process.pid, Path(folder))
            result = asyncio.run(run_phases(address, server, photos, cameras, args))
            alive = process.poll() is None
        log.seek(0)
        printed = log.read().decode(errors="replace")
    phases, details = result["phases"], result["details"]
    everything = Phase()
    for phase in phases.values():
        for name in ("requests", "answered", "refused", "errors", "wrong", "latencies"):
            setattr(everything, name, getattr(everything, name) + getattr(phase, name))
    kinds = tracebacks(printed)
    details["server"] = {"alive": alive, "log_lines": printed.count("\n"), "tracebacks_in_log": kinds.total()}
    if kinds:
        details["server"]["tracebacks"] = dict(kinds.most_common(PROBLEMS))
    whole = everything.to_dict()
    return {
        "processor": processor(),
        "processors": usable_processors(),
        **{name: getattr(args, name) for name in ("minutes", "photos", "streams", "hostile", "seed", "rest")},
        **{name: whole[name] for name in ("requests", "answered", "refused", "errors", "wrong")},
        "latency_ms": {"all": whole["latency_ms"]}
        | {name: percentiles(phase.latencies) for name, phase in phases.items()},
        "server_rss_mb": {
            "start": details["start"]["rss_mb"],
            "before": details["before"]["rss_mb"],
            "peak": details["after rest"]["peak_mb"],
            "after": details["after hostile"]["rss_mb"],
            "after_attacks": details["after attacks"]["rss_mb"],
            "after_rest": details["after rest"]["rss_mb"],
        },
        "phases": {name: phase.to_dict() for name, phase in phases.items()},
        "details": details,
    }


def _soaked(memory: list[float]) -> str:
    """How the memory of each minute went, once visitors who vanished were forgotten as fast as others came."""
    quarter = len(memory) // 4
    if not quarter:
        return ""
    third, fourth = np.mean(memory[2 * quarter : 3 * quarter]), np.mean(memory[3 * quarter :])
    return f", and {third:.0f} and {fourth:.0f} in the mean of the soak's third and fourth quarter"


def _health(result: dict) -> str:
    """What /health said while the page was attacked, and the memory afterwards."""
    attacks, memory = result["details"].get("attacks", {}), result["server_rss_mb"].get("after_attacks")
    said = sum((Counter(attack["health"]) for attack in attacks.values()), Counter())
    if not said:
        return ""
    wrong = ", ".join(f"{status} {count:,} times" for status, count in sorted(said.items()) if status != "200")
    return f" During the attacks /health said 200 {said['200']:,} times, {wrong or 'and nothing else'}; memory was {memory:.0f} MB after them."


def to_markdown(result: dict) -> str:
    """The table of a result."""
    before, rest = result["details"]["before"], result["details"]["after rest"]
    memory, soak = result["server_rss_mb"], result["details"]["soak"]
    titles = {
        "before": "one visitor's photos, before",
        "photos": f"{result['photos']} photos at the same moment",
        "live": f"{result['streams']} cameras at once",
        "soak photos": f"both together for {result['minutes']:g} minutes: photos",
        "soak live": "... and frames",
        "hostile": "hostile requests",
        **{
            key: f"attack on {name}: another visitor's {kind}"
            for name in ATTACKS
            for key, kind in ((name, "photos"), (f"{name}, frames", "frames"))
        },
        "after": "one visitor's photos, afterwards",
    }
    lines = [
        "Photos and cameras with one to six faces made from the example photograph, no two alike, on "
        f"{result['processor']}, {result['processors']} cores, which the clients share with the server:",
        "",
        "| phase | requests | answered | refused | errors | wrong answers | p50, p95, max (ms) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in titles.items():
        if name not in result["phases"]:  # of a run before there were attacks
            continue
        phase = result["phases"][name]
        latency = ", ".join("-" if value is None else f"{value:,.0f}" for value in phase["latency_ms"].values())
        counts = (f"{phase[key]:,}" for key in ("requests", "answered", "refused", "errors", "wrong"))
        lines.append(f"| {title} | {' | '.join(counts)} | {latency} |")
    lines += [
        "",
        f"Refused: a 4xx, or a 503 with a sentence that says what to do. Meanwhile {soak['vanished_clients']:,} clients were "
        "killed in the middle of their requests, and others sent or read a byte a second. The server's memory was "
        f"{memory['start']:.0f} MB when it had started, {memory['before']:.0f} when as many visitors had been there once, "
        f"{memory['peak']:.0f} at most, {memory['after_rest']:.0f} after {result['rest']:g} seconds of rest (the page keeps "
        f"what a visitor had who vanished for {Limits.idle_seconds / 60:.0f} minutes){_soaked(soak['rss_mb_each_minute'])}; open files "
        f"{before['open_files']} and {rest['open_files']}, threads {before['threads']} and {rest['threads']}, files in its temporary folder {before['temporary_files']} and {rest['temporary_files']}.{_health(result)} Written "
        "by `python -m benchmarks.load --docs FILE` from a run of `python -m benchmarks.load --json FILE --rest "
        f"{result['rest']:g}`.",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="How the page bears many visitors.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the result")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="write docs/results/load.md from a result")
    parser.add_argument("--minutes", type=float, default=20, help="length of the soak")
    parser.add_argument("--photos", type=int, default=50, help="photos that are sent at the same moment")
    parser.add_argument("--streams", type=int, default=16, help="cameras at once")
    parser.add_argument("--live-seconds", type=float, default=60, help="length of the phase with cameras alone")
    parser.add_argument("--hostile", type=int, default=5000, help="hostile requests")
    parser.add_argument("--attacks", nargs="*", choices=ATTACKS, default=list(ATTACKS), help="which; default: all")
    parser.add_argument("--attack-seconds", type=float, default=20, help="length of each attack")
    parser.add_argument("--rest", type=float, default=100, help="seconds of rest before the last look")
    parser.add_argument("--seed", type=int, default=0, help="of the hostile requests")
    args = parser.parse_args()
    if args.docs:
        result = json.loads(args.docs.read_text())
        write_result("load", "Many visitors at once, and hostile ones", to_markdown(result), result)
        return 0
    if not Path("/proc/self/status").is_file():
        parser.error("this needs Linux, because it reads the server's memory and open files from /proc")
    result = measure(args)
    text = json.dumps(result, indent=2)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")
    return int(result["errors"] > 0 or result["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
