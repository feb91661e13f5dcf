"""Rules 9 and 11 of the house: only the command line prints, and what is too long is split."""

import ast

import pytest
from helpers import ROOT

PACKAGE = ROOT / "realitycheck"
MOST_LINES = 350  # of a file
MOST_FUNCTION_LINES = 60
# Readers of file formats, which are clearest in one piece.
PARSERS = {"images/containers.py", "images/generators.py"}
FILES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def source(name: str) -> str:
    return (PACKAGE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in FILES if name not in PARSERS])
def test_files_are_short(name):
    assert len(source(name).splitlines()) <= MOST_LINES


def test_parsers_that_are_short_are_no_exceptions():
    assert all(len(source(name).splitlines()) > MOST_LINES for name in PARSERS)


@pytest.mark.parametrize("name", FILES)
def test_functions_are_short_and_print_nothing(name):
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            assert lines <= MOST_FUNCTION_LINES, f"{node.name} has {lines} lines"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
            assert name.startswith("cli/"), f"line {node.lineno} prints"
