"""What the web and editors do to pictures: re-saved, shrunken, cut, retouched, blurred."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Perturbation = Callable[[Image.Image], Image.Image]


def reencode(image: Image.Image, kind: str, quality: int) -> Image.Image:
    """Saves as `kind` ("JPEG", "WEBP" or "AVIF") at `quality` (1 to 100) and reads it back."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    buffer.seek(0)
    return Image.open(buffer).convert("RGB")


def shrink(image: Image.Image, long_side: int) -> Image.Image:
    """Makes a picture smaller, never larger, until its long side is `long_side` px."""
    smaller = image.copy()
    smaller.thumbnail((long_side, long_side), Image.Resampling.BICUBIC)
    return smaller


def scale(
    image: Image.Image, factor: float, resample: Image.Resampling = Image.Resampling.BICUBIC
) -> Image.Image:
    """Resizes both sides by `factor`."""
    width, height = (max(1, round(side * factor)) for side in image.size)
    return image.resize((width, height), resample)


def crop_middle(image: Image.Image) -> Image.Image:
    """The middle 70 % of each side; what is cut off is no multiple of a JPEG block."""
    left, top = (max(1, round(side * 0.15)) | 1 for side in image.size)
    return image.crop((left, top, image.width - left, image.height - top))


def add_noise(image: Image.Image, deviation: float) -> Image.Image:
    """Adds Gaussian noise of a standard deviation in levels of 255; always the same noise."""
    noise = np.random.default_rng(0).normal(size=(image.height, image.width, 3)) * deviation
    pixels = np.clip(np.asarray(image, np.float32) + noise, 0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def enlarge_back(image: Image.Image) -> Image.Image:
    """Halves a picture and enlarges it to the size it had."""
    return scale(image, 0.5).resize(image.size, Image.Resampling.BICUBIC)


def crop_quarter(image: Image.Image) -> Image.Image:
    """The middle quarter of a picture's area."""
    left, top = image.width // 4, image.height // 4
    return image.crop((left, top, image.width - left, image.height - top))


def add_bars(image: Image.Image) -> Image.Image:
    """Black bars above and below, each a sixth as high as the picture."""
    return ImageOps.expand(image, (0, image.height // 6), "black")


def smooth(image: Image.Image, diameter: int, levels: float) -> Image.Image:
    """Smooths surfaces and keeps edges, as noise reduction and skin retouching do.

    Args:
        image: RGB picture.
        diameter: of the neighbourhood, px.
        levels: of 255, by how much neighbours may differ and still be mixed.
    """
    import cv2  # here: only training and evaluation need it

    pixels = cv2.bilateralFilter(np.asarray(image), diameter, levels, diameter / 2)
    return Image.fromarray(pixels)


def grade(image: Image.Image) -> Image.Image:
    """Warmer, more colourful and with more contrast, as a preset of a photo editor."""
    warm = image.convert("RGB", (1.06, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0.92, 0))
    return ImageEnhance.Contrast(ImageEnhance.Color(warm).enhance(1.35)).enhance(1.15)


def enlarge(image: Image.Image) -> Image.Image:
    """Twice the size and sharpened, at most 2,048 px."""
    factor = max(1.0, min(2.0, 2048 / max(image.size)))
    larger = scale(image, factor, Image.Resampling.LANCZOS)
    return larger.filter(ImageFilter.UnsharpMask(2, 60, 2))


PERTURBATIONS: dict[str, Perturbation] = {
    "clean": lambda image: image,
    "web": lambda image: reencode(shrink(image, 768), "JPEG", 60),
    "hard": lambda image: reencode(shrink(image, 512), "JPEG", 40),
    "q90": lambda image: reencode(image, "JPEG", 90),
    "q70": lambda image: reencode(image, "JPEG", 70),
    "q50": lambda image: reencode(image, "JPEG", 50),
    "q30": lambda image: reencode(image, "JPEG", 30),
    "webp": lambda image: reencode(image, "WEBP", 75),
    "blur": lambda image: reencode(image.filter(ImageFilter.GaussianBlur(1)), "JPEG", 90),
    "half": lambda image: reencode(scale(image, 0.5), "JPEG", 90),
    "crop": lambda image: reencode(crop_middle(image), "JPEG", 90),
    "halved-and-back": lambda image: reencode(enlarge_back(image), "JPEG", 90),
    "double-jpeg": lambda image: reencode(reencode(image, "JPEG", 75), "JPEG", 85),
    "noise": lambda image: reencode(add_noise(image, 6), "JPEG", 90),
    "sharpened": lambda image: reencode(
        image.filter(ImageFilter.UnsharpMask(2, 120, 2)), "JPEG", 90
    ),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "quarter": crop_quarter,
    "bars": add_bars,
    # Shown smaller by a browser's cheap filter and kept without loss.
    "screenshot": lambda image: scale(image, 0.8, Image.Resampling.BILINEAR),
    # What people do to photographs of their own, which stay photographs.
    "denoised": lambda image: reencode(smooth(image, 5, 20), "JPEG", 90),
    "retouched": lambda image: reencode(smooth(image, 11, 45), "JPEG", 90),
    "local-contrast": lambda image: reencode(
        image.filter(ImageFilter.UnsharpMask(30, 45, 0)), "JPEG", 90
    ),
    "graded": lambda image: reencode(grade(image), "JPEG", 90),
    "enlarged": lambda image: reencode(enlarge(image), "JPEG", 90),
}
