import json
import pickle
import shutil
from dataclasses import replace

import pytest
import torch
from helpers import ROOT, VERSION_4, make_version_4
from loopback_hub import LoopbackHub, Repo, client_of
from saving import config_of, save, with_arch
from version_4 import RECORD

from realitycheck import checkpoints
from realitycheck.committee import stack
from realitycheck.committee.abstention import Abstention, decide
from realitycheck.committee.cnn import build_model
from realitycheck.committee.stack import Stack
from realitycheck.detector import Detector
from realitycheck.errors import CheckpointError
from realitycheck.files import sha256
from realitycheck.publish import card
from realitycheck.tensors import read_tensors

CONFIG = config_of("efficientnet_b0", stack=Stack((1 / 2.0,), 0.5))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_model("efficientnet_b0", 2).eval()


@pytest.fixture(scope="module")
def saved(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "RealityCheck"
    save(folder, network, CONFIG)
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "RealityCheck")
    shutil.copy(saved.with_suffix(".pth"), tmp_path)
    return tmp_path / "RealityCheck"


def change_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def change_arch(folder, arch):
    (member,) = json.loads((folder / "config.json").read_text())["members"]
    change_config(folder, members=[{**member, "arch": arch}])


@pytest.mark.parametrize("kind", ["directory", "safetensors", "pth"])
def test_what_was_saved_comes_back(saved, network, kind):
    source = {
        "directory": saved,
        "safetensors": saved / "model.safetensors",
        "pth": saved.with_suffix(".pth"),
    }[kind]
    file = source / "model.safetensors" if source.is_dir() else source
    loaded = checkpoints.load(str(source))
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.members[0].network.state_dict()[name], tensor), name
    assert loaded.config == replace(CONFIG, sha256=loaded.config.sha256)
    assert loaded.describe()["sha256"] == sha256(file)
    assert loaded.describe()["source"] == str(source)
    assert not loaded.members[0].network.training


def test_the_pth_is_a_bare_torchvision_state_dict(saved, network):
    state = torch.load(saved.with_suffix(".pth"), weights_only=True)
    assert list(state) == list(network.state_dict())


def test_half_precision_loads_as_float32(network, tmp_path):
    save(tmp_path / "small", network, CONFIG, half=True)
    assert not (tmp_path / "small.pth").exists()
    loaded = checkpoints.load(tmp_path / "small").members[0].network
    tensor = network.classifier[0].weight
    assert loaded.classifier[0].weight.dtype == torch.float32
    assert torch.equal(loaded.classifier[0].weight, tensor.half().float())


@pytest.mark.parametrize("arch", ["resnet50", "resnet50_half", "vit_b_16", "efficientnet_b0"])
def test_loading_draws_no_weights_that_are_replaced_at_once(arch, tmp_path):
    network = build_model(arch, 2)
    save(tmp_path / "model", network, with_arch(CONFIG, arch))
    before = torch.get_rng_state()
    checkpoints.load(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), before)


def test_order_of_sources(saved, monkeypatch):
    monkeypatch.delenv("REALITYCHECK_MODEL", raising=False)
    assert checkpoints.load().describe()["source"] == "bundled"
    monkeypatch.setenv("REALITYCHECK_MODEL", str(saved))
    assert checkpoints.load().describe()["source"] == str(saved)
    assert checkpoints.load(checkpoints.BUNDLE).describe()["source"] == "bundled"
    monkeypatch.setenv("REALITYCHECK_MODEL", "/missing/model")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoints.load()


def test_the_bundled_card_says_what_the_configuration_holds():
    written = (checkpoints.BUNDLE / checkpoints.CARD).read_text(encoding="utf-8")
    bundle = checkpoints.load(checkpoints.BUNDLE)
    now = card.text(bundle.config, bundle.record())
    # Below the metadata, which is laid out as the Hub's library likes.
    assert written.partition("\n---\n")[2].strip() == now.partition("\n---\n")[2].strip()


def test_saving_again_replaces_the_directory_whole(copy, network):
    (copy / "stale").write_text("x")
    save(copy, network, replace(CONFIG, version="7"))
    assert checkpoints.load(copy).config.version == "7"
    assert sorted(p.name for p in copy.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "record.json",
    ]
    assert sorted(p.name for p in copy.parent.iterdir()) == ["RealityCheck", "RealityCheck.pth"]


def test_a_failed_save_leaves_the_old_one(copy, network, monkeypatch):
    def full_disk(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    before = sha256(copy / "model.safetensors")
    with pytest.raises(OSError, match="No space"):
        save(copy, network, CONFIG, half=True)
    assert sha256(copy / "model.safetensors") == before
    assert sorted(p.name for p in copy.parent.iterdir()) == ["RealityCheck", "RealityCheck.pth"]


def test_a_flipped_bit_is_noticed(copy):
    for file in (copy / "model.safetensors", copy.with_suffix(".pth")):
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        with pytest.raises(CheckpointError, match="SHA-256"):
            checkpoints.load(file if file.suffix == ".pth" else copy)


def test_weights_without_a_checksum_are_refused(copy):
    change_config(copy, sha256={})
    with pytest.raises(CheckpointError, match="no SHA-256"):
        checkpoints.load(copy)


def test_wrong_architecture_or_classes(copy):
    change_arch(copy, "resnet50")
    with pytest.raises(CheckpointError, match="not those of a resnet50"):
        checkpoints.load(copy)
    change_arch(copy, "efficientnet_b0")
    change_config(copy, classes=["ai", "real", "other"])
    with pytest.raises(CheckpointError, match="wrong architecture or classes"):
        checkpoints.load(copy)
    change_arch(copy, "alexnet")
    with pytest.raises(CheckpointError, match="alexnet"):
        checkpoints.load(copy)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not a RealityCheck configuration"),
        ("[]", "not a RealityCheck configuration"),
        ("{}", "not a RealityCheck configuration"),
        ('{"format": 99}', "Update RealityCheck"),
        ('{"arch": "resnet50", "classes": ["ai"], "ai_class": "ai"}', "two classes"),
        ('{"arch": "resnet50", "classes": ["a", "b"], "ai_class": "ai"}', "ai_class"),
        (
            '{"arch": "resnet50", "classes": ["ai", "real"], "ai_class": "ai",'
            ' "thresholds": {"ai": 0.2, "real": 0.8}}',
            "thresholds",
        ),
    ],
)
def test_unusable_configurations(copy, text, reason):
    (copy / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=reason):
        checkpoints.load(copy)


