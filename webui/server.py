"""How the page is served: Gradio's application, the page's own routes before it, and what stands around both."""

import contextlib
import os
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import cv2
import gradio as gr
from gradio import http_server
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from inference.age_gender import find_estimator
from inference.analyzer import FaceAnalyzer
from inference.detector import FaceDetector
from inference.drawing import shrink
from inference.emotion import LIVE_MODEL, EmotionClassifier
from inference.images import load_image
from inference.stream import Stream
from inference.video_writer import VideoWriter
from webui.address import Address, known_names, listen, start_server
from webui.api import Api
from webui.bodies import Bodies, BodyMiddleware
from webui.card import model_card
from webui.client import I18N, DocumentMiddleware, example_routes, file_routes
from webui.front import MODEL_CARD, STATIC, measured_coverage, named_place, settings
from webui.guard import Guard
from webui.lifetime import Lifetime
from webui.limits import Limits
from webui.live import LiveServer
from webui.memory import returning_memory
from webui.photo import PhotoServer
from webui.policy import PolicyMiddleware
from webui.session_routes import SessionServer
from webui.sessions import SessionStore
from webui.snippets import api_routes
from webui.video import VideoServer

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "astronaut.jpg"


def build_sessions(limits: Limits = Limits(), model: str = LIVE_MODEL) -> SessionServer:
    """The sessions of Live and Video. Frames of several visitors are worked on at the same time, so each has one thread."""
    analyzer = FaceAnalyzer(FaceDetector(threads=1), EmotionClassifier(model, threads=1), find_estimator(threads=1))
    return SessionServer(SessionStore(lambda: Stream(analyzer, camera=True), limits))


def build_video_server(sessions: SessionServer) -> VideoServer:
    """The server side of the Video tab, whose networks are those of Live, to be in memory once."""
    analyzer = sessions.store.new_stream().follower.analyzer
    return VideoServer(sessions, lambda: Stream(analyzer))


def build_lifetime(
    analyzer: FaceAnalyzer, photos: PhotoServer, sessions: SessionServer, live: LiveServer, video: VideoServer
) -> Lifetime:
    """What tells the page's health: a small copy of the example photograph goes the ways of photos, cameras and videos."""
    picture = shrink(load_image(EXAMPLE), 256)
    photo = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        with VideoWriter(clip, picture.shape[1], picture.shape[0]) as writer:
            writer.write(picture, 0.0)
        film = clip.read_bytes()
    session = analyzer.classifier.session

    def facts() -> dict:
        return {
            "model": session.metadata.get("version"),
            "provider": session.provider,
            "sessions": len(sessions.store),
        }

    probes: list[Callable[[], Awaitable]] = [
        partial(photos.probe, photo),
        partial(live.probe, photo),
        partial(video.probe, film),
        sessions.probe,
    ]
    return Lifetime(probes, facts, sessions.store.limits)


def launch(
    page: gr.Blocks,
    analyzer: FaceAnalyzer,
    sessions: SessionServer,
    video: VideoServer,
    address: Address | None = None,
    **options,
) -> gr.Blocks:
    """Serve the page, until it is told to end unless the options, which are Gradio's, say otherwise.

    Args:
        analyzer: of photos.
        address: default: the first port of this machine from 7860 on that is free.
    """
    limits = sessions.store.limits
    bodies = Bodies(limits)
    photos, live = PhotoServer(analyzer, bodies, limits), LiveServer(sessions)
    lifetime = build_lifetime(analyzer, photos, sessions, live, video)
    servers = (photos, Api(photos, bodies, limits), sessions, live, video, lifetime)
    routes = [route for server in servers for route in server.routes()]
    routes += file_routes() + example_routes() + api_routes(page, EXAMPLE)
    if MODEL_CARD.is_file():
        card = HTMLResponse(model_card(MODEL_CARD))
        routes.append(Route("/model-card", lambda request: card))

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with contextlib.AsyncExitStack() as running:
            for server in servers:
                await running.enter_async_context(server.lifespan(app))
            await running.enter_async_context(returning_memory(limits))
            yield

    coverage = None if analyzer.estimator is None else measured_coverage(analyzer.estimator.metrics)
    address = address or listen()
    middleware = [
        Middleware(PolicyMiddleware),
        Middleware(lifetime.gate),
        Middleware(DocumentMiddleware, settings=settings(coverage, limits, start=named_place(os.environ))),
        Middleware(BodyMiddleware, limits=limits),
        Middleware(Guard, own=routes, address=address, names=known_names(os.environ), proxies=limits.proxies),
    ]
    to_the_end = "prevent_thread_lock" not in options
    if to_the_end:
        lifetime.heed_signals()
    setattr(http_server, "start_server", partial(start_server, address, limits))
    page.launch(
        app_kwargs={"routes": routes, "middleware": middleware, "lifespan": lifespan},
        css_paths=STATIC / "style.css",
        i18n=I18N,
        # System fonts: the default theme asks Google for its own.
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        footer_links=["api"],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        **{"prevent_thread_lock": True, **options},
    )
    page._queue.close()  # it would look for calls every millisecond, and none comes to it: see webui.api
    if to_the_end:
        lifetime.end_when_told(page, video.close)
    return page
