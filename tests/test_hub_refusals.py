"""Pulls that the Hub or the disk refuses: their own reason, and advice that fits."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from helpers import PATIENCE, ROOT
from limits import file_size_limit, open_folder, read_only
from loopback_hub import TOKEN, client_of
from saving import HUB_CONFIG as CONFIG
from saving import HUB_REPO as REPO
from saving import save

from realitycheck import checkpoints
from realitycheck.committee.cnn import build_model
from realitycheck.errors import HubError
from realitycheck.publish.push import push

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


def publish_next(copy) -> str:
    torch.manual_seed(4)
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"))
    return push(copy, REPO)


@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_filled_read_only_cache_serves_when_the_hub_has_news(cache, copy, caplog, revision):
    old = checkpoints.load(REPO + revision).revision
    new = publish_next(copy)
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


@pytest.mark.parametrize("revision", ["", "@main"])
def test_a_disk_that_fills_up_within_a_newer_commit_leaves_the_older_copy(
    cache, copy, caplog, revision, published
):
    old = checkpoints.load(REPO + revision).revision
    new = publish_next(copy)
    with file_size_limit(100_000):  # room for the config, and not for the weights
        loaded = checkpoints.load(REPO + revision)
        assert (loaded.revision, loaded.config.version) == (old, "1.2")
        assert f"larger than a file may be there: using the copy of {REPO}" in caplog.text
        with pytest.raises(HubError, match="is not in it"):
            checkpoints.load(f"{REPO}@v2")
    # Half of the newer commit lies there now; away from the Hub the older one still serves.
    published.fail["GET /api/models"] = 503
    assert checkpoints.load(REPO + revision).revision == old
    published.fail.clear()
    assert checkpoints.load(REPO + revision).revision == new
    published.fail["GET /api/models"] = 503
    assert checkpoints.load(REPO + revision).revision == new


def test_a_download_that_breaks_off_leaves_the_older_copy(
    cache, copy, caplog, published, monkeypatch
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client tries again for a while
    old = checkpoints.load(REPO).revision
    publish_next(copy)
    published.cut, published.cuts = 1_000_000, 1000
    assert checkpoints.load(REPO).revision == old
    assert "broke off again and again" in caplog.text
    assert f"using the copy of {REPO} in the local cache" in caplog.text


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
    done = subprocess.run(command, timeout=PATIENCE, **options)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: The Hub's cache, {environment['HF_HOME']}")
    assert "Let the variable HF_HOME name a folder" in line
