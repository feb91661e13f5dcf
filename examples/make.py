"""Makes the example pictures anew: python examples/make.py [--steps N]

The photographs ship inside scikit-image and scikit-learn (pip install both). The AI pictures
are two of them, re-rendered by the small autoencoder that this script trains on the same
photographs: an encoder that keeps an eighth of each side, and an up-sampling decoder such as
image generators end with. A pair then has the same content, and differs in what a decoder
leaves behind.
"""

import argparse
import io
import json
import sys
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
import torch
from PIL import Image
from torch import nn
from torchvision.transforms.functional import to_tensor

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from realitycheck.files import replacing

QUALITY = 92
LATENT = 12  # channels of the code; 8 x 8 pixels of 3 channels become one of these
RENDERED = ("cat", "temple")


def photographs() -> dict[str, tuple[Image.Image, str]]:
    """The photographs and what a visitor is told about each."""
    in_sklearn = {
        name: Image.fromarray(sklearn.datasets.load_sample_image(f"{name}.jpg"))
        for name in ("china", "flower")
    }
    return {
        "cat": (Image.fromarray(skimage.data.chelsea()), "Photograph: Chelsea the cat"),
        "astronaut": (Image.fromarray(skimage.data.astronaut()), "Photograph: astronaut, NASA"),
        "temple": (in_sklearn["china"], "Photograph: temple"),
        "flower": (in_sklearn["flower"], "Photograph: flower"),
    }


def autoencoder(width: int = 24) -> nn.Sequential:
    """Encoder to an eighth of each side, decoder back: RGB [N, 3, H, W] in [-1, 1] to the same."""

    def down(before: int, after: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 4, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]

    def up(before: int, after: int) -> list[nn.Module]:
        return [
            nn.Upsample(scale_factor=2),
            nn.Conv2d(before, after, 3, 1, 1),
            nn.GroupNorm(8, after),
            nn.SiLU(),
        ]

    return nn.Sequential(
        *down(3, width),
        *down(width, 2 * width),
        *down(2 * width, 2 * width),
        nn.Conv2d(2 * width, LATENT, 1),
        nn.Conv2d(LATENT, 2 * width, 1),
        *up(2 * width, 2 * width),
        *up(2 * width, width),
        *up(width, width),
        nn.Conv2d(width, 3, 3, 1, 1),
    )


def train(model: nn.Module, pictures: list[torch.Tensor], steps: int, crop: int = 64) -> None:
    """Teaches the autoencoder to repeat random crops of the pictures."""
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for step in range(steps):
        batch = torch.stack([_crop(pictures[i % len(pictures)], crop) for i in range(4)])
        loss = nn.functional.l1_loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            print(
                f"step {step + 1}/{steps}: mean error {127.5 * loss.item():.1f} of 255", flush=True
            )


def _crop(picture: torch.Tensor, side: int) -> torch.Tensor:
    y = int(torch.randint(picture.shape[1] - side + 1, ()))
    x = int(torch.randint(picture.shape[2] - side + 1, ()))
    return picture[:, y : y + side, x : x + side]


def render(model: nn.Module, picture: torch.Tensor) -> Image.Image:
    """The picture as the autoencoder repeats it, cut to multiples of 8 px."""
    height, width = (side // 8 * 8 for side in picture.shape[1:])
    with torch.inference_mode():
        output = model(picture[None, :, :height, :width])[0]
    pixels = (output.clamp(-1, 1) + 1) * 127.5
    return Image.fromarray(pixels.permute(1, 2, 0).numpy().round().astype(np.uint8))


def save(image: Image.Image, name: str) -> None:
    """Writes a picture as all examples are written, so that the format gives nothing away."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    with replacing(HERE / name) as temporary:
        temporary.write_bytes(buffer.getvalue())


def main() -> None:
    """Trains, renders and writes pictures and their captions."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--steps", type=int, default=1500)
    steps = p.parse_args().steps
    torch.manual_seed(0)
    photos = photographs()
    tensors = {name: to_tensor(photo) * 2 - 1 for name, (photo, _) in photos.items()}
    model = autoencoder()
    train(model, list(tensors.values()), steps)
    entries = []
    for name, (photo, caption) in photos.items():
        save(photo, f"{name}.jpg")
        entries.append({"file": f"{name}.jpg", "label": "real", "caption": caption})
    for name in RENDERED:
        save(render(model, tensors[name]), f"{name}-rendered.jpg")
        caption = f"AI: {name} photograph re-rendered by an autoencoder"
        entries.append({"file": f"{name}-rendered.jpg", "label": "ai", "caption": caption})
    with replacing(HERE / "examples.json") as temporary:
        temporary.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
