"""The page: `python app.py` opens it; a Space runs it."""

import os

from inference.start import (
    end_on_interrupt,
    forget_proxies,
    open_standard_streams,
    require_system_libraries,
    require_temporary_folder,
)

if __name__ == "__main__":
    end_on_interrupt()
    open_standard_streams()

# Before Gradio is imported: it sends usage data at import otherwise.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
# Of that many calls the times and sessions stay in memory; Gradio sums them up after each.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "64"

forget_proxies()
require_system_libraries()
require_temporary_folder("GRADIO_TEMP_DIR", "gradio")

from webui.address import Address, listen, named_address, start_server

SERVER_NAME, SERVER_PORT = named_address(os.environ)

import contextlib
import gradio as gr
import logging
import sys
from functools import partial
from gradio import http_server
from pathlib import Path
from starlette.middleware import Middleware
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route

from inference.age_gender import find_estimator
from inference.analyzer import FaceAnalyzer
from inference.detector import DetectorError, FaceDetector
from inference.drawing import shrink
from inference.emotion import EmotionClassifier
from inference.follow import FaceFollower
from inference.images import MAX_BYTES, ImageError, load_image
from inference.model_files import ModelError
from inference.stream import Stream
from webui.bodies import Bodies
from webui.client import STATIC, DocumentMiddleware, example_routes, held_ages, module_routes, settings, tab
from webui.connections import bound_connections
from webui.guard import Guard, return_large_blocks, tidy
from webui.language import language_links
from webui.lifetime import Lifetime
from webui.limits import Limits
from webui.live import LiveServer
from webui.photo import PhotoServer
from webui.photo_input import NOT_FETCHED, UNUSABLE, PhotoInput, SentPhoto, refuse_addresses
from webui.session_routes import SessionServer
from webui.sessions import SessionStore
from webui.snippets import api_routes
from webui.texts import LANGUAGES, PageError, text, texts
from webui.video import VideoServer

if os.environ.get("SPACES_ZERO_GPU") == "true":  # the Space would end at the start without a function for its GPU
    import spaces

    spaces.GPU(lambda: None)  # never called: the page answers on the CPU there

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE / "examples" / "astronaut.jpg"

LIVE_MODEL = "emotion_int8.onnx"

MODEL_CARD = HERE / "MODEL_CARD.md"


def _page_texts(language: str) -> dict[str, str]:
    """What Gradio's components say, by key."""
    kept = {
        "left": Limits.left_seconds,
        "idle": Limits.idle_seconds // 60,
        "card": " " + text(language, "model_card") if MODEL_CARD.is_file() else "",
    }
    return texts(language, "page_") | {"page_notice": text(language, "page_notice", **kept)}


I18N = gr.I18n(**{language: _page_texts(language) for language in LANGUAGES})


class Page(gr.Blocks):
    """gr.Blocks that fetches nothing for its callers, tells them what was wrong with their data, and lets them leave out the
    last inputs, which then have the values that they begin with.

    Gradio grants the last to its own clients alone; programs that post `{"data": [photo]}` would be refused since /analyze
    has a second parameter.
    """

    def validate_inputs(self, block_fn, inputs: list) -> None:
        inputs += [getattr(block, "value", None) for block in block_fn.inputs[len(inputs) :]]
        super().validate_inputs(block_fn, inputs)
        refuse_addresses(inputs)

    async def preprocess_data(self, block_fn, inputs: list, *args, **options) -> list:
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **options)
        except gr.Error as error:
            language = next((key for key in LANGUAGES if inputs[-1:] == [key]), "en")  # see SAY_LANGUAGE
            if isinstance(error.__cause__, PageError):
                error.message = error.__cause__.sentence(language)
            raise
        except (
            Exception
        ):  # of Gradio, for data of other types or files that nobody uploaded; a caller would hear nothing
            logging.getLogger(__name__).debug("unusable data", exc_info=True)
            raise gr.Error(UNUSABLE, print_exception=False) from None


def build_page(analyzer: FaceAnalyzer) -> gr.Blocks:
    """The page around one analyzer, ready to launch."""

    def analyze(photo: bytes | None, age_gender: bool = False) -> dict:
        if photo is None:
            raise gr.Error(text("en", "no_photo_sent"), print_exception=False)
        try:
            return analyzer.analyze(load_image(photo), bool(age_gender)).to_dict()
        except (ImageError, DetectorError) as error:
            raise gr.Error(str(error), print_exception=False) from None

    with Page(title="Ifade", analytics_enabled=False) as page:
        with gr.Column(elem_classes="ifade-head"):
            language_links()
            gr.Markdown(I18N("page_introduction"))
            gr.Markdown(I18N("page_notice"), elem_id="ifade-notice")
        with gr.Tab(I18N("page_photo"), id="photo"):
            tab("photo")
        with gr.Tab(I18N("page_live"), id="live"):
            tab("live")
        with gr.Tab(I18N("page_video"), id="video"):
            tab("video")
        sent, asked = SentPhoto(label="Photo", visible=False), gr.Checkbox(False, label="Age and gender", visible=False)
        answer, button = gr.JSON(label="Analysis", visible=False), gr.Button(visible=False)
        button.click(
            analyze,
            [sent, asked],
            answer,
            api_name="analyze",
            api_description="All faces of a photo: width, height, faces (box, score, emotion, probabilities, shown, "
            "sure, consensus, crowd; with age_gender also age, age_range, age_sure, age_distribution, apparent_gender, "
            "gender_sure, gender), provider, milliseconds.",
            concurrency_limit=2,
            concurrency_id="photo",
        )
    # At a Space's own address Gradio shows a banner of the Hub otherwise, which loads fonts from Google.
    page.space_id = None
    return page.queue(max_size=Limits.photos_waiting, api_open=False)


