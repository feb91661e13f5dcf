"""Push and pull with the real client, against a Hub on this machine."""

import json
import multiprocessing
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import ROOT
from loopback_hub import TOKEN, LoopbackHub, client_of
from saving import config_of, save

from realitycheck import checkpoints, hub
from realitycheck.committee.cnn import build_model
from realitycheck.detector import Detector
from realitycheck.errors import CheckpointError, HubError
from realitycheck.files import sha256
from realitycheck.publish.push import push
from realitycheck.results import Interval, Record, SetMetrics, Source, Verdicts

REPO = "owner/detector"
CONFIG = config_of("efficientnet_b0", version="1.2")
FIGURE = Interval(0.9, 0.85, 0.95)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A checkpoint as training leaves it."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "RealityCheck"
    save(folder, build_model("efficientnet_b0", 2).eval(), CONFIG)
    (folder.parent / "curves.png").write_bytes(b"a picture")
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    shutil.copytree(saved.parent, tmp_path / "Models")
    return tmp_path / "Models" / "RealityCheck"


@pytest.fixture
def server():
    with LoopbackHub() as running:
        yield running


@pytest.fixture
def owner(server, tmp_path, monkeypatch):
    """This process as the client of `server`, with a token and an empty cache."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with client_of(server.url, tmp_path / "cache", monkeypatch.context):
        yield server


@pytest.fixture
def published(owner, saved):
    push(saved, REPO)
    owner.requests.clear()
    return owner


def repo_of(server):
    return server.repos["models", REPO]


def publish_other(server, **changes):
    """Commits other files, as somebody without our tools would; None deletes one."""
    repo = repo_of(server)
    files = {**repo.files, **changes}
    return repo.commit({name: data for name, data in files.items() if data is not None})


# --- push -----------------------------------------------------------------------------------


def test_a_push_is_one_commit_with_everything_and_a_tag(owner, saved):
    commit = push(saved, REPO, private=True)
    repo = repo_of(owner)
    assert repo.private
    assert list(repo.commits)[1:] == [commit]
    assert set(repo.files) == {
        ".gitattributes",
        "README.md",
        "RealityCheck.pth",
        "config.json",
        "curves.png",
        "model.safetensors",
        "record.json",
    }
    assert repo.tags == {"v1.2": commit}
    assert any("PUT /lfs/" in called for called in owner.requests)


def test_the_card_has_the_metadata_the_hub_reads(tmp_path):
    from huggingface_hub import ModelCard

    verdicts = Verdicts(None, None, None, real_called_ai=FIGURE, ai_called_real=FIGURE)
    figures = SetMetrics({}, balanced_accuracy=FIGURE, auc=FIGURE, verdicts=verdicts)
    record = Record(
        metrics={"test": {"clean": figures, "q30": replace(figures, ece=FIGURE)}},
        sources=(Source("ai", "painter", 7, "a/b", "CC0"), Source("ai", "unknown", 7)),
    )
    save(tmp_path / "m", build_model("efficientnet_b0", 2), CONFIG, record)
    data = ModelCard.load(tmp_path / "m" / "README.md").data
    assert data.library_name == "realitycheck"
    assert data.pipeline_tag == "image-classification"
    assert data.license == "other"
    assert data.datasets == ["imagefolder"]
    assert data.metrics == ["accuracy", "roc_auc"]
    results = {(r.dataset_split, r.dataset_config, r.metric_name): r for r in data.eval_results}
    assert results["test", "clean", "AUC"].metric_value == 0.9
    assert len(results) == 2  # further conditions are left to the card's text
    card = (tmp_path / "m" / "README.md").read_text()
    nine = "90.0 (85.0-95.0)"
    assert f"| test | clean | {nine} | {nine} | - | - | - | {nine} | {nine} |" in card
    assert f"| test | q30 | {nine} | {nine} | {nine} | - | - | {nine} | {nine} |" in card
    assert "| ai | painter | 7 | a/b | CC0 |" in card
    assert "| ai | unknown | 7 | not stated | not stated |" in card
    for heading in ("## Limits", "## Not for", "## Terms", "## Results"):
        assert heading in card


def test_pushing_the_same_again_makes_no_commit(published, saved):
    before = dict(repo_of(published).commits)
    assert push(saved, REPO) == list(before)[-1]
    assert repo_of(published).commits == before


def test_a_published_version_keeps_its_weights(published, copy):
    torch.manual_seed(1)
    save(copy, build_model("efficientnet_b0", 2), CONFIG)
    before = dict(repo_of(published).commits)
    with pytest.raises(HubError, match=r"already has a v1\.2"):
        push(copy, REPO)
    assert repo_of(published).commits == before
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"))
    push(copy, REPO)
    assert list(repo_of(published).tags) == ["v1.2", "v2"]


@pytest.mark.parametrize("step", ["POST /api/models/owner/detector/commit", "PUT /lfs/"])
def test_a_push_that_fails_midway_leaves_the_old_version_whole(published, copy, step):
    torch.manual_seed(2)
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"))
    before = dict(repo_of(published).files)
    published.fail[step] = 403
    with pytest.raises(HubError):
        push(copy, REPO)
    assert repo_of(published).files == before
    published.fail.clear()
    push(copy, REPO)
    assert repo_of(published).tags["v2"] == repo_of(published).head


def test_pushing_needs_a_token_that_may_write(owner, saved, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="did not accept your token"):
        push(saved, REPO)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="needs a token"):
        push(saved, REPO)


def test_a_damaged_checkpoint_is_not_published(owner, copy):
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="SHA-256"):
        push(copy, REPO)
    assert not owner.repos


# --- pull -----------------------------------------------------------------------------------


def test_what_was_pushed_comes_back_and_answers_alike(published, saved, picture):
    pulled = Detector.from_pretrained(REPO)
    assert pulled.checkpoint.sha256 == sha256(saved / "model.safetensors")
    here = Detector.from_pretrained(saved).predict(picture)
    there = pulled.predict(picture)
    assert there.probabilities == here.probabilities
    assert there.model["revision"] == repo_of(published).head
    assert not any("RealityCheck.pth" in called for called in published.requests)


def test_revisions(published, copy):
    first = repo_of(published).head
    torch.manual_seed(3)
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"))
    push(copy, REPO)
    second = repo_of(published).head
    for revision, commit in {
        "": second,
        "@v1.2": first,
        f"@{first}": first,
        "@main": second,
    }.items():
        assert checkpoints.load(REPO + revision).revision == commit
    with pytest.raises(HubError, match="no revision 'v9'"):
        checkpoints.load(f"{REPO}@v9")


def test_a_cached_pinned_revision_asks_nobody(published):
    commit = repo_of(published).head
    for revision in ("v1.2", commit):
        checkpoints.load(f"{REPO}@{revision}")
        published.requests.clear()
        assert checkpoints.load(f"{REPO}@{revision}").revision == commit
        assert published.requests == []


@pytest.fixture
def away(published, monkeypatch):
    """The Hub's address with nobody there; the cache as it is."""
    from huggingface_hub import constants

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    monkeypatch.setattr(constants, "ENDPOINT", url)
    template = url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def test_hub_down_and_nothing_cached(away):
    with pytest.raises(HubError, match=r"cannot be reached .* not in the local cache"):
        checkpoints.load(REPO)


