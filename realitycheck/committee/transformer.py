"""Member `transformer`: the image tower of CLIP ViT-B/16, cut after block 9, under a light head.

Class tokens after the middle blocks tell generated pictures from photographs better than the last
ones do. The head reads the class tokens, and the means of the patch tokens, after blocks 5 to 9.
The tower is timm's `vit_base_patch16_clip_quickgelu_224` (Radford et al. 2021, arXiv 2103.00020).
"""

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from realitycheck.committee.committee import Member
from realitycheck.committee.families import FamilyHead
from realitycheck.committee.views import Preprocessing

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

ARCH = "vit_base_patch16_clip_quickgelu_224"
BLOCKS, FIRST = 9, 4  # blocks that are kept; the first one, from 0, whose tokens the head reads
WIDTH, HEADS = 768, 12
SIDE = 224  # px
FEATURES = 2 * (BLOCKS - FIRST) * WIDTH  # class tokens, then means of patch tokens
# Statistics of the pictures that CLIP was trained on.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
# A few patch tokens, mostly of empty background, are many times as long as the others and say
# nothing of their place (Darcet et al. 2024, arXiv 2309.16588): alone they would light a map.
CLIP = 1.5
# Rounded to int8 the first blocks alone change four verdicts in a hundred, all others one.
EXACT = r"patch_embed|blocks\.[01]\b"
LAST_BLOCK = f"tower.blocks.{BLOCKS - 1}."
# A cut at the picture's own scale says less than the whole, of re-saved pictures most of all: so it
# is 0.4 / 1.4 of the answer (docs/experiments.md).
PREPROCESSING = Preprocessing("centre", SIDE, MEAN, STD, native_weight=0.4)


