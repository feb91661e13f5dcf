import math

import pytest
import torch

from realitycheck.committee.families import OTHER, Families, FamilyHead, likely, shares


def families(**values) -> Families:
    return Families("member.families.safetensors", ("A", "B", OTHER), **values)


def test_a_family_is_named_from_the_threshold_on():
    logits = torch.tensor([[3.0, 0.0, 0.0], [1.0, 0.0, 0.0]])  # mean of two views: 2, 0, 0
    share = math.exp(2) / (math.exp(2) + 2)
    name, found = likely(families(threshold=share - 1e-6), logits)
    assert name == "A"
    assert found == pytest.approx(share)
    assert likely(families(threshold=share + 1e-6), logits) is None


def test_other_generators_are_never_named():
    assert likely(families(threshold=0.0), torch.tensor([[0.0, 1.0, 9.0]])) is None
    assert likely(families(threshold=0.0), torch.tensor([[0.0, 1.0, 0.9]]))[0] == "B"


def test_a_temperature_takes_certainty_away():
    logits = torch.tensor([4.0, 0.0, 0.0])
    cold, warm = (shares(families(temperature=t), logits) for t in (1.0, 4.0))
    assert warm.tolist() == pytest.approx(torch.softmax(logits.double() / 4, 0).tolist())
    assert warm[0] < cold[0]
    assert warm.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"names": ("A",)}, "two names"),
        ({"names": ("A", "A")}, "each once"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": math.nan}, "threshold"),
    ],
)
def test_impossible_families_are_refused(values, reason):
    with pytest.raises(ValueError, match=reason):
        Families(**{"file": "f", "names": ("A", "B"), **values})


def test_the_head_standardises():
    head = FamilyHead(2, 2)
    head.mean, head.std = torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0])
    with torch.no_grad():
        head.fc.weight.copy_(torch.eye(2))
        head.fc.bias.zero_()
    assert head(torch.tensor([[3.0, 10.0]])).tolist() == [[1.0, 2.0]]