def test_hub_down_and_cached(published, request, caplog):
    checkpoints.load(REPO)
    request.getfixturevalue("away")
    assert checkpoints.load(REPO).revision == repo_of(published).head
    assert "using the copy" in caplog.text


@pytest.mark.parametrize("status", [429, 503])
def test_hub_out_of_order_and_cached(published, caplog, status):
    checkpoints.load(REPO)
    published.fail["GET /api/models"] = status
    assert checkpoints.load(REPO).revision == repo_of(published).head
    assert f"it answered {status}" in caplog.text


def test_a_silent_hub_is_waited_for_a_set_time(owner, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(hub, "TIMEOUT", 0.5)
    with socket.socket() as silent:  # takes calls and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(HubError, match="cannot be reached"):
            checkpoints.load(REPO)


def test_missing_repositories_and_files(published):
    with pytest.raises(HubError, match="no repository owner/other"):
        checkpoints.load("owner/other")
    publish_other(published, **{"model.safetensors": None})
    with pytest.raises(HubError, match=r"no model\.safetensors"):
        checkpoints.load(REPO)


def test_private_repositories_need_the_token(published, monkeypatch):
    repo_of(published).private = True
    assert checkpoints.load(REPO)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="private one set HF_TOKEN"):
        checkpoints.load(f"{REPO}@main")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="did not accept your token"):
        checkpoints.load(f"{REPO}@main")


def test_gated_repositories_name_the_terms(published, monkeypatch):
    repo_of(published).gated = True
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="accept its terms"):
        checkpoints.load(REPO)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert checkpoints.load(REPO)


def test_a_cut_download_goes_on_where_it_stopped(published, saved):
    published.cuts = 1
    loaded = checkpoints.load(REPO)
    assert loaded.sha256 == sha256(saved / "model.safetensors")
    assert len(published.starts) == 1
    assert published.starts[0] > 0


def test_a_download_that_is_always_cut_ends_in_a_sentence(published, tmp_path):
    published.cut, published.cuts = 1_000_000, 1000
    with pytest.raises(HubError, match="broke off again and again"):
        checkpoints.load(REPO)
    published.cuts = 0
    assert checkpoints.load(REPO)


def test_a_flipped_byte_is_refused(published, saved):
    data = bytearray((saved / "model.safetensors").read_bytes())
    data[-1] ^= 1
    publish_other(published, **{"model.safetensors": bytes(data)})
    with pytest.raises(CheckpointError, match="SHA-256"):
        checkpoints.load(REPO)


