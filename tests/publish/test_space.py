"""Publishing the demo: the file set, the Space, and a rehearsal of what it will do."""

import os
import re
import subprocess
import venv

import gradio
import pytest
from gradio_client import Client, handle_file
from helpers import ROOT, start_app
from huggingface_hub import RepoCard
from loopback_hub import TOKEN, LoopbackHub, Repo, client_of

from realitycheck import checkpoints, cli, hub
from realitycheck.errors import HubError
from realitycheck.publish import space
from realitycheck.publish.push import push

SPACE, MODEL = "owner/demo", "owner/detector"
VERSION_4_CARD = """---
title: RealityCheck
sdk: gradio
sdk_version: 6.30.0
app_file: app.py
---
# RealityCheck

Is this picture a photograph or made by a person, or was it made by an AI? The answer is a \
probability, not proof.
"""


@pytest.fixture
def owner(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(space, "POLL", 0)
    with LoopbackHub() as server, client_of(server.url, tmp_path / "cache", monkeypatch.context):
        yield server


def repo_of(server):
    return server.repos["spaces", SPACE]


def test_only_what_the_demo_needs_is_sent():
    bundled, named = space.files(None), space.files(MODEL)
    assert {"app.py", "requirements.txt", "README.md", "realitycheck/web/page.py"} <= set(named)
    assert {f"realitycheck/web/static/page.{kind}" for kind in ("css", "js")} <= set(named)
    assert set(bundled) - set(named) == {
        f"realitycheck/weights/{file.name}" for file in checkpoints.BUNDLE.iterdir()
    }
    for name in bundled:
        assert not re.match(r"tests|benchmarks|docs|train|examples/make|requirements-", name)
    for unneeded in ("training", "evaluation", "data", "publish"):
        assert not any(name.startswith(f"realitycheck/{unneeded}") for name in bundled)


def test_private_of_a_public_space_is_said(owner, caplog):
    space.publish(SPACE, MODEL)
    assert "is public already" not in caplog.text
    space.publish(SPACE, MODEL, private=True)
    assert f"Hide it at {owner.url}/spaces/{SPACE}/settings." in caplog.text
    assert not repo_of(owner).private


def test_publishing_makes_a_space_that_names_its_model(owner):
    told = []
    url = space.publish(SPACE, f"{MODEL}@v1", hardware="cpu-upgrade", say=told.append)
    repo = repo_of(owner)
    assert url == f"{owner.url}/spaces/{SPACE}"
    assert repo.options["sdk"] == "gradio"
    assert repo.variables == {"REALITYCHECK_MODEL": f"{MODEL}@v1"}
    assert repo.hardware == "cpu-upgrade"
    assert set(repo.files) == {".gitattributes", *space.files(MODEL)}
    card = RepoCard(repo.files["README.md"].decode())
    assert card.data["models"] == [MODEL]
    assert [line for line in told if "..." in line] == [
        "building ...",
        "app starting ...",
        "running ...",
    ]


def test_publishing_again_updates_and_removes_what_is_stale(owner, caplog):
    space.publish(SPACE)
    repo = repo_of(owner)
    repo.commit({**repo.files, "app.py": b"old", "LICENSE": b"theirs"})
    edited = repo.head
    space.publish(SPACE, MODEL)
    said = f"Of {SPACE} this was edited and is replaced: LICENSE, app.py. It is still in commit"
    assert f"{said} {edited[:12]}" in caplog.text
    assert repo.files["app.py"] == (ROOT / "app.py").read_bytes()
    assert "realitycheck/weights/config.json" not in repo.files
    space.publish(SPACE)
    assert "realitycheck/weights/config.json" in repo.files
    assert repo.variables == {}
    before = len(repo.commits)
    caplog.clear()
    space.publish(SPACE)
    assert len(repo.commits) == before
    assert "edited" not in caplog.text


def test_what_the_hub_says_of_hardware_comes_first(owner):
    reason = "Subscribe to PRO or add a payment method to use this hardware"
    owner.fail["/hardware"] = (402, reason)
    with pytest.raises(HubError) as caught:
        space.publish(SPACE, MODEL, hardware="t4-small")
    assert str(caught.value).startswith(f"The Hub says about {SPACE}: {reason}.")
    assert "HF_TOKEN" not in str(caught.value)
    assert "app.py" not in repo_of(owner).files


# --- what others put there ------------------------------------------------------------------------

OTHERS = {"app.py": b"import gradio", "data/scores.csv": b"1", "notes.md": b"n", "x.bin": b"x"}


def make_space(server, files, card=None):
    """A Space that somebody filled without our tools."""
    repo = server.repos["spaces", SPACE] = Repo(variables={"THEIRS": "1"})
    repo.commit({**repo.files, **({"README.md": card.encode()} if card else {}), **files})
    return repo


@pytest.mark.parametrize("files", [OTHERS, {"index.html": b"<p>"}, {"Dockerfile": b"FROM x"}])
def test_somebody_elses_space_is_refused_with_what_is_there(owner, files):
    repo = make_space(owner, files, "---\ntitle: Scores\nsdk: static\n---\n")
    before = dict(repo.commits)
    with pytest.raises(HubError) as caught:
        space.publish(SPACE, MODEL, hardware="t4-small")
    said = str(caught.value)
    assert f"{SPACE} is another Space" in said
    assert all(name in said for name in list(files)[:2])
    assert "--replace" in said
    assert repo.commits == before
    assert (repo.variables, repo.hardware) == ({"THEIRS": "1"}, "cpu-basic")


def test_the_command_refuses_it_too_until_it_is_meant(owner, capsys):
    repo = make_space(owner, OTHERS)
    assert cli.main(["publish-space", SPACE, "--model", MODEL]) == 1
    assert "add --replace" in capsys.readouterr().err
    assert cli.main(["publish-space", SPACE, "--model", MODEL, "--replace"]) == 0
    assert set(repo.files) == {".gitattributes", *space.files(MODEL)}
    assert repo.variables == {"THEIRS": "1", "REALITYCHECK_MODEL": MODEL}


def test_a_space_that_holds_only_a_card_is_taken(owner):
    repo = make_space(owner, {}, "---\ntitle: Mine\nsdk: docker\nemoji: x\n---\n\nHello\n")
    space.publish(SPACE, MODEL)
    card = RepoCard(repo.files["README.md"].decode())
    assert (card.data["title"], card.data["sdk"], card.data["emoji"]) == ("Mine", "gradio", "x")
    assert "Hello" in card.text
    assert "a probability, not proof" in card.text


def test_an_update_keeps_files_that_are_not_ours(owner):
    space.publish(SPACE)
    repo = repo_of(owner)
    theirs = {"notes.md": b"n", "realitycheck/extra.py": b"e", "examples/mine.jpg": b"m"}
    repo.commit({**repo.files, **theirs})
    space.publish(SPACE, MODEL)
    assert {name: repo.files.get(name) for name in theirs} == theirs
    assert set(repo.files) == {".gitattributes", *space.files(MODEL), *theirs}


def test_a_space_of_version_4_is_ours_and_keeps_what_others_added(owner):
    old = {f"realitycheck/{name}.py": b"old" for name in ("__init__", "demo", "images", "views")}
    weights = {"realitycheck/weights/model.safetensors": b"w"}
    theirs = {"notes.md": b"n", "realitycheck/extra.py": b"e"}
    repo = make_space(owner, {"app.py": b"old", **old, **weights, **theirs}, VERSION_4_CARD)
    space.publish(SPACE, MODEL)
    assert set(repo.files) == {".gitattributes", *space.files(MODEL), *theirs}
    card = RepoCard(repo.files["README.md"].decode())
    assert card.data["sdk_version"] == gradio.__version__


def test_somebody_who_publishes_meanwhile_is_not_overrun(owner, monkeypatch):
    space.publish(SPACE, MODEL)
    repo = repo_of(owner)
    upload = space.upload.upload

    def later(*args, **options):
        repo.commit({**repo.files, "notes.md": b"n"})
        return upload(*args, **options)

    monkeypatch.setattr(space.upload, "upload", later)
    with pytest.raises(HubError, match=r"commit has happened since.*changed it meanwhile"):
        space.publish(SPACE)
    assert "notes.md" in repo.files


def test_what_the_owner_changed_in_the_spaces_card_stays(owner):
    space.publish(SPACE, MODEL)
    repo = repo_of(owner)
    card = repo.files["README.md"].decode()
    assert RepoCard(card).data["title"] == "RealityCheck"
    assert RepoCard(card).data["emoji"] == "🐠"
    assert "configuration reference" not in card
    changed = (
        card.replace("title: RealityCheck", "title: Is it real?")
        .replace("pinned: false", "pinned: true")
        .replace("sdk_version:", "sdk_version: 5.0 #")
        .replace("a probability, not proof", "only a guess")
    )
    repo.commit({**repo.files, "README.md": f"{changed}\n## Contact\n\nme\n".encode()})
    space.publish(SPACE)
    now = RepoCard(repo.files["README.md"].decode())
    assert now.data["title"] == "Is it real?"
    assert now.data["pinned"] is True
    assert now.data["sdk_version"] == gradio.__version__
    assert "only a guess" in now.text
    assert "## Contact\n\nme" in now.text
    assert "models" not in now.data.to_dict()  # ours, and the bundled weights need none


def test_a_space_that_does_not_build_shows_why(owner):
    owner.stages = ["BUILDING", "BUILD_ERROR"]
    with pytest.raises(HubError, match=r"BUILD_ERROR(.|\n)*No matching distribution"):
        space.publish(SPACE, MODEL)


def test_a_space_that_never_runs_is_given_up(owner):
    owner.stages = ["BUILDING"]
    with pytest.raises(HubError, match="still building"):
        space.publish(SPACE, MODEL, patience=0.1)
    owner.stages = ["PAUSED"]
    with pytest.raises(HubError, match="is paused"):
        space.publish(SPACE, MODEL)


def test_a_wrong_model_or_token_publishes_nothing(owner, monkeypatch):
    with pytest.raises(HubError, match="no Hub model"):
        space.publish(SPACE, "Models/RealityCheck/config.json")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="did not accept your token"):
        space.publish(SPACE, MODEL)
    assert owner.repos == {}


