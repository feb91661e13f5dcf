"""What visitors say of answers: kept only as agreed, lost by nothing, sent once."""

import io
import json
import logging
import re
import sys
import threading
from pathlib import Path

import pytest
from helpers import ROOT, drawing, free_port, wait_until
from huggingface_hub import snapshot_download
from limits import file_size_limit, on_a_small_disk
from loopback_hub import TOKEN, LoopbackHub, client_of
from PIL import ExifTags, Image

from realitycheck import checkpoints, images
from realitycheck.cli import main
from realitycheck.data import folders
from realitycheck.errors import CheckpointError, PictureError, RealityCheckError
from realitycheck.files import sha256
from realitycheck.images.stripping import stripped
from realitycheck.web import feedback, feedback_box, feedback_hub, feedback_page
from realitycheck.web.answer import About, Answer
from realitycheck.web.feedback import AI, EVERYBODY, OWNER, REAL, UNSURE, Feedback, Limit, Refused
from realitycheck.web.page import build_demo
from realitycheck.wording import ENGLISH, FEEDBACK, GERMAN

REPO = "owner/feedback"
SOON = 0.002  # minutes between commits
VISITOR = "203.0.113.7"


class Service:
    """Answers about pictures at once."""

    def __init__(self, source="bundled"):
        self.model = {
            "source": source, "version": "5", "sha256": "ab" * 32, "engine": "openvino",
            "ai_class": "ai", "arch": "transformer",
        }  # fmt: skip

    def check(self, path):
        images.read(path)
        report = {
            "verdict": "ai",
            "probabilities": {"ai": 0.9, "real": 0.1},
            "witnesses": [{"name": "transformer", "p_ai": 0.9}],
            "model": self.model,
            "picture": {"name": Path(path).name},
        }
        return Answer(report, b"", {}, b"")

    def stripped(self, path):
        return stripped(path)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with LoopbackHub() as running, client_of(running.url, tmp_path / "hub", monkeypatch.context):
        yield running


@pytest.fixture
def start(tmp_path, hub):
    """Starts to take feedback, and to send it unless told otherwise; ends what still runs."""
    running = []

    def started(*, sending=True, every=SOON) -> Feedback:
        found = Feedback(REPO, tmp_path / "box", every=every)
        if sending:
            found.start()
        running.append(found)
        return found

    yield started
    for one in running:
        one.close()


@pytest.fixture
def picture(tmp_path) -> Path:
    return photograph(tmp_path / "holiday.jpg")


def photograph(path: Path, seed=0) -> Path:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Jane Doe"
    drawing(200, 150, seed).save(path, exif=exif)
    return path


def take(feedback, picture, truth=REAL, agreed=(EVERYBODY, "picture"), visitor=VISITOR):
    return feedback.take(Service(), str(picture), truth, list(agreed), visitor)


def sent(hub) -> dict[str, bytes]:
    """What the dataset holds beside its card."""
    repo = hub.repos.get(("datasets", REPO))
    files = {} if repo is None else repo.files
    return {name: data for name, data in files.items() if name.startswith("test/")}


def wait_for_files(hub, count):
    wait_until(lambda: len(sent(hub)) == count, lambda: f"the Hub has {list(sent(hub))}")


# --- what is kept -----------------------------------------------------------------------------


def test_what_arrives_is_the_answer_and_the_bare_picture(hub, start, picture):
    take(start(), picture)
    wait_for_files(hub, 2)
    digest = sha256(picture)
    files = sent(hub)
    entry = json.loads(files[f"test/{digest}-real.json"])
    assert entry.pop("date")[:2] == "20"
    assert entry == {
        "truth": "real",
        "verdict": "ai",
        "probability": 0.9,
        "model": {"source": "bundled", "version": "5", "sha256": "ab" * 32, "engine": "openvino"},
        "sha256": digest,
        "seen_by": "everybody",
        "picture": f"real/{digest}.jpg",
        "picture_is": "as sent",
    }
    with Image.open(io.BytesIO(files[f"test/real/{digest}.jpg"])) as image:
        assert dict(image.getexif()) == {}
    for told in (b"Jane", VISITOR.encode(), b"holiday"):
        assert not any(told in data for data in files.values())


