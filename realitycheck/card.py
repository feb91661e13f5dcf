"""The model card of a checkpoint."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # not at run time: the web server shows figures without torch
    from realitycheck.checkpoints import Config

Table = tuple[list[str], list[list[str]]]  # heads and rows

# The Hub's name of a metric, ours, and its key among the figures.
_METRICS = (
    ("accuracy", "balanced accuracy", "balanced_accuracy"),
    ("roc_auc", "AUC", "auc"),
)

# Of the table of results; older figures lack some.
_COLUMNS = (
    ("balanced accuracy", lambda figures: figures["balanced_accuracy"]),
    ("AUC", lambda figures: figures["auc"]),
    ("ECE", lambda figures: figures.get("ece")),
    ("verdict given", lambda figures: figures["verdicts"].get("decided")),
    ("right when given", lambda figures: figures["verdicts"].get("right_when_decided")),
    ("real called `ai`", lambda figures: figures["verdicts"]["real_called_ai"]),
    ("AI called `real`", lambda figures: figures["verdicts"]["ai_called_real"]),
)
SETS = {  # what the pictures of sets by these names are
    "test": "from sources that training knew",
    "unseen": "from sources that training never saw",
    "full": "uncut, from sources that training never saw",
}
UNGROUPED = "all"  # group of pictures without a named generator or source
USUAL_CONDITIONS = ("clean", "web", "hard")  # what calibration is for; shown before all others

LIMITS = (
    "A verdict is a probability, not proof. Never accuse anyone on its strength alone.",
    "The detector can be wrong, more often on generators and cameras it has never seen.",
    "It says “uncertain” where calling it either way would too often be false.",
    "Re-saved, shrunken, filtered or collaged pictures carry less evidence. Smooth "
    "studio portraits and stock photographs are the usual victims of false alarms.",
    "“Made by a person” includes drawings and edited photographs: it does not mean unedited.",
    "The map shows which regions raised a score. It does not outline manipulated parts.",
)
OUT_OF_SCOPE = (
    "Deciding about a person (grades, publication, moderation, employment) without somebody who "
    "looks at the picture and its origin.",
    "Finding edited parts of a photograph, or who made a picture.",
    "Video, text and sound.",
)


def text(config: "Config") -> str:
    """The checkpoint's `README.md`: what it is, how it was made, how far to trust it.

    Starts with the metadata that the Hub reads: `model-index` holds the measured figures.
    """
    name = f"RealityCheck {config.arch}, version {config.version}"
    return "\n".join(
        [
            "---",
            _metadata(config, name),
            "---",
            f"# {name}",
            "",
            "Tells photographs and other human-made pictures from pictures made by an AI.",
            f"Classes: {', '.join(config.classes)}; `{config.ai_class}` means made by an AI.",
            "",
            "## Limits",
            "",
            *(f"- {line}" for line in LIMITS),
            "",
            "## Not for",
            "",
            *(f"- {line}" for line in OUT_OF_SCOPE),
            "",
            "## Terms",
            "",
            "The code's licence (Apache-2.0) does not cover these weights. They follow the terms "
            "of the pictures they were trained on, many of which allow research use only or state "
            "no terms at all: take them as for research and education, and train your own for "
            "anything else.",
            "",
            *_sources(config),
            *_training(config),
            *_results(config),
            *_groups(config),
            *_errors(config),
            *maps(config.explanations),
        ]
    )


def _metadata(config: "Config", name: str) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type="imagefolder",
            dataset_name="pictures of its training folder",
            dataset_config=condition,
            dataset_split=split,
            metric_type=kind,
            metric_name=label,
            metric_value=round(figures[key]["value"], 4),
        )
        for split, conditions in config.metrics.items()
        for condition, figures in conditions.items()
        if condition in USUAL_CONDITIONS
        for kind, label, key in _METRICS
    ]
    data = ModelCardData(
        model_name=name,
        library_name="realitycheck",
        pipeline_tag="image-classification",
        license="other",
        license_name="terms-of-the-training-pictures",
        datasets=["imagefolder"],
        metrics=[kind for kind, _, _ in _METRICS],
        tags=["ai-generated-image-detection", config.arch],
        eval_results=results or None,
    )
    return data.to_yaml()


def training_tables(training: dict[str, Any], data: dict[str, Any]) -> list[Table]:
    """How a checkpoint was trained: every setting of every run, and the pictures of each set.

    Args:
        training: of its `Config`.
        data: of its `Config`.
    """
    tables = []
    if training:
        steps = _steps(training)
        names = dict.fromkeys(name for step in reversed(steps) for name in step)
        values = [f"step {number}" for number in range(1, len(steps) + 1)]
        rows = [[name, *(_setting(step.get(name)) for step in steps)] for name in names]
        tables.append((["setting", *(values if len(steps) > 1 else ["value"])], rows))
    if data:
        names = dict.fromkeys(name for counts in data.values() for name in counts)
        rows = [[set_, *(str(counts.get(n, "")) for n in names)] for set_, counts in data.items()]
        tables.append((["pictures", *names], rows))
    return tables


def _steps(training: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs behind a checkpoint, first to last: each went on from what the one before left."""
    steps = [training]
    while before := steps[0].get("started_from"):
        steps.insert(0, before)
    return [{k: v for k, v in step.items() if k != "started_from"} for step in steps]


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _training(config: "Config") -> list[str]:
    if not config.training:
        return []
    lines = ["## Training", ""]
    for heads, rows in training_tables(config.training, config.data):
        lines += [*table(heads, rows), ""]
    return [*lines, f"{_spent(_steps(config.training))}Energy was not metered.", ""]


