"""The house's floors: imports run one way, and heavy packages stay out of the rooms below."""

import ast
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "realitycheck"
# From the top to the bottom: a room imports from lower floors only, or where an arrow says so.
FLOORS = (
    ("__main__",),
    ("web", "cli"),
    ("scan",),
    ("evaluation", "detector"),
    ("training", "publish"),
    ("engines",),
    ("checkpoints",),
    ("networks",),
    ("tensors",),
    ("config", "data"),
    ("committee", "prediction"),
    ("images", "hub", "tables", "track_record", "verdict_card"),
    ("errors", "files", "wording", "results", "__init__"),
)
ARROWS = {("cli", "web"), ("files", "errors")}
HEAVY = {  # package to the only rooms that may import it, at their top or in a function
    "torch": {
        "web.service", "detector", "evaluation", "training", "engines", "checkpoints", "networks",
        "tensors", "config", "data", "committee",
    },
    "gradio": {"web"},
    "pytorch_grad_cam": {"evaluation"},
    "pyarrow": {"scan"},
    "ray": {"scan"},
}  # fmt: skip
TORCH_FREE = (
    "errors", "files", "wording.__init__", "results", "verdict_card", "prediction",
    "images.reading",
    "images.provenance", "web.answer_html", "web.model_html", "web.report", "cli.__init__",
)  # fmt: skip


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if "shipped" not in parts:
            found[".".join(parts)] = path
    return found


@cache
def imported(path: Path, *, top_only: bool = False) -> frozenset[str]:
    """Full names of all modules that a file imports; `if TYPE_CHECKING` does not count."""
    names = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if top_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        waiting += ast.iter_child_nodes(node)
    return frozenset(names)


def inner(path: Path, *, top_only: bool = False) -> set[str]:
    """Modules of the package that a file imports, by their name within it."""
    known = modules()
    names = {n.removeprefix("realitycheck.") for n in imported(path, top_only=top_only)}
    found = {name for name in names if name in known}
    return found | {f"{name}.__init__" for name in names if f"{name}.__init__" in known}


def room(module: str) -> str:
    return module.split(".")[0]


def floor(name: str) -> int:
    return next(level for level, rooms in enumerate(FLOORS) if name in rooms)


@pytest.mark.parametrize("module", modules())
def test_imports_run_downwards(module):
    here = room(module)
    for name in inner(modules()[module]):
        there = room(name)
        if there == here or (here, there) in ARROWS:
            continue
        assert floor(here) < floor(there), f"{module} imports {name}, which is not below it"


def test_there_are_no_circles():
    graph = {
        name: inner(path) - {name}
        for name, path in modules().items()
        # A package's front gathers what its modules offer; they never import it back.
        if not name.endswith("__init__")
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' → '.join((*trail, name))}"
        if name not in done:
            for following in graph.get(name, ()):
                visit(following, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("module", modules())
def test_heavy_packages_stay_in_their_rooms(module):
    for package, rooms in HEAVY.items():
        if any(name.split(".")[0] == package for name in imported(modules()[module])):
            assert module in rooms or room(module) in rooms, f"{module} imports {package}"


@pytest.mark.parametrize("module", TORCH_FREE)
def test_torch_is_not_loaded_by(module):
    """Neither by the module itself nor by what it imports when it is loaded."""
    seen, waiting = set(), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        path = modules()[name]
        roots = {n.split(".")[0] for n in imported(path, top_only=True)}
        assert not roots & {"torch", "torchvision"}, f"{module} loads torch through {name}"
        waiting += inner(path, top_only=True)