def test_a_new_dataset_is_private_and_has_a_card(hub, start):
    running = start()
    assert (running.visibility, running.seen_by) == ("unknown", EVERYBODY)
    wait_until(lambda: running.visibility != "unknown", lambda: "the Hub was never asked")
    assert (running.visibility, running.seen_by) == ("private", OWNER)
    repo = hub.repos["datasets", REPO]
    wait_until(lambda: "README.md" in repo.files, lambda: "no card")
    assert b"realitycheck evaluate" in repo.files["README.md"]
    repo.commit({**repo.files, "README.md": b"edited"})
    again = start()
    wait_until(lambda: again.visibility == "private", lambda: "the Hub was never asked")
    again.close()
    assert repo.files["README.md"] == b"edited"


def test_a_checkpoints_path_is_not_told(start, picture):
    entry = start(sending=False).take(
        Service("/home/jane/Models"), str(picture), AI, [EVERYBODY], VISITOR
    )
    assert entry.model["source"] == "local"


@pytest.mark.parametrize("agreed", [None, [], ["picture"], "everybody", {"everybody": 1}, [OWNER]])
def test_nothing_is_kept_without_consent(start, picture, agreed):
    running = start(sending=False)  # so that everybody may see it, for all that is known
    with pytest.raises(Refused, match="Nothing was sent"):
        running.take(Service(), str(picture), REAL, agreed, VISITOR)
    assert running.box.files() == []


def test_consent_to_a_private_dataset_ends_when_it_is_public(hub, start, picture):
    running = start()
    wait_until(lambda: running.seen_by == OWNER, lambda: "the Hub was never asked")
    assert take(running, picture, agreed=[OWNER]).seen_by == OWNER
    wait_for_files(hub, 1)
    hub.repos["datasets", REPO].private = False
    wait_until(lambda: running.seen_by == EVERYBODY, lambda: "never noticed")
    with pytest.raises(Refused, match="everybody can see the dataset now"):
        take(running, picture, AI, [OWNER])
    assert len(sent(hub)) == 1


@pytest.mark.parametrize(
    ("truth", "agreed"), [(REAL, [EVERYBODY]), (UNSURE, [EVERYBODY, "picture"])]
)
def test_the_picture_needs_a_consent_of_its_own_and_a_truth(hub, start, picture, truth, agreed):
    entry = take(start(), picture, truth, agreed)
    assert (entry.picture, entry.picture_is) == (None, None)
    assert "picture" not in feedback_page.thanks(entry)
    wait_for_files(hub, 1)
    assert list(sent(hub)) == [f"test/{sha256(picture)}-{truth.replace(' ', '-')}.json"]


@pytest.mark.parametrize("truth", [None, "", "AI", ["ai"], "../../evil"])
def test_no_other_truth_is_taken(start, picture, truth):
    running = start(sending=False)
    with pytest.raises(Refused, match="Choose what the picture truly is"):
        take(running, picture, truth)
    assert running.box.files() == []


def test_a_broken_picture_and_an_example_are_refused(start, tmp_path):
    running = start(sending=False)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(PictureError):
        take(running, tmp_path / "bad.png")
    with pytest.raises(Refused, match="one of our examples"):
        take(running, ROOT / "examples" / "temple.jpg")
    assert running.box.files() == []


# --- once -------------------------------------------------------------------------------------


def test_the_same_said_twice_is_kept_once(hub, start, picture):
    running = start()
    for _ in range(2):  # while it waits, and when it was sent
        if not sent(hub):
            take(running, picture, agreed=[EVERYBODY])
        with pytest.raises(Refused, match="kept once"):
            take(running, picture, agreed=[EVERYBODY])
        wait_for_files(hub, 1)
    take(running, picture)  # now with the picture
    wait_for_files(hub, 2)
    assert json.loads(sent(hub)[f"test/{sha256(picture)}-real.json"])["picture"]
    with pytest.raises(Refused, match="kept once"):
        take(running, picture)
    take(running, picture, AI, [EVERYBODY])  # somebody else may know better
    wait_for_files(hub, 3)


