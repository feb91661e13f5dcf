from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import drawing, new_config

from realitycheck import checkpoints
from realitycheck.committee import stack
from realitycheck.committee.abstention import Caveat
from realitycheck.committee.committee import score
from realitycheck.committee.stack import Stack
from realitycheck.committee.views import evaluation_views, to_batch
from realitycheck.config import Config
from realitycheck.data.folders import find
from realitycheck.data.samples import Sample
from realitycheck.detector import Detector
from realitycheck.errors import CheckpointError, DataError
from realitycheck.evaluation.conditions import SWAPS
from realitycheck.evaluation.score import Outputs, _Looks, run_committee


def test_unreadable_pictures_are_left_out_and_counted(checkpoint, folder, tmp_path, caplog):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"broken")
    samples = [Sample(broken, 0), *find(folder)["test"]]
    loaded = checkpoints.load(checkpoint)
    config = loaded.config
    outputs = run_committee(loaded.members, config, samples, workers=0)
    assert outputs.samples == samples[1:]
    assert len(outputs.logits) == len(outputs.caveats) == 12
    assert "1 of 13 pictures are left out" in caplog.text
    assert f"{broken}: This is not a picture" in caplog.text
    with pytest.raises(DataError, match="every class"):
        run_committee(loaded.members, config, samples[1:3], workers=0)
    with pytest.raises(DataError, match="1 of 1: This is not a picture"):
        run_committee(loaded.members, config, [samples[0], samples[-1]], workers=0)


def test_weights_that_are_no_numbers_are_told(checkpoint, folder):
    loaded = checkpoints.load(checkpoint)
    loaded.members[0].network.state_dict()["bn1.running_mean"].fill_(float("nan"))
    with pytest.raises(CheckpointError, match=r"4 of 4 pictures are no numbers.*--lr"):
        run_committee(loaded.members, loaded.config, find(folder)["test"][::3], workers=0)


def test_a_swap_of_formats_saves_one_class_again(checkpoint, folder):
    loaded = checkpoints.load(checkpoint)
    noise = [sample.path for sample in find(folder)["test"] if sample.label == 1]
    samples = [Sample(path, position % 2) for position, path in enumerate(noise)]
    looks = {
        name: [_Looks(samples, name, loaded.config)[i][1] for i in range(len(samples))]
        for name in ("clean", *SWAPS)
    }
    for name, ai_changes in SWAPS.items():
        for sample, before, after in zip(samples, looks["clean"], looks[name], strict=True):
            same = np.array_equal(before[0][0].pixels, after[0][0].pixels)
            assert same != ((sample.label == 0) == ai_changes)


@pytest.mark.parametrize("quick", [False, True])
def test_evaluation_and_detector_give_the_same_answer(checkpoint, tmp_path, quick):
    for number, name in enumerate(("ai", "real")):
        (tmp_path / "test" / name).mkdir(parents=True)
        # So large that it is seen small too.
        drawing(720, 600, number).save(tmp_path / "test" / name / "a.png")
    detector = Detector.from_pretrained(checkpoint, quick=quick)
    samples = find(tmp_path)["test"]
    members = checkpoints.load(checkpoint).members
    outputs = run_committee(members, detector.config, samples, workers=0, quick=quick)
    assert [len(logits[0]) == 1 for logits in outputs.logits] == [quick, quick]
    answers = [detector.predict(sample.path) for sample in samples]
    measured = outputs.p_ai(detector.config)
    assert measured == pytest.approx([a.probabilities["ai"] for a in answers], abs=1e-5)
    assert list(outputs.verdicts(detector.config)) == [a.verdict for a in answers]


def test_a_verdict_is_withheld_where_parts_or_picture_forbid_it():
    sure, against = [4.0, 0.0], [0.0, 0.5]
    logits = [(torch.tensor(v),) for v in ([sure], [sure], [sure, sure, against, against])]
    caveats = [(), (Caveat("small", abstains=True),), ()]
    outputs = Outputs([Sample(Path("x"), 0)] * 3, logits, caveats)
    assert list(outputs.verdicts(new_config())) == ["ai", "uncertain", "uncertain"]


def test_a_view_counts_by_its_weight(checkpoint):
    (member,) = checkpoints.load(checkpoint).members
    centre = replace(member.preprocessing, mode="centre", size=64, native_weight=0.25)
    views = evaluation_views(drawing(200, 160), centre)
    assert [view.kind for view in views] == ["whole", "native"]
    with torch.inference_mode():
        raw = member.network(to_batch([view.pixels for view in views], centre))
    (scored,) = score([replace(member, preprocessing=centre)], [(views,)])
    # The views themselves are told as they are.
    assert torch.allclose(scored.logits[0], raw, atol=1e-5)
    judged = stack.judge(Stack((0.7,), 0.2), scored.logits, 0, scored.shares)
    lead = (0.8 * raw[0] + 0.2 * raw[1]).double() @ torch.tensor([1.0, -1.0]).double()
    assert judged.p_ai == pytest.approx(torch.sigmoid(0.7 * lead + 0.2).item(), abs=1e-5)
    alone = torch.sigmoid(0.7 * (raw[:, 0] - raw[:, 1]) + 0.2)
    assert judged.parts == pytest.approx(alone.tolist(), abs=1e-5)
    every = stack.probabilities(judged.p_ai, scored.logits, ("ai", "real"), 0, scored.shares)
    assert every["real"] == pytest.approx(1 - judged.p_ai)


def test_two_members_each_look_in_their_own_way(checkpoint, folder):
    (member,) = checkpoints.load(checkpoint).members
    (described,) = new_config().members
    whole = replace(member.preprocessing, mode="whole", size=96)
    config = Config(
        ("ai", "real"),
        "ai",
        (described, replace(described, name="second", preprocessing=whole)),
        Stack((1.0, 0.5)),
    )
    members = [member, replace(member, name="second", preprocessing=whole)]
    samples = find(folder)["test"]
    outputs = run_committee(members, config, samples, workers=0)
    leads = outputs.leads(config.ai_index)
    assert leads.shape == (12, 2)
    for column, alone in enumerate(members):
        config_alone = Config(("ai", "real"), "ai", (config.members[column],))
        single = run_committee([alone], config_alone, samples, workers=0)
        assert np.allclose(single.leads(0)[:, 0], leads[:, column], atol=1e-5)
    expected = 1 / (1 + np.exp(-(leads @ [1.0, 0.5])))
    assert outputs.p_ai(config) == pytest.approx(expected, abs=1e-9)
