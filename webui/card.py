"""The model card as a page: MODEL_CARD.md without its front matter."""

from pathlib import Path

from markdown_it import MarkdownIt

PAGE = Path(__file__).with_name("static") / "card.html"


def model_card(file: Path) -> str:
    """The HTML of a model card, whose first lines may be YAML between two lines of ---.

    HTML in it is shown as text, and links to files of the repository, which the page does not serve, are their words alone.
    """
    words = file.read_text("utf-8")
    if words.startswith("---\n"):
        words = words.split("\n---\n", 1)[1]
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(words)
    for token in tokens:
        kept, inside = [], []
        for child in token.children or []:
            if child.type == "link_open":
                inside.append(str(child.attrGet("href")).startswith("https://"))
            if child.type not in ("link_open", "link_close") or inside[-1]:
                kept.append(child)
            if child.type == "link_close":
                inside.pop()
        token.children = kept
    return PAGE.read_text("utf-8").replace("CARD", markdown.renderer.render(tokens, markdown.options, {}))
