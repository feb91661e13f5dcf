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


def picture_leads(logits: Sequence[Tensor], ai_index: int) -> Tensor:
    """The leads of M members over one picture, each the mean of its views, [M]."""
    return torch.stack([lead(views.double().mean(dim=0), ai_index) for views in logits])


def judge(stack: Stack, logits: Sequence[Tensor], ai_index: int) -> tuple[float, list[float]]:
    """The AI probability of one picture, and of each of its views.

    Args:
        stack: of the committee.
        logits: of each member's views, M tensors [V, classes].
        ai_index: position of the AI class.
    """
    parts = [p for views in logits for p in stack.alone(lead(views, ai_index)).tolist()]
    return stack.p_ai(picture_leads(logits, ai_index)).item(), parts


def probabilities(
    p_ai: float, logits: Sequence[Tensor], classes: Sequence[str], ai_index: int
) -> dict[str, float]:
    """Class name to probability: the AI class's, and the rest shared as the members would.

    Args:
        p_ai: the stack's answer.
        logits: of each member's views, M tensors [V, classes].
        classes: in the order of the logits.
        ai_index: position of the AI class.
    """
    means = torch.stack([views.double().mean(dim=0) for views in logits])
    means[:, ai_index] = -torch.inf
    others = torch.softmax(means, dim=-1).mean(dim=0) * (1 - p_ai)
    return {
        name: p_ai if index == ai_index else others[index].item()
        for index, name in enumerate(classes)
    }