def test_a_dry_run_lists_the_files_and_asks_nobody(owner, capsys):
    assert cli.main(["publish-space", SPACE, "--model", MODEL, "--dry-run"]) == 0
    assert capsys.readouterr().out.split() == sorted(space.files(MODEL))
    assert owner.requests == []


@pytest.mark.slow
def test_rehearsal_of_a_space(owner, tmp_path):
    """The published files alone, a fresh environment, weights from the Hub, a real client."""
    push(checkpoints.BUNDLE, MODEL)
    space.publish(SPACE, MODEL)
    folder = tmp_path / "space"
    for name, data in repo_of(owner).files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "-r", folder / "requirements.txt"]
    subprocess.run(install, check=True, timeout=900)
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "HF_"))}
    environment = {
        **outside,
        **repo_of(owner).variables,
        "HF_ENDPOINT": owner.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }
    with start_app(tmp_path, python=python, cwd=folder, env=environment) as url:
        answer = Client(url, verbose=False, download_files=tmp_path / "downloads").predict(
            handle_file(ROOT / "examples" / "cat.jpg"), api_name="/predict"
        )
    model = answer[2]["model"]
    assert model["source"] == MODEL
    assert model["revision"] == owner.repos["models", MODEL].head
    assert hub.parse_id(model["source"]) == (MODEL, None)


def test_the_card_of_a_space_is_valid():
    data = RepoCard(space.files("owner/name@v1")["README.md"].decode()).data
    assert data["title"] == "RealityCheck"
    assert data["sdk"] == "gradio"
    assert data["sdk_version"].split(".")[:2] == gradio.__version__.split(".")[:2]
    assert data["app_file"] == "app.py"
    assert data["license"] == "apache-2.0"
    assert data["models"] == ["owner/name"]
    assert len(data["short_description"]) <= 60