def build_sessions(limits: Limits = Limits()) -> SessionServer:
    """The sessions of Live and Video. Frames of several visitors are worked on at the same time, so each has one thread."""
    analyzer = FaceAnalyzer(
        FaceDetector(threads=1), EmotionClassifier(LIVE_MODEL, threads=1), find_estimator(threads=1)
    )
    return SessionServer(SessionStore(lambda: Stream(analyzer), limits))


def build_video_server(sessions: SessionServer) -> VideoServer:
    """The server side of the Video tab, which takes its time: it asks the larger network, on one thread."""
    analyzer = FaceAnalyzer(FaceDetector(threads=1), EmotionClassifier(threads=1), find_estimator(threads=1))
    return VideoServer(sessions, lambda: FaceFollower(analyzer))


def build_lifetime(analyzer: FaceAnalyzer, store: SessionStore) -> Lifetime:
    """What tells the page's health: the example photograph is analysed as a photo and as a frame of a camera."""
    photo = shrink(load_image(EXAMPLE), 256)
    session = analyzer.classifier.session

    def facts() -> dict:
        return {
            "model": session.metadata.get("version"),
            "provider": session.provider,
            "sessions": len(store),
        }

    return Lifetime(
        [lambda: analyzer.analyze(photo), lambda: store.new_stream().add(photo, 0.0)],
        facts,
        store.limits,
    )


def launch(
    analyzer: FaceAnalyzer, sessions: SessionServer, video: VideoServer, address: Address | None = None, **options
) -> gr.Blocks:
    """Serve the page, until it is told to end unless the options, which are Gradio's, say otherwise.

    Args:
        address: default: the first port of this machine from 7860 on that is free.
    """
    limits = sessions.store.limits
    lifetime, page, bodies = build_lifetime(analyzer, sessions.store), build_page(analyzer), Bodies(limits)
    photo = PhotoServer(analyzer, bodies, limits)
    servers = (photo, sessions, LiveServer(sessions), video, lifetime)
    routes = [route for server in servers for route in server.routes()]

    @contextlib.asynccontextmanager
    async def lifespan(app):
        async with contextlib.AsyncExitStack() as running:
            for server in servers:
                await running.enter_async_context(server.lifespan(app))
            await running.enter_async_context(tidy(page, PhotoInput.photos))
            yield

    # Shown as it is, and not offered for download.
    card = Route("/model-card", lambda request: FileResponse(MODEL_CARD, media_type="text/plain; charset=utf-8"))
    # Gradio hands on what other servers have at an address.
    fetched = Route("/gradio_api/file=http{rest:path}", lambda request: PlainTextResponse(NOT_FETCHED, 403))
    routes += module_routes() + example_routes() + api_routes(page, EXAMPLE) + [fetched] + [card] * MODEL_CARD.is_file()
    held = None if analyzer.estimator is None else held_ages(analyzer.estimator.metrics)
    document = Middleware(DocumentMiddleware, settings=settings(held, limits))
    guard = Middleware(Guard, page=page, photos=PhotoInput.photos, bodies=bodies, own={route.path for route in routes})
    to_the_end = "prevent_thread_lock" not in options
    if to_the_end:
        lifetime.heed_signals()
    http_server.start_server = partial(start_server, address or listen())
    page.launch(
        app_kwargs={
            "routes": routes,
            "middleware": [Middleware(lifetime.gate), document, guard],
            "lifespan": lifespan,
        },
        max_file_size=MAX_BYTES,
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
    bound_connections(page.server, limits)
    if to_the_end:
        lifetime.end_when_told(page, video.close)
    return page


def main() -> None:
    return_large_blocks()
    address = listen(SERVER_NAME, SERVER_PORT)
    try:
        analyzer, sessions = FaceAnalyzer(), build_sessions()
        video = build_video_server(sessions)
    except ModelError as error:
        sys.exit(f"error: {error}")
    session = analyzer.classifier.session
    print(f"Emotion model on {session.provider}{f' (CUDA: {session.cuda_problem})' if session.cuda_problem else ''}")
    launch(analyzer, sessions, video, address)


if __name__ == "__main__":
    main()
