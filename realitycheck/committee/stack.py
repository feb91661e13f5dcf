"""From the members' logits to one calibrated probability: a logistic stack over their leads.

With one member it is Platt scaling: its weight is one over the temperature, its bias the shift
(Platt 1999; Guo et al. 2017, arXiv 1706.04599).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stack:
    """A logistic regression on the members' leads.

    Attributes:
        weights: one per member.
        bias: added to the weighted sum.
    """

    weights: tuple[float, ...] = (1.0,)
    bias: float = 0.0

    @property
    def heaviest(self) -> int:
        """Position of the member whose weight is largest; of equal ones the first."""
        return max(range(len(self.weights)), key=self.weights.__getitem__)

    def p_ai(self, leads: Tensor) -> Tensor:
        """AI probabilities [...] of the members' leads [..., M]."""
        weights = torch.tensor(self.weights, dtype=torch.float64)
        return torch.sigmoid(leads.double() @ weights + self.bias)

    def alone(self, leads: Tensor) -> Tensor:
        """What AI probability one member's leads [...] mean, as if the others said the same."""
        return torch.sigmoid(leads.double() * sum(self.weights) + self.bias)


def lead(logits: Tensor, ai_index: int) -> Tensor:
    """How far the AI class's logit lies above all others together.

    Args:
        logits: [..., classes].
        ai_index: position of the AI class.

    Returns:
        The log-odds [...] of the AI class.
    """
    others = torch.cat([logits[..., :ai_index], logits[..., ai_index + 1 :]], dim=-1)
    return logits[..., ai_index] - others.logsumexp(dim=-1)


def _means(logits: Sequence[Tensor], shares: Sequence[Tensor] | None) -> Tensor:
    """Each member's logits over one picture, [M, classes]: means of its views, by their shares."""
    weighed = logits if shares is None else [v * s for v, s in zip(logits, shares, strict=True)]
    return torch.stack([views.double().mean(dim=0) for views in weighed])


def picture_leads(
    logits: Sequence[Tensor], ai_index: int, shares: Sequence[Tensor] | None = None
) -> Tensor:
    """The leads of M members over one picture, [M].

    Args:
        logits: of each member's views, M tensors [V, classes].
        ai_index: position of the AI class.
        shares: how much each view counts, M tensors [V, 1], 1 on average; None for all alike.
    """
    return lead(_means(logits, shares), ai_index)


@dataclass(frozen=True)
class Judgement:
    """What the leads of M members over one picture come to.

    Attributes:
        p_ai: the committee's AI probability.
        members: that of each member, as if the others said the same, M numbers.
        views: that of each view, M lists.
    """

    p_ai: float
    members: list[float]
    views: list[list[float]]

    @property
    def parts(self) -> list[float]:
        """Those of all members' views."""
        return [p for views in self.views for p in views]


def judge(
    stack: Stack,
    logits: Sequence[Tensor],
    ai_index: int,
    shares: Sequence[Tensor] | None = None,
) -> Judgement:
    """The AI probability of one picture, of each member by itself and of each view.

    Args:
        stack: of the committee.
        logits: of each member's views, M tensors [V, classes].
        ai_index: position of the AI class.
        shares: see `picture_leads`.
    """
    leads = picture_leads(logits, ai_index, shares)
    return Judgement(
        stack.p_ai(leads).item(),
        stack.alone(leads).tolist(),
        [stack.alone(lead(views, ai_index)).tolist() for views in logits],
    )


def probabilities(
    p_ai: float,
    logits: Sequence[Tensor],
    classes: Sequence[str],
    ai_index: int,
    shares: Sequence[Tensor] | None = None,
) -> dict[str, float]:
    """Class name to probability: the AI class's, and the rest shared as the members would.

    Args:
        p_ai: the stack's answer.
        logits: of each member's views, M tensors [V, classes].
        classes: in the order of the logits.
        ai_index: position of the AI class.
        shares: see `picture_leads`.
    """
    means = _means(logits, shares)
    means[:, ai_index] = -torch.inf
    others = torch.softmax(means, dim=-1).mean(dim=0) * (1 - p_ai)
    return {
        name: p_ai if index == ai_index else others[index].item()
        for index, name in enumerate(classes)
    }
