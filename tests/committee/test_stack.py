"""One member is Platt scaling; several are a logistic regression on their leads."""

import pytest
import torch

from realitycheck.committee import stack
from realitycheck.committee.stack import Stack


def logits_of(views, classes=2, seed=0):
    return torch.randn(views, classes, generator=torch.Generator().manual_seed(seed)) * 3


def softmax(logits, ai_index, temperature, shift):
    """Probabilities of the AI class as version 4 calibrated them."""
    calibrated = logits.double() / temperature
    calibrated[..., ai_index] += shift
    return torch.softmax(calibrated, dim=-1)[..., ai_index]


# Of more than two classes the others count together, which is the same at temperature 1.
@pytest.mark.parametrize(
    ("classes", "temperature", "shift"),
    [(2, 1.0, 0.0), (2, 0.67, 0.16), (2, 2.5, -1.2), (4, 1.0, 0.7)],
)
@pytest.mark.parametrize("ai_index", [0, 1])
def test_one_member_is_a_softmax_of_scaled_and_shifted_logits(
    classes, temperature, shift, ai_index
):
    logits = logits_of(5, classes)
    judged = stack.judge(Stack((1 / temperature,), shift), [logits], ai_index)
    mean = softmax(logits.double().mean(dim=0), ai_index, temperature, shift)
    assert judged.p_ai == pytest.approx(mean.item(), abs=1e-12)
    assert judged.members == [judged.p_ai]
    expected = softmax(logits, ai_index, temperature, shift)
    assert judged.parts == pytest.approx(expected.tolist(), abs=1e-6)


def test_two_members_are_weighted_sums_of_leads():
    first, second = logits_of(3, seed=1), logits_of(2, seed=2)
    both = Stack((0.8, 0.3), -0.2)
    leads = [
        (m.double().mean(dim=0)[0] - m.double().mean(dim=0)[1]).item() for m in (first, second)
    ]
    score = 0.8 * leads[0] + 0.3 * leads[1] - 0.2
    judged = stack.judge(both, [first, second], 0)
    expected = torch.sigmoid(torch.tensor(score, dtype=torch.float64)).item()
    assert judged.p_ai == pytest.approx(expected)
    # A member and a view are judged as if the other member had said the same.
    for lead, share in zip(leads, judged.members, strict=True):
        assert share == pytest.approx(
            torch.sigmoid(torch.tensor(lead * 1.1 - 0.2)).item(), abs=1e-6
        )
    assert [len(views) for views in judged.views] == [3, 2]
    alone = (second[1, 0] - second[1, 1]).double() * 1.1 - 0.2
    assert judged.parts[4] == pytest.approx(torch.sigmoid(alone).item(), abs=1e-6)


def test_members_that_agree_are_surer_than_one():
    one = logits_of(1)
    alone = stack.judge(Stack((0.5,)), [one], 0).p_ai
    together = stack.judge(Stack((0.5, 0.5)), [one, one], 0).p_ai
    assert abs(together - 0.5) > abs(alone - 0.5)
    # A member without weight has no say.
    silenced = stack.judge(Stack((0.5, 0.0)), [one, -100 * one], 0).p_ai
    assert silenced == pytest.approx(alone)


def test_the_heaviest_member_is_the_first_of_those_with_most_weight():
    weights = {(1.0,): 0, (0.2, 0.9): 1, (0.5, 0.5): 0, (0.0, 0.4, 0.1): 1}
    assert {given: Stack(given).heaviest for given in weights} == weights


def test_the_lead_is_the_log_odds():
    logits = logits_of(6, 3)
    odds = torch.softmax(logits.double(), 1)[:, 2]
    expected = torch.log(odds / (1 - odds))
    assert torch.allclose(stack.lead(logits.double(), 2), expected)


@pytest.mark.parametrize("classes", [("ai", "real"), ("ai", "drawing", "photo")])
def test_probabilities_sum_to_one_and_keep_the_stacks_answer(classes):
    logits = [logits_of(4, len(classes), 3), logits_of(2, len(classes), 4)]
    found = stack.probabilities(0.3, logits, classes, 0)
    assert list(found) == list(classes)
    assert found["ai"] == 0.3
    assert sum(found.values()) == pytest.approx(1)
    if len(classes) == 3:
        means = torch.stack([m.double().mean(dim=0)[1:] for m in logits])
        shares = torch.softmax(means, dim=1).mean(dim=0)
        assert found["drawing"] == pytest.approx(0.7 * shares[0].item())