def _spent(steps: list[dict[str, Any]]) -> str:
    if not all({"pictures_seen", "hours"} <= set(step) for step in steps):
        return ""
    views, hours = (sum(step[key] for step in steps) for key in ("pictures_seen", "hours"))
    return f"Spent in these steps: {views:,} training views, {hours:.1f} hours. "


def _sources(config: "Config") -> list[str]:
    if not config.sources:
        return []
    heads = ("class", "set", "pictures", "source", "licence")
    rows = [[str(row[head] or "not stated") for head in heads] for row in config.sources]
    return ["## Training and validation pictures", "", *table(heads, rows), ""]


def _results(config: "Config") -> list[str]:
    if not config.metrics:
        return []
    heads = ("set", "condition", *(head for head, _ in _COLUMNS))
    rows = [
        (name, condition, *(percent(read(figures)) for _, read in _COLUMNS))
        for name, conditions in config.metrics.items()
        for condition, figures in conditions.items()
    ]
    says = (
        "Percent, with 95 % intervals by resampling, which raises an ECE: a low one may lie below "
        "its own. A verdict is given where it is not `uncertain`." + sets_meant(config.metrics)
    )
    return ["## Results", "", says, "", *table(heads, rows), ""]


def sets_meant(names: Iterable[str]) -> str:
    """A sentence, after a space, for each of the sets that is one of `SETS`."""
    return "".join(f" “{name}”: pictures {SETS[name]}." for name in names if name in SETS)


def _clean(config: "Config") -> list[tuple[str, dict[str, Any]]]:
    return [(name, found["clean"]) for name, found in config.metrics.items() if "clean" in found]


def _groups(config: "Config") -> list[str]:
    """False alarms by kind of picture, and every group's accuracy."""
    lines = []
    for key, heading in (
        ("real_kinds_called_ai", "Real pictures called `ai`, by kind"),
        ("real_sources_called_ai", "Real pictures called `ai`, by source"),
        ("generators", "AI pictures right at 0.5, by generator"),
    ):
        rows = [
            (name, group, percent(figure), str(figure["count"]))
            for name, figures in _clean(config)
            for group, figure in sorted(
                figures.get(key, {}).items(), key=lambda item: -item[1]["value"]
            )
            if group != UNGROUPED
        ]
        if rows:
            heads = ("set", "group", "percent", "pictures")
            lines += [f"### {heading}", "", *table(heads, rows), ""]
    return lines


def _errors(config: "Config") -> list[str]:
    """What the worst mistakes were, in words."""
    lines = []
    for name, figures in _clean(config):
        for key, words in (
            ("worst_false_alarms", "real pictures with the highest AI probability"),
            ("worst_misses", "AI pictures with the lowest"),
        ):
            found = figures.get(key)
            if found and set(found) != {UNGROUPED}:
                listed = ", ".join(f"{count} of {group}" for group, count in found.items())
                lines.append(f"- {name}: the {sum(found.values())} {words} are {listed}.")
    return ["### Worst mistakes", "", *lines, ""] if lines else []


def maps(explanations: dict[str, Any]) -> list[str]:
    """The section that says how the maps did; nothing where they were not measured.

    Args:
        explanations: of a checkpoint's `Config`.
    """
    if not explanations:
        return []
    says = (
        "Deletion: how much lower the score is when the regions that a map marks are blurred than "
        "when as many others are, in [-1, 1]. Patch: share of the map on a piece of an AI picture "
        "that covers a quarter of a photograph."
    )
    rows = [
        (
            name,
            key,
            f"{figure['value']:.3f}",
            f"{figure['low']:.3f} to {figure['high']:.3f}",
            str(figure["count"]),
        )
        for name, found in explanations.items()
        for key, figure in found.items()
    ]
    heads = ("set", "figure", "mean", "95 % interval", "pictures")
    return ["## Maps", "", says, "", *table(heads, rows), ""]


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    heads = list(heads)
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        # A bar in a name would start another cell.
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def percent(figure: dict[str, float] | None) -> str:
    """A share with its interval, in percent: "91.2 (89.9-92.4)"; "-" for None."""
    if figure is None:
        return "-"
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"
