import numpy as np
import pytest

from realitycheck.committee.families import OTHER
from realitycheck.evaluation import families as naming
from realitycheck.results import FamilyMetrics, Record
from realitycheck.tables import family_table
from realitycheck.training.families import Named

NAMES = ("A", "B", OTHER)


def said(count: int = 600, loud: float = 4.0, noise: float = 1.0) -> Named:
    """Logits that point at the family, the louder the surer, of ten pictures a source."""
    rng = np.random.default_rng(0)
    family = np.arange(count) % 3
    logits = rng.normal(size=(count, 3)) * noise
    logits[np.arange(count), family] += loud * rng.random(count)
    return Named(NAMES, logits, family, np.arange(count) // 10, np.arange(count) % 2 == 0)


def test_the_temperature_undoes_a_scale():
    plain = naming.calibrated(said())
    loud = said()
    loud = Named(NAMES, 5 * loud.logits, loud.family, loud.source, loud.clean)
    found = naming.calibrated(loud)
    assert found.temperature == pytest.approx(5 * plain.temperature, rel=0.05)
    assert found.threshold == pytest.approx(plain.threshold, abs=0.03)


def test_from_the_threshold_on_four_of_five_names_are_right():
    held_out = said()
    found = naming.calibrated(held_out)
    called, share = naming.answers(found, held_out)
    named = called >= 0
    assert 0.2 < named.mean() < 0.6
    assert (called == held_out.family)[named].mean() >= naming.RIGHT
    assert (share[named] >= found.threshold).all()
    assert not (called == NAMES.index(OTHER)).any()
    # Any lower, and too many would be wrong: the calibration gives away nothing.
    lower = naming.Families(found.file, NAMES, found.temperature, found.threshold - 0.1)
    called, _ = naming.answers(lower, held_out)
    assert (called == held_out.family)[called >= 0].mean() < 0.86
    assert (called >= 0).mean() > named.mean()


def test_where_nothing_was_learned_no_family_is_named():
    held_out = said(loud=0.0)
    found = naming.calibrated(held_out)
    assert found.threshold == naming.NEVER
    metrics = {"held out": naming.of_set(found, held_out)}
    assert metrics["held out"].named["all"].value == 0
    assert metrics["held out"].right == metrics["held out"].called == {}
    assert "No family will be named" in "\n".join(naming.lines(found, metrics))


def test_figures_are_shares_of_what_they_say():
    logits = np.array([[9.0, 0, 0], [9, 0, 0], [0, 9, 0], [9, 0, 0], [1, 1, 1], [0, 0, 9]])
    family = np.array([0, 0, 0, 2, 1, 1])
    ones = np.ones(6, bool)
    held_out = Named(NAMES, logits, family, np.arange(6), ones)
    found = naming.of_set(naming.Families("f", NAMES, 1.0, 0.5), held_out, held_out.take(ones))
    assert found.named["A"].value == 1
    assert found.right["A"].value == pytest.approx(2 / 3)
    assert found.called["A"].value == pytest.approx(2 / 3)
    assert found.called["B"].value == 0
    assert found.named["B"].value == 0
    assert "B" not in found.right  # none of its pictures was given a name
    assert found.named["all"].value == pytest.approx(4 / 6)
    assert found.right["all"].value == pytest.approx(2 / 4)
    assert found.named[OTHER].value == 1
    assert OTHER not in found.right
    assert found.untaught["all"].value == found.named["all"].value
    heads, rows = family_table({"held out": found})
    row = dict(zip(heads, rows[1], strict=True))
    assert (row["family"], row["pictures"]) == ("A", "3")
    assert row["right of these"].startswith("66.7 (")


def test_a_record_keeps_the_figures():
    found = naming.of_set(naming.Families("f", NAMES, 1.0, 0.0), said(), None)
    record = Record(families={"held out": found})
    read = Record.from_json(record.to_json())
    assert read == record
    assert isinstance(read.families["held out"], FamilyMetrics)
    assert Record.from_json({}).families == {}