def test_missing_parts(copy, tmp_path):
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no model\.safetensors"):
        checkpoints.load(copy)
    (copy / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        checkpoints.load(copy)
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        checkpoints.load(copy.with_suffix(".pth"))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoints.load(tmp_path / "missing")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoints.load("weights/missing.pth")


class _Attack:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return (open, (self.target, "w"))


def test_pickles_that_could_run_code_are_never_run(tmp_path):
    target = tmp_path / "was_run"
    evil = tmp_path / "evil.pth"
    for write in (torch.save, lambda obj, path: path.write_bytes(pickle.dumps(obj))):
        write({"weight": _Attack(str(target))}, evil)
        with pytest.raises(CheckpointError):
            read_tensors(evil)
        assert not target.exists()


def test_files_that_are_no_state_dict(tmp_path, network):
    file = tmp_path / "model.pth"
    for content in ([torch.zeros(1)], {"epoch": 3}):
        torch.save(content, file)
        with pytest.raises(CheckpointError, match="plain state dict"):
            read_tensors(file)
    torch.save(network.state_dict(), file)
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(file)
    broken = tmp_path / "model.safetensors"
    broken.write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    with pytest.raises(CheckpointError, match="damaged"):
        read_tensors(broken)
    with pytest.raises(CheckpointError, match="no weights file"):
        read_tensors(tmp_path / "missing.pth")


def test_an_unreachable_hub_is_an_error_that_says_what_to_do():
    with pytest.raises(CheckpointError, match="cannot be reached"):
        checkpoints.load("someone/realitycheck-not-there@v1")


def test_probabilities_are_calibrated_logits():
    for logits, lead in (([1.0, -1.0], 2.0), ([0.0, 0.0], 0.0)):
        views = (torch.tensor([logits]),)
        judged = stack.judge(CONFIG.stack, views, CONFIG.ai_index)
        p = stack.probabilities(judged.p_ai, views, CONFIG.classes, CONFIG.ai_index)
        expected = torch.sigmoid(torch.tensor(lead / 2.0 + 0.5, dtype=torch.double)).item()
        assert p["ai"] == pytest.approx(expected)
        assert judged.parts == pytest.approx([expected])
        assert sum(p.values()) == pytest.approx(1)


def test_verdict_may_abstain():
    rule = Abstention(ai=0.8, real=0.3)
    verdicts = [decide(p, [p], (), rule).verdict for p in (0.0, 0.3, 0.31, 0.79, 0.8, 1.0)]
    assert verdicts == ["real", "real", "uncertain", "uncertain", "ai", "ai"]


# --- version 4's own files ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def version_4(tmp_path_factory):
    return make_version_4(tmp_path_factory.mktemp("four") / "RealityCheck")


@pytest.fixture(scope="module")
def version_4_pth(version_4):
    """The `.pth` that version 4 wrote beside the directory, whose checksum its config held too."""
    file = version_4.with_suffix(".pth")
    torch.save(read_tensors(version_4 / "model.safetensors"), file)
    digests = json.loads(VERSION_4.read_text())["sha256"]
    change_config(version_4, sha256={**digests, file.name: sha256(file)})
    return file


def check_version_4(loaded):
    """It is a committee of one that answers as version 4 did, and it has a record."""
    (member,) = loaded.config.members
    assert (member.arch, loaded.config.version) == ("resnet50", "4")
    assert len(loaded.record().training) > 1
    assert loaded.record().metrics["unseen"]["clean"].pictures["ai"] > 100
    known = json.loads(RECORD.read_text(encoding="utf-8"))["cat.jpg"]
    found = Detector(loaded).predict(ROOT / "examples" / "cat.jpg", explain=False)
    assert found.probabilities == pytest.approx(known["probabilities"], abs=2e-4)
    assert (found.verdict, found.warnings) == (known["verdict"], known["warnings"])


def test_a_directory_of_version_4_answers_as_it_did(version_4):
    check_version_4(checkpoints.load(version_4))


def test_a_pth_of_version_4_answers_as_it_did(version_4_pth):
    check_version_4(checkpoints.load(version_4_pth))


def test_version_4_on_the_hub_answers_as_it_did(version_4, tmp_path, monkeypatch):
    with LoopbackHub() as server, client_of(server.url, tmp_path, monkeypatch.context):
        repo = server.repos["models", "owner/four"] = Repo()
        names = ("config.json", "model.safetensors")
        commit = repo.commit({name: (version_4 / name).read_bytes() for name in names})
        loaded = checkpoints.load("owner/four")
        assert loaded.revision == commit
        check_version_4(loaded)
        assert not any("record.json" in called for called in server.requests)
