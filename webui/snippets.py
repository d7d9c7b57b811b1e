"""What "Use via API" shows: the description of /analyze, and code that runs as it stands, with the example photo of this page."""

from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData
from gradio.route_utils import get_root_url
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from webui.texts import text

INFO, PHOTO = "/gradio_api/info", "/example.jpg"

PYTHON = """from gradio_client import Client, handle_file
from urllib.request import urlretrieve

urlretrieve("{root}/example.jpg", "ifade_example.jpg")  # or a photo of yours

client = Client("{root}")
result = client.predict(
	photo=handle_file("ifade_example.jpg"),
	age_gender=False,
	api_name="/analyze",
)
print(result)"""

JAVASCRIPT = """import {{ Client }} from "@gradio/client";

const photo = await (await fetch("{root}/example.jpg")).blob();  // or a photo of yours

const client = await Client.connect("{root}");
const result = await client.predict("/analyze", {{ photo, age_gender: false }});

console.log(JSON.stringify(result.data[0], null, 2));"""

CURL = """curl -s {root}/example.jpg -o ifade_example.jpg  # or a photo of yours

FILE=$(curl -s {root}/gradio_api/upload -F files=@ifade_example.jpg | tr -d '[]" ')
EVENT=$(curl -s {root}/gradio_api/call/v2/analyze -H "Content-Type: application/json" \\
  -d '{{"photo": {{"path": "'$FILE'", "meta": {{"_type": "gradio.FileData"}}}}, "age_gender": false}}' \\
  | awk -F'"' '{{ print $4 }}')
curl -sN {root}/gradio_api/call/analyze/$EVENT"""

CLI = """curl -s {root}/example.jpg -o ifade_example.jpg  # or a photo of yours

gradio predict {root} /analyze '{{
  "photo": {{"path": "ifade_example.jpg", "meta": {{"_type": "gradio.FileData"}}}},
  "age_gender": false
}}'"""

EXAMPLE_INPUT = {"path": "ifade_example.jpg", "meta": {"_type": "gradio.FileData"}}
PARAMETER = 'A file of your disk, by handle_file("photo.jpg") in Python. ' + text("en", "not_fetched")

SNIPPETS = {"python": PYTHON, "javascript": JAVASCRIPT, "bash": CURL, "cli": CLI}


def analyze(photo: FileData, age_gender: bool = False) -> dict:  # type: ignore[empty-body]
    """All faces of a photo: width, height, faces (box, score, emotion, probabilities, shown, sure, consensus, crowd; with
    age_gender also age, age_range, age_sure, age_distribution, apparent_gender, gender_sure, gender), provider, milliseconds."""
    # Gradio reads the signature and the words above; webui.api answers, and the guard lets no call through to here.


def declare_api() -> None:
    """Make /analyze an endpoint of the page that is being built, for its descriptions."""
    gr.api(analyze, api_name="analyze", api_description=" ".join((analyze.__doc__ or "").split()))


def api_routes(page: gr.Blocks, photo: Path) -> list[Route]:
    """Gradio's description of the API with these snippets, whose own ones name a photo elsewhere, and the example photo."""

    found = page.get_api_info()
    (endpoint,) = found["named_endpoints"].values()
    photo_parameter, age_gender_parameter = endpoint["parameters"]
    photo_parameter |= {"label": "Photo", "example_input": EXAMPLE_INPUT}
    photo_parameter["python_type"]["description"] = PARAMETER
    age_gender_parameter["label"], endpoint["returns"][0]["label"] = "Age and gender", "Analysis"

    def info(request: Request) -> Response:
        root = get_root_url(request, request.url.path, page.root_path)
        snippets = {name: text.format(root=root) for name, text in SNIPPETS.items()}
        described = endpoint | {"code_snippets": snippets}
        return JSONResponse(found | {"named_endpoints": {"/analyze": described}})

    return [Route(path, info) for path in (INFO, INFO + "/")] + [Route(PHOTO, lambda request: FileResponse(photo))]