def config_with(saved, **changes) -> bytes:
    return json.dumps({**json.loads((saved / "config.json").read_text()), **changes}).encode()


def members_with(saved, **changes) -> list:
    (member,) = json.loads((saved / "config.json").read_text())["members"]
    return [{**member, **changes}]


def test_a_config_of_a_newer_version(published, saved):
    publish_other(published, **{"config.json": config_with(saved, format=99)})
    with pytest.raises(CheckpointError, match="Update RealityCheck"):
        checkpoints.load(REPO)


def test_another_architecture(published, saved):
    publish_other(
        published,
        **{"config.json": config_with(saved, members=members_with(saved, arch="resnet50"))},
    )
    with pytest.raises(CheckpointError, match="not those of a resnet50"):
        checkpoints.load(REPO)


def test_a_pickle_in_place_of_tensors(published, saved, tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "pickle")
    data = (tmp_path / "pickle").read_bytes()
    digests = {"model.safetensors": sha256(tmp_path / "pickle")}
    publish_other(
        published,
        **{"model.safetensors": data, "config.json": config_with(saved, sha256=digests)},
    )
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        checkpoints.load(REPO)


def test_a_full_disk(published, monkeypatch):
    """/dev/full takes no byte: as the cache's file it is a full disk."""
    import builtins

    real = builtins.open

    def full(file, *args, **options):
        return real("/dev/full" if str(file).endswith(".incomplete") else file, *args, **options)

    monkeypatch.setattr(Path, "open", lambda self, *a, **k: full(self, *a, **k))
    monkeypatch.setattr(builtins, "open", full)
    with pytest.raises(HubError, match="disk is full"):
        checkpoints.load(REPO)


def _pull(url, cache, answers) -> None:
    with client_of(url, cache, pytest.MonkeyPatch.context):
        answers.put(checkpoints.load(REPO).sha256)


@pytest.mark.slow
def test_two_processes_may_download_at_once(published, saved, tmp_path):
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    both = [
        spawn.Process(target=_pull, args=(published.url, str(tmp_path / "shared"), answers))
        for _ in range(2)
    ]
    for process in both:
        process.start()
    found = {answers.get(timeout=90) for _ in both}
    for process in both:
        process.join(30)
    assert found == {sha256(saved / "model.safetensors")}


# --- the commands -----------------------------------------------------------------------------


@pytest.fixture
def environment(owner, tmp_path):
    """Of another process that is a client of `owner`."""
    return {
        **os.environ,
        "HF_ENDPOINT": owner.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
    }


def run(command, environment):
    options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    return subprocess.run(command, timeout=180, **options)


def test_a_refused_push_ends_in_a_sentence(saved, environment):
    environment["HF_TOKEN"] = "hf_wrong"
    command = [sys.executable, "-m", "realitycheck", "push", str(saved), REPO]
    done = run(command, environment)
    assert done.returncode == 1
    assert "did not accept your token" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_training_can_publish_what_it_made(owner, environment, folder, tmp_path):
    options = (
        "--weights none --frozen --cache-features --epochs 5 --batch-size 4 --view-size 64 "
        "--lr 3e-3 --workers 0 --precision fp32 --version 3 --private --push-to-hub"
    )
    train = [sys.executable, "train.py", str(folder), "--output", str(tmp_path / "Models")]
    done = run([*train, *options.split(), "owner/trained"], environment)
    assert done.returncode == 0, done.stderr[-3000:]
    repo = owner.repos["models", "owner/trained"]
    assert repo.private
    assert repo.tags == {"v3": repo.head}
    assert {"RealityCheck.pth", "curves.png", "model.safetensors"} <= set(repo.files)
    assert "model-index" in repo.files["README.md"].decode()

    environment["HF_TOKEN"] = "hf_wrong"
    done = run([*train, *options.split(), "owner/trained"], environment)
    assert done.returncode == 1
    assert "epoch" not in done.stdout  # refused before, not after, the training


@pytest.mark.slow
def test_the_readmes_publishing_commands_work(owner, environment, saved):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme[readme.index("## Publish") : readme.index("## Results")]
    blocks = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 3
    owner.stages = ["RUNNING"]
    for block in blocks:
        command = (
            block.replace(".venv/bin/python", sys.executable)
            .replace("Models/RealityCheck", str(saved))
            .replace("v1", "v1.2")
            .replace("picture.jpg", "examples/cat.jpg")
            .replace("OWNER", "owner")
        )
        done = run(["bash", "-ec", command], environment)
        assert done.returncode == 0, done.stderr[-3000:]
    assert ("spaces", "owner/SPACE") in owner.repos
    assert owner.repos["models", "owner/NAME"].tags.keys() == {"v1.2"}
    assert "cat.jpg" in done.stdout
