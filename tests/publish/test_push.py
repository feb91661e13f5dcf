"""Pushing with the real client, to a Hub on this machine."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from helpers import PATIENCE, ROOT
from huggingface_hub import ModelCard
from limits import open_folder, read_only
from loopback_hub import TOKEN, Repo
from saving import HUB_CONFIG as CONFIG
from saving import HUB_REPO as REPO
from saving import save

from realitycheck import cli
from realitycheck.committee.cnn import build_model
from realitycheck.errors import CheckpointError, HubError
from realitycheck.publish import upload
from realitycheck.publish.push import push
from realitycheck.results import Interval, Record, SetMetrics, Source, Verdicts

FILES = (
    "README.md",
    "RealityCheck.pth",
    "config.json",
    "curves.png",
    "model.safetensors",
    "record.json",
)
FIGURE = Interval(0.9, 0.85, 0.95)


def repo_of(server):
    return server.repos["models", REPO]


def test_a_push_is_one_commit_with_everything_and_a_tag(owner, saved):
    commit = push(saved, REPO, private=True)
    repo = repo_of(owner)
    assert repo.private
    assert list(repo.commits)[1:] == [commit]
    assert set(repo.files) == {".gitattributes", *FILES}
    assert repo.tags == {"v1.2": commit}
    assert any("PUT /lfs/" in called for called in owner.requests)


def test_private_of_a_public_repository_is_said_in_a_line(owner, saved, caplog):
    push(saved, "owner/hidden", private=True)
    push(saved, "owner/hidden", private=True)  # hidden already: nothing to say
    push(saved, REPO)
    push(saved, REPO, private=True)
    (said,) = (r.getMessage() for r in caplog.records if r.name.startswith("realitycheck"))
    assert f"{REPO} is public already and stays so" in said
    assert said.endswith(f"Hide it at {owner.url}/{REPO}/settings.")
    assert not repo_of(owner).private


def test_the_card_has_the_metadata_the_hub_reads(tmp_path):
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


# --- what others put there ------------------------------------------------------------------------


def somebody_elses(server):
    repo = server.repos["models", REPO] = Repo()
    config = b'{"architectures": ["BertModel"], "model_type": "bert"}'
    repo.commit({**repo.files, "config.json": config, "pytorch_model.bin": b"w", "vocab.txt": b"v"})
    return repo


def test_somebody_elses_model_is_refused_with_what_is_there(owner, saved, capsys):
    repo = somebody_elses(owner)
    before = dict(repo.commits)
    with pytest.raises(HubError) as caught:
        push(saved, REPO)
    said = str(caught.value)
    assert f"{REPO} holds something else" in said
    assert "config.json, pytorch_model.bin, vocab.txt" in said
    assert "--replace" in said
    assert (repo.commits, repo.tags) == (before, {})
    assert cli.main(["push", str(saved), REPO]) == 1
    assert "add --replace" in capsys.readouterr().err
    assert cli.main(["push", str(saved), REPO, "--replace"]) == 0
    assert set(repo.files) == {".gitattributes", *FILES}


def test_training_finds_it_out_before_it_starts(owner, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("realitycheck.training.run.fit", lambda *_, **__: pytest.fail("trained"))
    somebody_elses(owner)
    options = ["--output", str(tmp_path), "--weights", "none", "--push-to-hub", REPO]
    assert cli.main(["train", str(folder), *options]) == 1
    assert "holds something else" in capsys.readouterr().err


def test_a_repository_with_a_card_alone_is_taken(owner, saved):
    repo = owner.repos["models", REPO] = Repo()
    repo.commit({**repo.files, "README.md": b"---\nlicense: mit\n---\n"})
    push(saved, REPO)
    card = ModelCard(repo.files["README.md"].decode())
    assert card.data.license == "mit"
    assert card.data.library_name == "realitycheck"
    assert "## Limits" in card.text


def test_other_files_of_our_repository_stay(published, copy):
    repo = repo_of(published)
    repo.commit({**repo.files, "notebook.ipynb": b"{}"})
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"))
    push(copy, REPO)
    assert set(repo.files) == {".gitattributes", "notebook.ipynb", *FILES}


def test_weights_files_that_a_version_lacks_do_not_stay_from_the_last(published, copy):
    """The `.pth` of version 1.2 is named by no config of version 2."""
    repo = repo_of(published)
    repo.commit({**repo.files, "notes.pth": b"theirs"})
    copy.with_suffix(".pth").unlink()
    save(copy, build_model("efficientnet_b0", 2), replace(CONFIG, version="2"), half=True)
    push(copy, REPO)
    assert "RealityCheck.pth" not in repo.files
    assert "notes.pth" in repo.files


def test_an_unwritable_temporary_folder_is_no_fault_of_the_hub(published, monkeypatch):
    with open_folder() as folder:
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with read_only(folder), pytest.raises(HubError) as caught:
            upload.read(REPO, "README.md", repo_of(published).head)
    assert f"{folder} cannot be written because you may not write there" in str(caught.value)
    assert "TMPDIR" in str(caught.value)


# --- the Hub's own reason -------------------------------------------------------------------------

STORAGE = "Private repository storage limit reached, please upgrade your plan to increase it."


@pytest.mark.parametrize(
    "step", ["repos/create", "/preupload/", "objects/batch", "PUT /lfs/", "/commit/"]
)
@pytest.mark.parametrize(
    ("status", "reason"),
    [(403, STORAGE), (402, "Payment required: your credits are used up"), (400, "Bad LFS pointer")],
)
def test_what_the_hub_says_comes_first_and_no_token_is_blamed(owner, saved, step, status, reason):
    owner.fail[step] = (status, reason)
    with pytest.raises(HubError) as caught:
        push(saved, REPO)
    said = str(caught.value)
    assert said.startswith(f"The Hub says about {REPO}: {reason}")
    for unfitting in ("HF_TOKEN", "connection", "Try again later", "token"):
        assert unfitting not in said


def test_what_the_hub_says_of_one_file(owner, saved):
    owner.lfs_error = "model.safetensors is larger than this account may store"
    with pytest.raises(HubError, match="larger than this account may store"):
        push(saved, REPO)


@pytest.mark.parametrize("step", ["repos/create", "/preupload/", "/commit/"])
def test_missing_rights_are_told_with_the_hubs_words_and_what_to_do(owner, saved, step):
    owner.fail[step] = (403, "You don't have the rights to create a model under this namespace")
    with pytest.raises(HubError, match=r"under this namespace\. Set HF_TOKEN .* may write there"):
        push(saved, REPO)


def test_an_expired_token_is_told_so(owner, saved):
    owner.fail["repos/create"] = (401, "Your token is expired")
    with pytest.raises(HubError, match=r"Your token is expired\. It did not accept your token"):
        push(saved, REPO)


@pytest.mark.parametrize("step", ["/commit/", "objects/batch"])
def test_a_hub_out_of_order_is_told_with_its_reason(owner, saved, step, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # the client tries again for a while
    owner.fail[step] = (500, "Internal Error - We're working hard to fix this")
    with pytest.raises(HubError, match=r"did not take .*working hard.* as it was"):
        push(saved, REPO)


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
    return subprocess.run(command, timeout=PATIENCE, **options)


@pytest.mark.usefixtures("owner")
def test_a_refused_push_ends_in_a_sentence(saved, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert cli.main(["push", str(saved), REPO]) == 1
    said = capsys.readouterr().err
    assert "did not accept your token" in said
    assert "Traceback" not in said


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
def test_the_documented_publishing_commands_work(owner, environment, saved):
    document = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", document, re.DOTALL)
    # Those of tests/test_container.py and tests/web/test_feedback.py.
    blocks = [block for block in blocks if not re.search("docker|--feedback", block)]
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
