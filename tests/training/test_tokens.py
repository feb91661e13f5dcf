import numpy as np
import pytest
import torch

from realitycheck.committee.transformer import FEATURES
from realitycheck.data.dataset import source_shares
from realitycheck.training import tokens
from realitycheck.training.tokens import HeadRecipe, TokenViews

RECIPE = HeadRecipe(hidden=16, networks=2, steps=60, batch_size=64, folds=3)


def made_up(sources: int = 24, views: int = 10) -> TokenViews:
    """Sources with a colour of their own, and a trace that all AI sources share."""
    rng = np.random.default_rng(0)
    source = np.repeat(np.arange(sources), views)
    is_ai = source % 2 == 0
    features = rng.normal(size=(len(source), FEATURES)).astype(np.float32) * 0.1
    features[:, :64] += 0.3 * rng.normal(size=(sources, 64))[source]
    features[:, 100:600] += np.where(is_ai, 0.5, -0.5)[:, None]
    return TokenViews(
        torch.from_numpy(features).half(),
        is_ai,
        source,
        np.arange(len(source)),
        np.zeros(len(source), np.int64),
        np.ones(len(source), np.float32),
    )


def test_a_head_learns_what_all_sources_share():
    views = made_up()
    held_out = views.source >= 20
    head = tokens.train_head(views.take(~held_out), RECIPE, ai_index=0)
    leads = tokens.leads(head, views.features[torch.from_numpy(np.flatnonzero(held_out))])
    assert ((leads > 0) == views.is_ai[held_out]).mean() > 0.9


def test_the_other_order_of_classes_turns_the_logits():
    views = made_up()
    first = tokens.train_head(views, RECIPE, ai_index=0)
    second = tokens.train_head(views, RECIPE, ai_index=1)
    batch = views.features[:5].float()
    assert torch.allclose(first(batch), second(batch).flip(-1))


def test_the_same_seed_gives_the_same_head():
    views = made_up()
    heads = [tokens.train_head(views, RECIPE, 0) for _ in range(2)]
    batch = views.features[:5].float()
    assert torch.equal(heads[0](batch), heads[1](batch))


def test_folds_hold_out_whole_sources_of_both_classes():
    views = made_up()
    folds = list(tokens.deal_folds(views.source, views.is_ai, RECIPE))
    assert np.sum(folds, axis=0).tolist() == [1] * len(views.source)
    for fold in folds:
        assert not set(views.source[fold]) & set(views.source[~fold])
        assert set(views.is_ai[fold]) == {True, False}


def test_cross_fitted_scores_come_from_heads_that_saw_no_picture_of_the_source(monkeypatch):
    views = made_up()
    seen = []
    train_head = tokens.train_head

    def spy(part, *others):
        seen.append(set(part.source))
        return train_head(part, *others)

    monkeypatch.setattr(tokens, "train_head", spy)
    leads, _, _ = tokens.cross_fitted(views, RECIPE, 0)
    assert ((leads > 0) == views.is_ai).mean() > 0.8
    everything = set(views.source)
    held_out = [everything - part for part in seen]
    assert set.union(*held_out) == everything
    assert sum(map(len, held_out)) == len(everything)


def test_sources_weigh_less_than_their_size_and_classes_alike():
    views = made_up(sources=4, views=10)
    few = np.ones(len(views.source), bool)
    few[np.flatnonzero(views.source == 0)[5:]] = False
    part = views.take(few)
    weights = source_shares(part.is_ai, part.source, power=-0.5).numpy()
    assert weights[part.is_ai].sum() == pytest.approx(weights[~part.is_ai].sum())
    small, large = (weights[part.source == source].sum() for source in (0, 2))
    assert small / large == pytest.approx(np.sqrt(5 / 10))
