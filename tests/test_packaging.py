"""An installed package: what a wheel holds, and the command it brings."""

import json
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from helpers import ROOT

import realitycheck


def test_requirements_are_those_of_the_project():
    """A Space installs requirements.txt alone, before it has the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["web"]}
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == wanted


def test_config_is_small():
    assert (ROOT / "realitycheck" / "weights" / "config.json").stat().st_size < 10_000


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A venv with the package as a wheel, built where a `Models` folder lies about."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "checkout"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True)
    models = source / "Models" / "RealityCheck"
    models.mkdir(parents=True)
    (models / "model.safetensors").write_bytes(b"not to be shipped")
    pip = [sys.executable, "-m", "pip", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, source], check=True)
    (wheel,) = folder.glob("*.whl")
    # The packages it depends on are this environment's: installing torch again takes minutes.
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([*pip, "--python", python, "install", "--no-deps", wheel], check=True)
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    for path in (p for p in sys.path if p.endswith("site-packages")):
        (site / "borrowed.pth").write_text(path + "\n")
    return wheel, folder / "venv" / "bin" / "realitycheck", folder


@pytest.mark.slow
def test_wheel_holds_what_it_needs_and_nothing_else(installed):
    wheel, _, _ = installed
    names = zipfile.ZipFile(wheel).namelist()
    assert not any("Models" in name or "tests" in name for name in names)
    for wanted in (
        "py.typed",
        "weights/config.json",
        "web/static/page.css",
        "verdict_card.css",
        "shipped/app.py",
    ):
        assert f"realitycheck/{wanted}" in names
    assert wheel.stat().st_size < 100e6
    assert realitycheck.__version__ in wheel.name


@pytest.mark.slow
def test_installed_command_answers_from_any_folder(installed):
    _, command, folder = installed
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    picture = ROOT / "examples" / "cat.jpg"
    told = subprocess.run(
        [command, "scan", picture, "--json"], cwd=elsewhere, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    row = json.loads(told.stdout.splitlines()[-1])
    assert row["verdict"] in ("ai", "real", "uncertain")
    assert row["model"]["source"] == "bundled"
    listed = subprocess.run(
        [command, "publish-space", "someone/space", "--dry-run"],
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"app.py", "requirements.txt", "examples/examples.json"} <= set(listed.stdout.split())


def test_every_command_has_help_with_an_example():
    from realitycheck.cli import parser

    _, commands = parser()
    assert commands == [
        *("scan", "serve", "train", "evaluate", "calibrate", "export", "push", "publish-space")
    ]
    for name in commands:
        told = subprocess.run(
            [sys.executable, "-m", "realitycheck", name, "--help"],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(ROOT),
        )
        assert f"example:  realitycheck {name} " in told.stdout