class TokenHead(nn.Module):
    """Tokens' features [N, 7680] to logits [N, 2], by the mean of a few small networks.

    Args:
        widths: inputs and hidden units of each network; one with 3,840 inputs reads the class
            tokens alone.
        ai_index: which of the two logits is the AI class's; the other is its opposite, so that
            either can be explained.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, widths: list[tuple[int, int]], ai_index: int) -> None:
        super().__init__()
        self.ai_index = ai_index
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("std", torch.ones(FEATURES))
        for position, (inputs, hidden) in enumerate(widths):
            self.add_module(f"net{position}", _Network(inputs, hidden))

    def forward(self, features: Tensor) -> Tensor:
        scaled = (features - self.mean) / self.std
        leads = torch.stack([network(scaled) for network in self.children()]).mean(dim=0)
        pair = (leads / 2, -leads / 2) if self.ai_index == 0 else (-leads / 2, leads / 2)
        return torch.stack(pair, dim=-1)


class _Network(nn.Module):
    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc2 = nn.Linear(hidden, 1)

    def forward(self, scaled: Tensor, kept: Tensor | None = None) -> Tensor:
        """Leads [N]; while training, of the hidden units that are `kept` [N, hidden]."""
        hidden = torch.relu(self.fc1(scaled[:, : self.fc1.in_features]))
        if kept is not None:
            hidden = hidden * kept / kept.float().mean()
        return cast(Tensor, self.fc2(hidden).squeeze(-1))


class TransformerNetwork(nn.Module):
    """Tower and head: pictures [N, 3, 224, 224] to logits [N, 2].

    Args:
        tower: the first blocks of CLIP's.
        head: of the classes.
        families: head of generator families; None without one.
    """

    def __init__(
        self, tower: "VisionTransformer", head: TokenHead, families: FamilyHead | None = None
    ) -> None:
        super().__init__()
        self.tower, self.head, self.families = tower, head, families

    def forward(self, pictures: Tensor) -> Tensor:
        return cast(Tensor, self.head(pooled_features(self, pictures)))

    def tower_input(self, pictures: Tensor) -> Tensor:
        """Pictures [N, 3, 224, 224] to the tokens that reach the first block, [N, 197, 768]."""
        tower = self.tower
        return cast(Tensor, tower.norm_pre(tower._pos_embed(tower.patch_embed(pictures))))


def _run_blocks(
    tower: "VisionTransformer", tokens: Tensor, start: int, end: int
) -> tuple[Tensor, list[Tensor]]:
    """Runs the blocks from `start` up to `end`; the tokens, and a summary of all the head reads."""
    read = []
    for index in range(start, end):
        tokens = tower.blocks[index](tokens)
        if index >= FIRST:
            read.append(_summary(tokens))
    return tokens, read


def _pooled(read: list[Tensor]) -> Tensor:
    """Summaries [N, 2, 768] of five blocks to what the head receives, [N, 7680]."""
    return torch.stack(read, dim=1).transpose(1, 2).flatten(1)


def _summary(tokens: Tensor) -> Tensor:
    """Class token and mean of the patch tokens, [N, 2, 768]."""
    return torch.stack([tokens[:, 0], tokens[:, 1:].mean(dim=1)], dim=1)


class _Backbone(nn.Module):
    """The tower but for its last block.

    Pictures [N, 3, 224, 224] to [N, 197 + 8, 768]: the tokens that reach the last block, then
    class token and mean of each of the four blocks before that the head reads.
    """

    def __init__(self, network: TransformerNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        network = self.network
        tokens, read = _run_blocks(network.tower, network.tower_input(pictures), 0, BLOCKS - 1)
        return torch.cat([tokens, *read], dim=1)


class _Head(nn.Module):
    """The last block and the heads: what `_Backbone` returns to logits [N, 2 + families]."""

    def __init__(self, block: nn.Module, head: TokenHead, families: FamilyHead | None) -> None:
        super().__init__()
        self.block, self.head, self.families = block, head, families

    def forward(self, features: Tensor) -> Tensor:
        patches = features.shape[1] - 2 * (BLOCKS - 1 - FIRST)
        before = list(features[:, patches:].unflatten(1, (-1, 2)).unbind(dim=1))
        last = _summary(self.block(features[:, :patches]))
        pooled = _pooled([*before, last])
        logits = cast(Tensor, self.head(pooled))
        if self.families is None:
            return logits
        return torch.cat([logits, self.families(pooled)], dim=1)


def to_grid(features: Tensor) -> Tensor:
    """The patch tokens of what the backbone returned, as [N, 768, 14, 14]."""
    side = SIDE // 16
    patches = features[:, 1 : 1 + side * side].transpose(1, 2)
    return patches.reshape(len(features), WIDTH, side, side)


def pooled_features(network: TransformerNetwork, pictures: Tensor) -> Tensor:
    """What the head receives of pictures [N, 3, 224, 224]: [N, 7680], before standardisation."""
    _, read = _run_blocks(network.tower, network.tower_input(pictures), 0, BLOCKS)
    return _pooled(read)


def build_tower() -> "VisionTransformer":
    """The tower with random weights."""
    import timm  # here: a checkpoint without a transformer does not need it

    built = timm.create_model(ARCH, pretrained=False, num_classes=0)
    tower = cast("VisionTransformer", built)
    tower.blocks = tower.blocks[:BLOCKS]
    return tower


def in_head(name: str) -> bool:
    """Whether a tensor of a network is one that `head_member` needs."""
    return name.startswith((LAST_BLOCK, "head.", "families."))


def head_member(
    name: str,
    preprocessing: Preprocessing,
    state: dict[str, Tensor],
    ai_index: int,
    families: int = 0,
) -> Member:
    """A member whose backbone another engine runs: without timm, which takes seconds to import.

    Args:
        name: within the committee.
        preprocessing: how it wants its pictures.
        state: the tensors that `in_head` names.
        ai_index: position of the AI class.
        families: of generators that it names.
    """
    with torch.device("meta"):  # nothing is drawn that the weights replace at once
        block = _Block()
        head = TokenHead(_widths(state), ai_index)
        named = _family_head(families)
    for part, prefix in ((block, LAST_BLOCK), (head, "head."), (named, "families.")):
        own = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
        if part is not None:
            part.load_state_dict(own, assign=True)
    whole = _Head(block, head, named).eval().requires_grad_(False)
    return _member(name, preprocessing, nn.Identity(), nn.Identity(), whole)


class _Block(nn.Module):
    """A block of CLIP's tower, its parts named as timm names them: tokens [N, T, 768] to the same.

    PyTorch's own `TransformerEncoderLayer` takes 18 times as long for a map in bfloat16.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.ModuleDict(
            {"qkv": nn.Linear(WIDTH, 3 * WIDTH), "proj": nn.Linear(WIDTH, WIDTH)}
        )
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)}
        )

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.attn["qkv"](self.norm1(tokens)).unflatten(-1, (3, HEADS, WIDTH // HEADS))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        seen = nn.functional.scaled_dot_product_attention(queries, keys, values)
        tokens = tokens + self.attn["proj"](seen.transpose(1, 2).flatten(2))
        hidden = self.mlp["fc1"](self.norm2(tokens))
        return cast(Tensor, tokens + self.mlp["fc2"](hidden * torch.sigmoid(1.702 * hidden)))


def build_network(state: dict[str, Tensor], ai_index: int, families: int = 0) -> TransformerNetwork:
    """A network of the shape that a state dict asks for, its weights not yet set.

    Args:
        state: with the tensors of the head under `head.`.
        ai_index: position of the AI class.
        families: of generators that it names.
    """
    head = TokenHead(_widths(state), ai_index)
    return TransformerNetwork(build_tower(), head, _family_head(families))


def _family_head(families: int) -> FamilyHead | None:
    return FamilyHead(FEATURES, families) if families else None


def _widths(state: dict[str, Tensor]) -> list[tuple[int, int]]:
    """Inputs and hidden units of each network of the head."""
    widths: list[tuple[int, int]] = []
    while (name := f"head.net{len(widths)}.fc1.weight") in state:
        hidden, inputs = state[name].shape
        widths.append((inputs, hidden))
    return widths


def member(name: str, preprocessing: Preprocessing, network: TransformerNetwork) -> Member:
    """A member of a committee.

    Args:
        name: within the committee.
        preprocessing: how it wants its pictures.
        network: in eval mode.
    """
    head = _Head(network.tower.blocks[-1], network.head, network.families)
    return _member(name, preprocessing, network, _Backbone(network), head)


def _member(
    name: str, preprocessing: Preprocessing, network: nn.Module, backbone: nn.Module, head: _Head
) -> Member:
    parts = network, backbone, head, to_grid
    families = head.families.fc.out_features if head.families is not None else 0
    return Member(name, preprocessing, *parts, clip=CLIP, half=True, exact=EXACT, families=families)
