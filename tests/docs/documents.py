"""What the tests of the documents read: code blocks, tables, links."""

import re
import shlex
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for pattern in ("*.md", "docs/*.md", "findings/*.md")
    for path in sorted(ROOT.glob(pattern))
}
"""The text of each document by its path."""
README = DOCUMENTS["README.md"]
GUIDE = {Path(path).stem: text for path, text in DOCUMENTS.items() if path.startswith("docs/")}
"""The pages of docs/ by their names."""

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMAND_ENDS = re.compile(r" && | \| | > ")


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language, those of lists without their indent."""
    return [textwrap.dedent(body) for _, found, body in _BLOCK.findall(text) if found == language]


def files(text: str, name: str) -> list[str]:
    """Return the YAML blocks that say `# name` in their first line."""
    return [body for body in blocks(text, "yaml") if body.startswith(f"# {name}\n")]


def table(text: str, *head: str) -> list[list[str]]:
    """Return the rows of the one table with these column names."""
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if cells(line) == list(head)]
    assert len(starts) == 1, f"{len(starts)} tables with the columns {head}"
    rows = []
    for line in lines[starts[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(cells(line))
    assert all(len(row) == len(head) for row in rows), f"a row of {head} has too many or too few cells"
    return rows


def cells(line: str) -> list[str]:
    """Return the cells of a table's row."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []


def code(text: str) -> list[str]:
    """Return what stands in backticks in a text, its code blocks apart."""
    return re.findall(r"`([^`\n]+)`", prose(text))


def prose(text: str) -> str:
    """Return a text without its code blocks."""
    return _BLOCK.sub("", text)


def commands(text: str, program: str) -> list[list[str]]:
    """Return the arguments of every call of a program that a text shows, by itself or in a container."""
    lines = "\n".join([*blocks(text, "sh"), *code(text)]).replace("\\\n", "").splitlines()
    called = [part.rpartition(" -- ")[2] for line in lines for part in _COMMAND_ENDS.split(line)]
    split = [shlex.split(part, comments=True) for part in called if program in part]
    return [words[1:] for words in split if words and Path(words[0]).name == program]


def links(text: str) -> list[str]:
    """Return the targets of all links."""
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(text: str) -> set[str]:
    """Return the names of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
