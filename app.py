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

from webui.address import listen, named_address
from webui.limits import Limits
from webui.visitors import named_proxies

SERVER_NAME, SERVER_PORT = named_address(os.environ)
LIMITS = Limits(proxies=named_proxies(os.environ))

import contextlib
import sys
from collections.abc import Iterator

import cv2

from inference.imports import imported_later, without_sources

# At each import Gradio parses the source of all its components and writes stubs of their types beside it, for editors, which
# takes half of the time; pandas takes 70 MB and is for tables, of which the page has none, and fsspec is for a client.
with without_sources("gradio.component_meta"), imported_later("pandas", "fsspec", "fsspec.asyn"):
    import gradio as gr
    from gradio.routes import App

from inference.analyzer import FaceAnalyzer
from inference.emotion import live_model
from inference.model_files import ModelError
from webui.client import I18N, tab
from webui.front import HEAD, TABS, language_links
from webui.memory import return_large_blocks
from webui.server import build_sessions, build_video_server, launch
from webui.snippets import declare_api

if os.environ.get("SPACES_ZERO_GPU") == "true":  # the Space would end at the start without a function for its GPU
    import spaces

    spaces.GPU(lambda: None)  # never called: the page answers on the CPU there


@contextlib.contextmanager
def without_applications() -> Iterator[None]:
    """Gradio makes the web application of a page at each step of building it; the one that serves is made by launch()."""
    made = vars(App)["create_app"]
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        App.create_app = made  # type: ignore[method-assign]


def build_page() -> gr.Blocks:
    """The page, ready to launch: Gradio has the frame, the modules of webui/static fill the tabs."""
    with without_applications(), gr.Blocks(title="Ifade", analytics_enabled=False) as page:
        with gr.Column(elem_classes="ifade-head"):
            gr.HTML(language_links(), elem_id="ifade-languages")
            gr.Markdown(I18N("page_introduction"))
            gr.HTML(HEAD, elem_id="ifade-notice")
        for name in TABS:
            with gr.Tab(I18N(f"page_{name}"), id=name):
                tab(name)
        declare_api()
    # At a Space's own address Gradio shows a banner of the Hub otherwise, which loads fonts from Google.
    page.space_id = None
    return page


def main() -> None:
    return_large_blocks()
    cv2.setNumThreads(1)  # threads are for one visitor each
    address = listen(SERVER_NAME, SERVER_PORT)
    try:
        analyzer = FaceAnalyzer()
        sessions = build_sessions(LIMITS, live_model(analyzer.classifier))
        video = build_video_server(sessions)
    except ModelError as error:
        sys.exit(f"error: {error}")
    session = analyzer.classifier.session
    print(f"Emotion model on {session.provider}{f' (CUDA: {session.cuda_problem})' if session.cuda_problem else ''}")
    launch(build_page(), analyzer, sessions, video, address)


if __name__ == "__main__":
    main()
