"""Pulling with the real client, from a Hub on this machine."""

import json
import multiprocessing
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from loopback_hub import TOKEN, client_of
from saving import HUB_CONFIG as CONFIG
from saving import HUB_REPO as REPO
from saving import publish_other as commit_other
from saving import save

from realitycheck import checkpoints, hub
from realitycheck.committee.cnn import build_model
from realitycheck.detector import Detector
from realitycheck.errors import CheckpointError, HubError
from realitycheck.files import sha256
from realitycheck.publish.push import push


def repo_of(server):
    return server.repos["models", REPO]


def publish_other(server, **changes):
    return commit_other(repo_of(server), **changes)


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


def test_a_download_that_is_always_cut_ends_in_a_sentence(published, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client tries again for a while
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
