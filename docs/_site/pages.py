"""Files of the repository as pages of the site: the links in them lead to pages, or to the files themselves."""

import os
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
PAGES = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "CONTRIBUTING.md": DOCS / "contributing.md",
    ROOT / "CHANGELOG.md": DOCS / "changelog.md",
    ROOT / "benchmarks/README.md": DOCS / "performance.md",
    DOCS / "benchmarks": DOCS / "performance.md",
}
"""Where the site has what links in the repository lead to."""


def shown(text: str, page: Path) -> str:
    """The text of a page with the files that it includes, and with links that work on the site.

    Parameters
    ----------
    text
        Content of the page.
    page
        Its path.
    """
    parts = re.split(r"```\{include\} (\S+)\n```\n", text)
    for number in range(1, len(parts), 2):
        path = (page.parent / parts[number]).resolve()
        parts[number] = _linked(path.read_text(), path.parent, page.parent)
    parts[::2] = [_linked(part, page.parent, page.parent) for part in parts[::2]]
    return "".join(parts)


def _linked(text: str, folder: Path, shown_in: Path) -> str:
    """The text, from a folder, with its local links as they are from the folder where it is shown."""

    def link(match: re.Match[str]) -> str:
        path, mark, part = match[1].partition("#")
        target = Path(os.path.normpath(folder / path))
        if not path or not target.exists():
            return match[0]
        return f"]({os.path.relpath(PAGES.get(target, target), shown_in)}{mark}{part})"

    return re.sub(r"\]\(((?!\w+:)[^)\s]+)\)", link, text)
