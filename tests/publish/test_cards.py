"""What a push does to a card that its owner edited on the Hub."""

from dataclasses import replace

import pytest
import torch
from huggingface_hub import EvalResult, ModelCard
from loopback_hub import Repo
from saving import HUB_CONFIG as CONFIG
from saving import HUB_REPO as REPO
from saving import save

from realitycheck.committee.cnn import build_model
from realitycheck.errors import HubError
from realitycheck.publish import upload
from realitycheck.publish.push import push
from realitycheck.results import Interval, Record, SetMetrics, Verdicts

FIGURE = Interval(0.9, 0.85, 0.95)


def repo_of(server):
    return server.repos["models", REPO]


def edit_card(server, *changes, append=""):
    """Edits the card as its owner would in the browser."""
    repo = repo_of(server)
    text = repo.files["README.md"].decode()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    repo.commit({**repo.files, "README.md": (text + append).encode()})


def push_next(folder, version="2", record=None):
    torch.manual_seed(int(version))
    config = replace(CONFIG, version=version)
    save(folder, build_model("efficientnet_b0", 2), config, record)
    return push(folder, REPO)


def record_with(value: float) -> Record:
    figure = Interval(value, 0.5, 1)
    verdicts = Verdicts(None, None, None, real_called_ai=FIGURE, ai_called_real=FIGURE)
    figures = SetMetrics({}, balanced_accuracy=figure, auc=figure, verdicts=verdicts)
    return Record(metrics={"test": {"clean": figures}})


def test_what_was_edited_in_the_card_stays_and_the_rest_is_new(published, copy, caplog):
    terms = "Free for research at our institute."
    edit_card(
        published,
        ("The code's licence (Apache-2.0) does not cover these weights.", terms),
        ("license: other", "license: cc-by-4.0"),
        ("tags:", "tags:\n- forensics"),
        append="\n## Citation\n\n```bash\n# cite us\n```\n",
    )
    for version, value in (("2", 0.7), ("3", 0.8)):
        push_next(copy, version, record_with(value))
        text = repo_of(published).files["README.md"].decode()
        card = ModelCard(text)
        assert terms in text
        assert card.data.license == "cc-by-4.0"
        assert "forensics" in card.data.tags
        assert "## Citation\n\n```bash\n# cite us\n```" in text
        assert f"# RealityCheck efficientnet_b0, version {version}" in text
        assert f"{100 * value:.1f} (50.0-100.0)" in text
        assert card.data.eval_results[0].metric_value == value
        assert text.count("## Terms") == text.count("## Limits") == 1
    assert "stays as it is: Terms, license, tags." in caplog.text


def test_what_was_taken_out_of_the_card_stays_out(published, copy):
    repo = repo_of(published)
    card = repo.files["README.md"].decode()
    start, end = card.index("<!-- realitycheck: not-for"), card.index("<!-- realitycheck: terms")
    edit_card(published, (card[start:end], ""), ("pipeline_tag: image-classification\n", ""))
    for version in ("2", "3"):
        push_next(copy, version)
        text = repo.files["README.md"].decode()
        assert "## Not for" not in text
        assert ModelCard(text).data.pipeline_tag is None
        assert "## Terms" in text


def test_the_owners_own_results_stay(published, copy):
    push_next(copy, "2", record_with(0.7))
    repo = repo_of(published)
    card = ModelCard(repo.files["README.md"].decode())
    names = {"dataset_name": "our archive", "dataset_type": "owner/archive"}
    theirs = replace_result(card.data.eval_results[0], **names, metric_value=0.5)
    card.data.eval_results.append(theirs)
    repo.commit({**repo.files, "README.md": str(card).encode()})
    push_next(copy, "3", record_with(0.8))
    results = ModelCard(repo.files["README.md"].decode()).data.eval_results
    found = {(r.dataset_name, r.metric_name): r.metric_value for r in results}
    assert found["our archive", theirs.metric_name] == 0.5
    assert found["pictures of its training folder", "AUC"] == 0.8


def replace_result(result, **changes):
    return EvalResult(**{**vars(result), **changes})


def test_an_untouched_card_makes_no_noise(published, copy, caplog):
    push_next(copy, "2", record_with(0.7))
    assert "stays as it is" not in caplog.text
    assert repo_of(published).files["README.md"].decode().count("version 1.2") == 0


def version_4_repository(server, saved):
    """As version 4 published it: the card has no marks."""
    repo = server.repos["models", REPO] = Repo()
    files = {path.name: path.read_bytes() for path in saved.iterdir()}
    repo.tags["v1.2"] = repo.commit({**repo.files, **files})
    return repo


def test_an_edited_card_without_marks_keeps_its_edits(owner, saved, copy):
    repo = version_4_repository(owner, saved)
    edit_card(
        owner,
        ("- A verdict is a probability", "- Mind you: a verdict is a probability"),
        append="\n## Citation\n\ncite us\n",
    )
    push_next(copy, "2", record_with(0.7))
    text = repo.files["README.md"].decode()
    assert "Mind you" in text
    assert "## Citation\n\ncite us" in text
    assert "version 2" in text
    assert "version 1.2" not in text
    assert "## Results" in text


def test_an_unedited_card_without_marks_is_written_anew(owner, saved, copy, caplog):
    repo = version_4_repository(owner, saved)
    push_next(copy, "2")
    assert "version 1.2" not in repo.files["README.md"].decode()
    assert "stays as it is" not in caplog.text


def test_a_card_of_unknown_origin_loses_nothing(owner, saved, copy, caplog):
    """No tag says how we wrote it, so all that differs counts as edited."""
    repo = version_4_repository(owner, saved)
    repo.tags.clear()
    edit_card(owner, ("made by an AI.", "made by a machine."))
    push_next(copy, "2")
    text = repo.files["README.md"].decode()
    assert "made by a machine." in text
    assert text.count("## Terms") == 1
    assert "stays as it is: RealityCheck efficientnet_b0, version 1.2" in caplog.text


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"---\nlicense: [\n---\n", b"", b"---\n"])
def test_a_damaged_card_stops_no_push(published, copy, damage):
    repo = repo_of(published)
    repo.commit({**repo.files, "README.md": damage})
    push_next(copy, "2")
    assert "## Limits" in repo.files["README.md"].decode()


def test_somebody_who_edits_meanwhile_is_not_overrun(published, copy, monkeypatch):
    real = upload.upload

    def later(*args, **options):
        edit_card(published, ("## Limits", "## Borders"))
        return real(*args, **options)

    monkeypatch.setattr(upload, "upload", later)
    with pytest.raises(HubError, match=r"commit has happened since.*changed it meanwhile"):
        push_next(copy, "2")
    assert "## Borders" in repo_of(published).files["README.md"].decode()
    monkeypatch.undo()
