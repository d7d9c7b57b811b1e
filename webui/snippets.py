"""What "Use via API" shows: code that runs as it stands, with the example photo of this page."""

import gradio as gr
from functools import cache
from gradio.route_utils import get_root_url
from pathlib import Path
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

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

SNIPPETS = {"python": PYTHON, "javascript": JAVASCRIPT, "bash": CURL, "cli": CLI}


def api_routes(page: gr.Blocks, photo: Path) -> list[Route]:
    """Gradio's description of the API with these snippets, whose own ones name a photo elsewhere, and the example photo."""

    @cache
    def described(all_endpoints: bool) -> dict:
        return page.get_api_info(all_endpoints=all_endpoints)

    def info(request: Request) -> Response:
        found = described(bool(request.query_params.get("all_endpoints")))
        root = get_root_url(request, request.url.path, page.root_path)
        snippets = {name: text.format(root=root) for name, text in SNIPPETS.items()}
        endpoints = {
            name: endpoint | {"code_snippets": snippets} for name, endpoint in found["named_endpoints"].items()
        }
        return JSONResponse(found | {"named_endpoints": endpoints})

    return [Route(path, info) for path in (INFO, INFO + "/")] + [Route(PHOTO, lambda request: FileResponse(photo))]
