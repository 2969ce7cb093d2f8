"""Rules of this house that no linter knows. Run by bin/lint; prints ``file:line what``.

In templates: nothing that the content policy refuses (the page would look right in the editor
and break in the browser). In Python: the queue is rung by the relay alone, because a job that is
queued before its transaction commits, or after a crash never, is how orders get lost.
"""

from __future__ import annotations

import ast
import gc
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from local.home import CHECKOUT

TEMPLATE_FOLDERS = ("templates", "sandbox/templates")
IN_TEMPLATES = {
    r"""<[^>]*\sstyle\s*=""": "a style attribute: use a class",
    r"""<[^>]*\son[a-z]+\s*=\s*["']""": "an inline event handler: use a module in static/js",
    r"""\shx-on[:\-a-z]*\s*=""": "hx-on: use a module in static/js",
    r"""<script(?![^>]*\ssrc=)(?![^>]*application/(ld\+)?json)[^>]*>""": "an inline script",
    r"""hx-(vals|headers)[^=]*=\s*["']\s*js:""": "a js: value: send a form field",
    r"""hx-trigger[^=]*=\s*["'][^"']*\[""": "a trigger filter: let the answer decide",
    r"""javascript:""": "a javascript: address",
}
NOT_FOR_US = {"enqueue", "enqueue_call", "enqueue_at", "enqueue_in", "enqueue_many"}
RELAY = Path("tasks/relay.py")


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree, made with the garbage collector at rest.

    Python 3.11 counts its recursion while it builds the tree; a collection in the middle that
    ends a greenlet (a browser test's) upsets the count and raises SystemError.
    """
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        if was_collecting:
            gc.enable()


def main() -> int:
    """Check everything; returns 1 when something was found."""
    found = [*template_breaches(CHECKOUT), *queue_breaches(CHECKOUT)]
    for breach in found:
        print(breach)
    return 1 if found else 0


def template_breaches(root: Path) -> Iterator[str]:
    """What the content policy would refuse, in every template."""
    for folder in TEMPLATE_FOLDERS:
        for path in sorted((root / folder).rglob("*.html")):
            # A tag may run over several lines and a comment may name what it warns of.
            text = re.sub(
                r"\{#.*?#\}|<!--.*?-->", _blanked, path.read_text(encoding="utf-8"), flags=re.DOTALL
            )
            for pattern, what in IN_TEMPLATES.items():
                for match in re.finditer(pattern, text, re.IGNORECASE):
                    line = text.count("\n", 0, match.start()) + 1
                    yield f"{path.relative_to(root)}:{line} {what}"


def queue_breaches(root: Path) -> Iterator[str]:
    """Calls that put a job on the queue anywhere but in the relay."""
    for folder in ("app", "tasks"):
        for path in sorted((root / folder).rglob("*.py")):
            if path.relative_to(root) == RELAY:
                continue
            for node in ast.walk(parsed(path)):
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in NOT_FOR_US
                ):
                    where = f"{path.relative_to(root)}:{node.lineno}"
                    yield f"{where} {node.func.attr}(): ask through the outbox (app/jobs.py)"


def _blanked(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")


if __name__ == "__main__":
    sys.exit(main())
