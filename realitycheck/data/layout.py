"""What folder names mean: which set, which class, which belong to a system and hold no data."""

import re

AI_NAMES = ("ai", "fake", "generated", "synthetic")
SPLITS = ("train", "val", "test")
# As data sets on the web name them.
_SPLIT_WORDS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "validate", "dev"),
    "test": ("test", "testing", "tst"),
}
_FILLERS = {"set", "data", "dataset", "split", "images", "pictures"}
_AI_WORDS = {
    *AI_NAMES,
    *("fakes", "deepfake", "deepfakes", "synth", "synthesized", "synthesised"),
    *("artificial", "aigc", "aigenerated"),
}
_REAL_WORDS = {"real", "reals", "authentic", "genuine", "natural", "human"}
# Pictures of an AI may be called photos too, so these give way to a word for AI.
_PHOTO_WORDS = {"photo", "photos", "photograph", "photographs", "nature", "camera", "original"}
_NEGATIONS = {"no", "non", "not"}
# What Synology, QNAP, macOS, Windows, Linux and Python put beside people's files.
_SYSTEM_FOLDERS = {
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
    *("__macosx", "__pycache__", "lost+found"),
    *("$recycle.bin", "recycler", "recycled", "system volume information"),
}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is not meant to be seen."""
    return name.startswith(".")


def is_no_data(name: str) -> bool:
    """Whether a folder of this name is hidden or a system's own."""
    return is_hidden(name) or name.casefold() in _SYSTEM_FOLDERS


def split_name(name: str) -> str:
    """Which of `SPLITS` a folder's name means, such as "val" for "Validation_set"; else ""."""
    words = [word for word in _words(name) if word not in _FILLERS]
    if len(words) != 1:
        return ""
    word = words[0].removesuffix("set")
    return next((split for split, known in _SPLIT_WORDS.items() if word in known), "")


def meaning(name: str) -> str:
    """What a class's name means: "ai", "real", or "" where it does not say, or says both.

    Args:
        name: such as "1_fake", "AI-generated", "REAL", "non_ai".
    """
    words = set(_words(name))
    ai, real = bool(words & _AI_WORDS), bool(words & _REAL_WORDS)
    if ai and real:
        return ""
    found = "ai" if ai else "real" if real or words & _PHOTO_WORDS else ""
    if found and words & _NEGATIONS:
        return "real" if found == "ai" else "ai"
    return found


def _words(name: str) -> list[str]:
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    return [word.lower() for word in found]
