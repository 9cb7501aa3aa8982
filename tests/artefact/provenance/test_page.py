"""The page shows the record, needs nothing else, and takes nothing in it for HTML."""

import re
from html.parser import HTMLParser
from pathlib import Path

from anarchy.artefact.provenance.page import page
from tests.artefact.provenance.builds import project, recorded, sha


class Balanced(HTMLParser):
    """Collects the text, and sees that every tag is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_shows_the_record(tmp_path: Path) -> None:
    found = page(recorded(project(tmp_path)))
    text = parsed(found).text
    for shown in ("unknown", "config/quick.yaml", "simulate/0", sha("png"), "numpy", "4.0"):
        assert shown in text
    assert not re.search(r"https?:|<script|<link|<img|src=", found)


def test_names_are_text(tmp_path: Path) -> None:
    record = recorded(project(tmp_path))
    hostile = record.model_copy(
        update={"packages": {"<script>": "<b>"}, "overlay": "config/<i>&amp;.yaml"}
    )
    found = page(hostile)
    assert "<script>" not in found
    assert "<b>" not in found
    assert "config/<i>&amp;.yaml" in parsed(found).text
