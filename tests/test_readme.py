"""README and documents: short, whole, and everything in them that can run runs."""

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import PATIENCE, ROOT, start_app

from realitycheck import checkpoints, cli
from realitycheck.results import SetMetrics

README = "README.md"
# The experiments' commands belong to a tag, not to this tree.
DOCUMENTS = (
    README,
    "CONTRIBUTING.md",
    *(f"docs/{n}.md" for n in ("api", "publishing", "scale", "training")),
)
DOCUMENTS += ("docs/results.md", "docs/architecture.md")
ALL = (
    *DOCUMENTS,
    *("CHANGELOG.md", "docs/experiments.md", "docs/experiments-version-4.md", "examples/README.md"),
)
ADDRESS = "http://127.0.0.1:7860"  # the one that the documents name
VERDICT = re.compile(r"\b(ai|real|uncertain)\b")


def text(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text(document), re.DOTALL | re.MULTILINE)


def asks(block: str) -> bool:
    """Whether a block is about a demo that runs."""
    return "gradio_client" in block or ADDRESS in block


def params(documents: tuple[str, ...], language: str, *, server: bool) -> list:
    return [
        pytest.param(block, id=f"{document}-{number}")
        for document in documents
        for number, block in enumerate(blocks(document, language))
        if asks(block) == server and "pip install" not in block
    ]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with what the documents name."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copy(ROOT / "examples" / "cat.jpg", tmp_path / "picture.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with start_app(tmp_path_factory.mktemp("app")) as url:
        yield url


def python(block: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block, "block", "exec"), {"__name__": "block"})
    return printed.getvalue()


def bash(block: str) -> str:
    command = block.replace(".venv/bin/python", sys.executable)
    done = subprocess.run(
        ["bash", "-euc", command], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


# --- its form -----------------------------------------------------------------------------------


def test_the_readme_is_short():
    assert len(text(README).splitlines()) <= 150
    assert len(text(README).split()) <= 900
    assert len(text("docs/experiments.md").splitlines()) <= 200


def test_the_readme_begins_with_its_title():
    assert text(README).startswith("# RealityCheck\n")


def test_the_commands_have_their_markers():
    for marker, end in (("demo", "app.py"), ("test", "-m pytest")):
        found = re.search(rf"<!-- {marker} command -->\n```bash\n(.+)\n```", text(README))
        assert found, f"no {marker} command"
        assert found[1].endswith(end)


def slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("document", ALL)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)\s]+)\)", text(document)):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = (ROOT / document).parent / name if name else ROOT / document
        assert target.exists(), f"{document} links to {link}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{document} links to {link}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_paths_in_the_text_exist(document):
    """What stands in back-quotes and begins like a path of the tree."""
    for name in re.findall(
        r"`((?:realitycheck|tests|docs|benchmarks|examples)/[\w./-]+)`", text(document)
    ):
        if name != "realitycheck/shipped/":  # made when a wheel is built
            assert (ROOT / name).exists(), f"{document} names {name}"


# --- what runs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("block", params((README, "docs/api.md"), "python", server=False))
def test_python_blocks_run(block, folder):
    assert VERDICT.search(python(block))


@pytest.mark.parametrize("block", params((README,), "bash", server=False))
def test_command_blocks_run(block, folder):
    printed = bash(block)
    assert "examples/cat.jpg: " in printed
    assert "usage: realitycheck" in printed
    count = len(list((ROOT / "examples").glob("*.jpg")))
    assert len((folder / "verdicts.csv").read_text().splitlines()) == 1 + count
    assert len(list((folder / "maps").iterdir())) == count


@pytest.mark.parametrize("block", params((README, "docs/api.md"), "python", server=True))
def test_blocks_of_the_python_client_run(block, server, folder):
    assert VERDICT.search(python(block.replace(ADDRESS, server)))


@pytest.mark.parametrize("block", params((README, "docs/api.md"), "bash", server=True))
def test_curl_blocks_run(block, server, folder):
    printed = bash(block.replace(ADDRESS, server))
    assert "event: complete" in printed
    assert '"verdict"' in printed


def commands() -> list:
    """Every call of the command line in the documents, as arguments."""
    found = []
    for document in DOCUMENTS:
        for block in blocks(document, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.split("&&"):
                    found += [pytest.param(a, id=part.strip()) for a in [called(part)] if a]
    return found


def called(command: str) -> list[str] | None:
    words = shlex.split(command, comments=True)
    for position, word in enumerate(words):
        first = {"train.py": ["train"], "app.py": ["serve"], "realitycheck": []}.get(word)
        if first is not None:
            return [*first, *words[position + 1 :]]
    return None


def test_there_are_commands():
    assert len(commands()) > 15


@pytest.mark.parametrize("arguments", commands())
def test_commands_are_understood(arguments):
    parser, names = cli.parser()
    if arguments[0] not in (*names, "--help"):
        arguments = ["scan", *arguments]
    if "--help" in arguments:
        with pytest.raises(SystemExit, match="0"):
            parser.parse_args(arguments)
    else:
        assert parser.parse_args(arguments).run


# --- what is claimed ----------------------------------------------------------------------------


def test_the_tables_of_results_are_what_their_command_prints():
    (block,) = blocks("docs/results.md", "python")
    printed = python(block).splitlines()
    assert len(printed) > 5
    assert not set(printed) - set(text("docs/results.md").splitlines())


def shares(metrics: SetMetrics) -> list[int]:
    ai, real = metrics.confusion["ai"], metrics.confusion["real"]
    given = [count for of in (ai, real) for verdict, count in of.items() if verdict != "uncertain"]
    pairs = [
        (ai["ai"], metrics.pictures["ai"]),
        (ai["real"], metrics.pictures["ai"]),
        (real["real"], metrics.pictures["real"]),
        (real["ai"], metrics.pictures["real"]),
        (ai["ai"] + real["real"], sum(given)),
    ]
    return [round(100 * part / whole) for part, whole in pairs]


def test_the_readmes_figures_are_the_bundles():
    metrics = checkpoints.read_record(checkpoints.BUNDLE).metrics
    sets = [metrics["test"]["clean"], metrics["unseen"]["clean"], metrics["unseen"]["web"]]
    part = re.search(r"<!-- results -->\n(.*?)<!-- /results -->", text(README), re.DOTALL)
    _, _, *rows = [line for line in part[1].splitlines() if line.startswith("|")]
    written = [[int(cell) for cell in re.findall(r"\| (\d+) ", row)] for row in rows]
    assert written == [list(row) for row in zip(*map(shares, sets), strict=True)]