def test_many_at_once_keep_it_once(start, picture):
    running, told = start(sending=False), []

    def say():
        try:
            told.append(take(running, picture))
        except Refused as error:
            told.append(str(error))

    threads = [threading.Thread(target=say) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(not isinstance(one, str) for one in told) == 1
    assert len(running.box.files()) == 2


def test_what_the_owner_deletes_does_not_come_again(hub, start, picture):
    first = start()
    take(first, picture)
    wait_for_files(hub, 2)
    wait_until(lambda: not first.box.files(), lambda: "sent files stay here")
    first.close()
    repo = hub.repos["datasets", REPO]
    repo.commit({"README.md": repo.files["README.md"]})
    second = start()
    wait_until(lambda: second.visibility == "private", lambda: "the Hub was never asked")
    with pytest.raises(Refused, match="kept once"):
        take(second, picture)
    second.close()
    assert sent(hub) == {}


def test_the_documented_way_deletes_something_for_good(hub, start, tmp_path, picture):
    for one in (picture, photograph(tmp_path / "other.jpg", 1)):
        take(start(), one)
    wait_for_files(hub, 4)
    text = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
    (block,) = (part for part in re.findall("```python\n(.*?)```", text, re.S) if "squash" in part)
    fingerprint = sha256(picture)[: feedback.SHOWN]
    exec(block.replace("OWNER/NAME", REPO).replace("FINGERPRINT", fingerprint), {})
    assert len(sent(hub)) == 2
    repo = hub.repos["datasets", REPO]
    assert not any(fingerprint in name for files in repo.commits.values() for name in files)


# --- nothing is lost --------------------------------------------------------------------------


def test_a_restart_sends_what_waited(hub, start, picture):
    take(start(sending=False), picture)  # killed: nothing was closed
    assert sent(hub) == {}
    start()
    wait_for_files(hub, 2)


def test_what_another_server_sends_meanwhile_is_in_nobodys_way(
    hub, start, tmp_path, picture, monkeypatch
):
    running = start(sending=False)
    take(running, picture)
    listed = running.box.files

    def sent_meanwhile():
        paths = listed()
        for path in paths:
            path.unlink()
        return paths

    monkeypatch.setattr(running.box, "files", sent_meanwhile)
    take(running, photograph(tmp_path / "other.jpg", 1))
    assert len(listed()) == 2


def test_the_last_commit_is_made_at_the_end(hub, start, picture):
    running = start(every=60)
    wait_until(lambda: running.visibility == "private", lambda: "the Hub was never asked")
    take(running, picture)
    running.close()
    assert len(sent(hub)) == 2
    assert running.box.files() == []


def test_what_was_half_written_is_forgotten(tmp_path, start, picture):
    take(start(sending=False), picture)
    half = tmp_path / "box" / "new" / "half.json"
    half.write_text("{")
    again = start(sending=False)
    assert not half.exists()
    assert len(again.box.files()) == 2


@pytest.mark.parametrize("refused", ["repos/create", "datasets/owner/feedback", "/commit/"])
def test_a_hub_that_is_away_gets_it_later(hub, start, picture, caplog, refused):
    caplog.set_level(logging.WARNING, "realitycheck")
    hub.fail = {refused: 503}
    running = start()
    take(running, picture)
    kept = running.box.files()
    tries = len(hub.requests) + 6
    wait_until(lambda: len(hub.requests) > tries, lambda: "it was not tried again")
    assert set(kept) <= set(running.box.files())
    said = [record.message for record in caplog.records if "is not sent" in record.message]
    assert len(said) == 1
    assert "The Hub did not take owner/feedback (told to fail)" in said[0]
    assert "waits in" in said[0]
    assert sent(hub) == {}
    hub.fail = {}
    wait_for_files(hub, 2)


def test_a_token_that_may_not_write_is_named(hub, start, picture, caplog):
    caplog.set_level(logging.WARNING, "realitycheck")
    hub.fail = {"/commit/": 403}
    running = start()
    take(running, picture)
    wait_until(lambda: "may write there" in caplog.text, lambda: caplog.text)
    running.close()
    assert len(running.box.files()) >= 2
    assert "files of feedback wait in" in caplog.text


def test_a_hub_that_is_not_there_at_all(tmp_path, monkeypatch, picture, caplog):
    caplog.set_level(logging.WARNING, "realitycheck")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    nowhere = f"http://127.0.0.1:{free_port()}"
    with client_of(nowhere, tmp_path / "hub", monkeypatch.context):
        running = Feedback(REPO, tmp_path / "box", every=60)
        running.start()
        take(running, picture)
        wait_until(lambda: "is not sent" in caplog.text, lambda: "nothing was said")
        assert running.seen_by == EVERYBODY
        running.close()
    assert len(running.box.files()) == 2


def test_where_nothing_can_be_written_nothing_is_kept(start, picture):
    running = start(sending=False)
    with file_size_limit(100), pytest.raises(Refused) as refused:
        take(running, picture)
    assert "could not write it because it would be larger" in str(refused.value)
    assert str(running.box.waiting) not in str(refused.value)
    assert running.box.files() == []
    take(running, picture)
    assert len(running.box.files()) == 2


FILL = """
import sys
from pathlib import Path
from realitycheck.errors import WriteError
from realitycheck.images.stripping import Stripped
from realitycheck.web.feedback_box import Box, Entry

box = Box(Path(sys.argv[1]))
kept = 0
for number in range(9):
    digest = f"{number:064}"
    picture = Stripped(bytes(100_000), ".jpg", "as sent")
    entry = Entry("ai", "real", 0.1, {}, "2026-11-28", digest, "owner", f"ai/{digest}.jpg")
    try:
        kept += box.keep(entry, picture)
    except WriteError as error:
        print(error)
        break
print("kept", kept)
"""


def test_a_full_disk_costs_only_what_comes_then(tmp_path):
    box = tmp_path / "box"
    box.mkdir()
    done = on_a_small_disk(box, "500k", [sys.executable, "-c", FILL, box])
    assert done.returncode == 0, done.stderr
    assert "the disk is full; nothing was left behind" in done.stdout
    kept = int(done.stdout.split("kept ")[1].split()[0])
    assert 2 <= kept <= 4
    files = [line.split() for line in done.stdout.splitlines() if line.startswith("waiting/")]
    sizes = [int(size) for name, size in files if name.endswith(".jpg")]
    assert sizes == [100_000] * kept
    assert sum(name.endswith(".json") for name, _ in files) == kept


def test_when_too_much_waits_no_more_is_taken(start, picture, monkeypatch):
    running = start(sending=False)
    take(running, picture, agreed=[EVERYBODY])
    monkeypatch.setattr(feedback_box, "MOST_BYTES", 1000)
    with pytest.raises(Refused, match="too much waits"):
        take(running, picture, AI)
    assert len(running.box.files()) == 1


# --- flooding ---------------------------------------------------------------------------------


def test_a_visitor_and_all_of_them_have_a_limit():
    now = [0.0]
    limit = Limit(each=2, everybody=3, clock=lambda: now[0])
    limit.check("a")
    limit.check("a")
    with pytest.raises(Refused, match="2 in an hour"):
        limit.check("a")
    limit.check("b")
    with pytest.raises(Refused, match="too much came"):
        limit.check("c")
    now[0] = 3599.0
    with pytest.raises(Refused):
        limit.check("c")
    now[0] = 3600.0
    limit.check("a")


def test_the_limit_keeps_a_flood_out_of_the_dataset(start, picture):
    running = start(sending=False)
    take(running, picture)
    for _ in range(feedback.EACH - 1):
        with pytest.raises(Refused, match="kept once"):
            take(running, picture)
    with pytest.raises(Refused, match=f"{feedback.EACH} in an hour"):
        take(running, picture, AI)
    take(running, picture, AI, visitor="another")
    assert len(running.box.files()) == 4


# --- reading it -------------------------------------------------------------------------------


@pytest.fixture
def downloaded(hub, start, tmp_path):
    """The dataset after six pictures, and an entry without one."""
    running = start()
    for number in range(6):
        one = photograph(tmp_path / f"{number}.jpg", number)
        take(running, one, AI if number % 2 else REAL)
    take(running, photograph(tmp_path / "unknown.jpg", 9), UNSURE)
    wait_for_files(hub, 13)
    snapshot_download(REPO, repo_type="dataset", local_dir=tmp_path / "data")
    return tmp_path / "data"


def test_all_its_pictures_are_a_set_to_measure(downloaded):
    found = folders.find(downloaded, wanted=("ai", "real"))
    assert {name: len(samples) for name, samples in found.sets.items()} == {"test": 6}
    assert [sample.path.parent.name for sample in found["test"]] == ["ai"] * 3 + ["real"] * 3


@pytest.mark.slow
def test_evaluate_reads_it_as_it_is(downloaded, tmp_path, quick):
    out = str(tmp_path / "Models")
    asked = ["evaluate", str(downloaded), "--model", str(quick), "--output", out, "--workers", "0"]
    assert main(asked) == 0
    assert len((tmp_path / "Models" / "scores.csv").read_text().splitlines()) == 7
    assert not (tmp_path / "Models" / "left-out.csv").exists()


# --- the page ---------------------------------------------------------------------------------


class Demo(Service):
    """Enough of a service to build the page."""

    def __init__(self, about):
        super().__init__()
        self.about = lambda: about

    def wait(self):
        raise CheckpointError("nothing is loaded here")


BOXES = ("to_everybody", "to_owner")


def labels(demo) -> str:
    return json.dumps(demo.texts.i18n().translations_dict["en"])


def test_off_by_default_the_page_does_not_show_it(start, quick):
    checkpoint = checkpoints.find(str(quick)).checkpoint
    about = About(checkpoint.describe(), ("ai", "real"), "ai", checkpoint.record())
    without, with_it = (
        build_demo(Demo(about), feedback=found) for found in (None, start(sending=False))
    )
    assert FEEDBACK["open"] not in labels(without)
    assert FEEDBACK["open"] in labels(with_it)
    ours = with_it.fns.keys() - without.fns.keys()
    assert len(ours) == 3
    assert all(
        event.api_visibility == "private"
        for event in with_it.fns.values()
        if event.api_name in ("sent", "told", "<lambda>")
    )


def test_the_terms_say_who_can_see_it_and_how_to_have_it_deleted(hub, start):
    running = start()
    wait_until(lambda: running.visibility == "private", lambda: "the Hub was never asked")
    private = feedback_page._terms(running)
    assert "which is private" in private
    assert "name the fingerprint to owner" in private
    hub.repos["datasets", REPO].private = False
    wait_until(lambda: running.visibility == "public", lambda: "never noticed")
    public = feedback_page._terms(running)
    assert f"{hub.url}/datasets/{REPO}" in public
    assert "Everybody can see" in public
    for terms in (private, public):
        asked = " ".join(FEEDBACK[name] for name in ("question", "picture", *BOXES))
        words = f"{terms} {asked}"
        assert len(words.split()) <= 120


def test_the_form_is_in_the_visitor_s_language(start, picture, monkeypatch):
    monkeypatch.setattr("realitycheck.web.uploads.get_upload_folder", lambda: str(picture.parent))
    running = start(sending=False)
    ours, theirs = (feedback_page._boxes(running, words) for words in (ENGLISH, GERMAN))
    assert [value for _, value in ours] == [value for _, value in theirs]
    assert [text for text, _ in theirs] == [GERMAN.FEEDBACK[n] for n in ("to_everybody", "picture")]
    choices = feedback_page._choices(GERMAN)
    assert [value for _, value in choices] == [REAL, AI, UNSURE]
    assert GERMAN.FEEDBACK["what"] in feedback_page._terms(running, GERMAN)

    def said(agreed):
        sent = {"path": str(picture), "meta": {"_type": "gradio.FileData"}}
        return feedback_page._sent(
            Service(), running, sent, REAL, agreed, visitor=VISITOR, words=GERMAN
        )[1]

    assert "Ihr Einverständnis" in said([])
    assert "Danke: Ihre Antwort wird gesendet." in said([EVERYBODY])
    assert "schon gesagt" in said([EVERYBODY])


def test_the_page_says_what_became_of_it(start, picture, monkeypatch):
    monkeypatch.setattr("realitycheck.web.uploads.get_upload_folder", lambda: str(picture.parent))
    running = start(sending=False)

    def said(truth, agreed, chosen=None):
        sent = {"path": str(chosen or picture), "meta": {"_type": "gradio.FileData"}}
        form, sentence = feedback_page._sent(
            Service(), running, sent, truth, agreed, visitor=VISITOR
        )
        return form.visible, sentence

    assert said(REAL, []) == (
        True,
        "<p><strong>Nothing was sent: it needs your consent, the first box.</strong></p>",
    )
    assert "not a picture you uploaded" in said(REAL, [EVERYBODY], "/etc/passwd")[1]
    assert running.box.files() == []
    shown, sentence = said(REAL, [EVERYBODY, "picture"])
    assert not shown
    assert f"your answer and the picture will be sent. Fingerprint: {sha256(picture)[:16]}." in (
        sentence
    )


# --- the command ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["feedback", "owner/feedback@v1", "https://hf.co/owner/x", "a/b/c"]
)
def test_a_name_that_is_none_is_refused_before_anything_starts(name, monkeypatch, caplog):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(RealityCheckError, match="is no name of a dataset"):
        feedback.from_environment(name)


def test_the_command_and_the_variable_name_the_dataset(hub, monkeypatch, capsys):
    assert feedback.from_environment(None) is None
    assert feedback.from_environment("owner/one").repo == "owner/one"
    monkeypatch.setenv(feedback.VARIABLE, "owner/two")
    found = feedback.from_environment(None)
    assert found.repo == "owner/two"
    assert found.box.waiting.is_relative_to(feedback._usual_folder("owner/two"))
    assert feedback.from_environment("owner/one").repo == "owner/one"
    monkeypatch.delenv("HF_TOKEN")
    assert main(["serve"]) != 0
    assert "Keeping feedback in owner/two needs a token" in capsys.readouterr().err
    assert feedback_hub.EVERY == 5
