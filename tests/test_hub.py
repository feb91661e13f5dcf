"""Pulling with the real client, from a Hub on this machine."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import ROOT
from limits import file_size_limit, open_folder, read_only
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


# --- the Hub's own reason -------------------------------------------------------------------------

FINE_GRAINED = (
    "Please enable access to public gated repositories in your fine-grained token settings to view "
    "this repository."
)
STEPS = ["GET /api/models", "/resolve/"]  # what a pull asks


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (403, FINE_GRAINED, ""),
        (403, FINE_GRAINED, "GatedRepo"),
        (403, "Your request to access it is awaiting a review from the authors.", "GatedRepo"),
        (402, "Payment Required: storage limit reached", ""),
        (403, "Access from your country is restricted", ""),
    ],
)
def test_a_refused_pull_shows_the_hubs_reason_first(published, step, status, reason, code):
    published.fail[step] = (status, reason, code)
    with pytest.raises(HubError) as caught:
        checkpoints.load(REPO)
    said = str(caught.value)
    assert said.startswith(f"The Hub says about {REPO}: {reason}")
    for unfitting in ("may write", "HF_TOKEN", "connection", "broke off", "accept"):
        assert unfitting not in said


@pytest.mark.parametrize("step", STEPS)
def test_gated_with_a_token_that_has_not_accepted(published, step):
    reason = "Access to it is restricted and you are not in the authorized list."
    published.fail[step] = (403, reason, "GatedRepo")
    with pytest.raises(HubError, match=r"authorized list\. You must accept its terms on its page"):
        checkpoints.load(REPO)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("status", [401, 402, 403, 404, 409, 429, 500, 503])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_a_pull_never_asks_for_a_token_that_writes(published, monkeypatch, step, status, token):
    monkeypatch.setattr("time.sleep", lambda _: None)
    if token is None:
        monkeypatch.delenv("HF_TOKEN")
    published.fail[step] = (status, "no reason")
    with pytest.raises(HubError) as caught:
        checkpoints.load(REPO)
    assert "may write" not in str(caught.value)
    assert "no reason" in str(caught.value)


def test_a_hub_out_of_order_is_not_called_a_broken_connection(published):
    published.fail["GET /api/models"] = (503, "Down for maintenance")
    with pytest.raises(HubError, match="answered 503: Down for maintenance") as caught:
        checkpoints.load(REPO)
    assert "Try again later" in str(caught.value)
    assert "connection" not in str(caught.value)


# --- the cache ------------------------------------------------------------------------------------


@pytest.fixture
def cache(published, monkeypatch):
    """A cache that every user can reach."""
    with open_folder() as folder, client_of(published.url, folder, monkeypatch.context):
        yield folder


def test_a_read_only_cache_is_named_with_its_variable(cache):
    with read_only(cache), pytest.raises(HubError) as caught:
        checkpoints.load(REPO)
    said = str(caught.value)
    assert said.startswith(f"The Hub's cache, {cache}, cannot be written because you may not write")
    assert "HF_HOME" in said
    assert "connection" not in said


def test_the_variable_that_counts_is_named(cache, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    with read_only(cache), pytest.raises(HubError, match="the variable HF_HUB_CACHE name a folder"):
        checkpoints.load(REPO)


@pytest.mark.parametrize("place", ["file/below", "/proc/nowhere"])
def test_a_cache_in_an_impossible_place(published, tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("x")
    with client_of(published.url, tmp_path / place, monkeypatch.context):
        with pytest.raises(HubError, match=r"cache, .*, cannot be written because") as caught:
            checkpoints.load(REPO)
        assert "HF_HOME" in str(caught.value)
        assert "connection" not in str(caught.value)


@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_filled_read_only_cache_serves_when_the_hub_has_news(cache, copy, caplog, revision):
    old = checkpoints.load(REPO + revision).revision
    torch.manual_seed(4)
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"))
    new = push(copy, REPO)
    with read_only(cache):
        loaded = checkpoints.load(REPO + revision)
        with pytest.raises(HubError, match="is not in it"):
            checkpoints.load(f"{REPO}@v2")
    assert (loaded.revision, loaded.config.version) == (old, "1.2")
    assert f"cannot be written because you may not write there: using the copy of {REPO}" in (
        caplog.text
    )
    assert checkpoints.load(REPO + revision).revision == new


def test_a_filled_read_only_cache_of_the_newest_commit_serves_in_silence(cache, caplog):
    checkpoints.load(REPO)
    with read_only(cache):
        checkpoints.load(REPO)
    assert caplog.text == ""


def test_a_limit_on_file_sizes_is_no_broken_connection(cache):
    with file_size_limit(100_000), pytest.raises(HubError, match="larger than a file may be there"):
        checkpoints.load(REPO)
    assert checkpoints.load(REPO)


def test_the_command_names_a_cache_in_an_impossible_place(published, tmp_path):
    (tmp_path / "file").write_text("x")
    environment = {
        **os.environ,
        "HF_ENDPOINT": published.url,
        "HF_HOME": str(tmp_path / "file" / "below"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-m", "realitycheck", "examples/cat.jpg", "--model", REPO]
    options = {"cwd": ROOT, "env": environment, "capture_output": True, "text": True}
    done = subprocess.run(command, timeout=120, **options)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: The Hub's cache, {environment['HF_HOME']}")
    assert "Let the variable HF_HOME name a folder" in line
