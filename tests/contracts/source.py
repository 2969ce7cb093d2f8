"""The product's own source, parsed: for promises about what calls what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from local.house_rules import parsed

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "var", "dist", "vendor", "node_modules", "__pycache__"}


@dataclass(frozen=True)
class Place:
    """Where something is called: file and the function around it."""

    file: str
    function: str


@cache
def trees(*folders: str) -> dict[str, ast.Module]:
    """Every module of these folders, parsed."""
    return {
        path.relative_to(ROOT).as_posix(): parsed(path)
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def calls(
    name: str, *, folders: tuple[str, ...] = ("app", "tasks")
) -> Iterator[tuple[Place, ast.Call]]:
    """Every call of a function or method of this name."""
    for file, tree in trees(*folders).items():
        for node, function in _with_functions(tree):
            if isinstance(node, ast.Call) and _name(node.func) == name:
                yield Place(file, function), node


def _with_functions(tree: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.FunctionDef) else function
        yield node, inside
        yield from _with_functions(node, inside)


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def text_files() -> Iterator[Path]:
    """Every text file of the checkout that is ours."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if not path.is_file() or any(part in NOT_OURS or part.endswith("_cache") for part in parts):
            continue
        if parts[0] in (".hypothesis", ".env"):
            continue
        if b"\0" not in path.read_bytes()[:2048]:
            yield path
