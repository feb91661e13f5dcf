"""The model card of a checkpoint."""

from realitycheck.config import Config
from realitycheck.results import (
    MIN_HELD_OUT,
    UNGROUPED,
    USUAL_CONDITIONS,
    Groups,
    Record,
    SetMetrics,
    Settings,
)
from realitycheck.tables import (
    ENOUGH_IN_GROUP,
    attack_table,
    explanation_table,
    family_table,
    markdown,
    measurement_table,
    most_accused,
    training_tables,
)
from realitycheck.wording import (
    ATTACKS,
    FAIRNESS,
    FAMILIES,
    LIMITS,
    MAPS,
    NO_THRESHOLDS,
    ORIGINS,
    OUT_OF_SCOPE,
    UNCALIBRATED,
    sets_meant,
)

# The Hub's name of a metric, ours, and its attribute of `SetMetrics`.
_METRICS = (
    ("accuracy", "balanced accuracy", "balanced_accuracy"),
    ("roc_auc", "AUC", "auc"),
)


def text(config: Config, record: Record) -> str:
    """The checkpoint's `README.md`: what it is, how it was made, how far to trust it.

    Starts with the metadata that the Hub reads: `model-index` holds the measured figures.
    """
    members = "+".join(member.name for member in config.members)
    name = f"RealityCheck {members}, version {config.version}"
    return "\n".join(
        [
            "---",
            _metadata(config, record, name),
            "---",
            f"# {name}",
            "",
            "Tells photographs and other human-made pictures from pictures made by an AI.",
            f"Classes: {', '.join(config.classes)}; `{config.ai_class}` means made by an AI.",
            "",
            *_without_verdicts(config),
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
            *_origins(config),
            *_sources(record),
            *_training(record),
            *_results(record),
            *_accused(record),
            *_groups(record),
            *_families(record),
            *_errors(record),
            *_attacks(record),
            *_maps(record),
        ]
    )


def _without_verdicts(config: Config) -> list[str]:
    if config.abstention.decides:
        return []
    says = UNCALIBRATED
    if config.calibrated:
        says = "Its probabilities are fitted to them, as far as so few tell (Platt's targets)."
    return [
        "## No verdicts",
        "",
        f"{NO_THRESHOLDS} They take at least {MIN_HELD_OUT} of each class. Every picture is "
        f"`uncertain`. {says}",
        "",
    ]


def _metadata(config: Config, record: Record, name: str) -> str:
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
            metric_value=round(getattr(figures, key).value, 4),
        )
        for split, conditions in record.metrics.items()
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
        tags=["ai-generated-image-detection", *(member.arch for member in config.members)],
        eval_results=results or None,
    )
    return str(data.to_yaml())


def _origins(config: Config) -> list[str]:
    """Whose networks the members started from, and under which licence."""
    known = [ORIGINS[member.arch] for member in config.members if member.arch in ORIGINS]
    return ["## Origins", "", *(line for origin in known for line in (origin, ""))] if known else []


def _sources(record: Record) -> list[str]:
    if not record.sources:
        return []
    heads = ("class", "set", "pictures", "source", "licence")
    rows = [
        [
            s.label,
            s.name,
            str(s.pictures),
            *(text or "not stated" for text in (s.repository, s.licence)),
        ]
        for s in record.sources
    ]
    return ["## Training and validation pictures", "", *markdown(heads, rows), ""]


def _training(record: Record) -> list[str]:
    if not record.training:
        return []
    lines = ["## Training", ""]
    for heads, rows in training_tables(record):
        lines += [*markdown(heads, rows), ""]
    return [*lines, f"{_spent(record.training)}Energy was not metered.", ""]


def _spent(steps: tuple[Settings, ...]) -> str:
    if not all({"pictures_seen", "hours"} <= set(step) for step in steps):
        return ""
    views, hours = (sum(step[key] for step in steps) for key in ("pictures_seen", "hours"))
    return f"Spent in these steps: {views:,} training views, {hours:.1f} hours. "


def _results(record: Record) -> list[str]:
    if not record.metrics:
        return []
    says = (
        "Percent, with 95 % intervals by resampling, which raises an ECE: a low one may lie below "
        "its own. Coverage: share of pictures with a verdict other than `uncertain`; selective "
        "accuracy: share of those verdicts that are right." + sets_meant(record.metrics)
    )
    return ["## Results", "", says, "", *markdown(*measurement_table(record.metrics)), ""]


def _clean(record: Record) -> list[tuple[str, SetMetrics]]:
    return [(name, found["clean"]) for name, found in record.metrics.items() if "clean" in found]


def _accused(record: Record) -> list[str]:
    """Which real pictures are called `ai` most often."""
    lines = []
    for name, metrics in _clean(record):
        if not metrics.real_eras_called_ai:
            continue  # measured before kinds were told as the sentences say
        worst = [
            f"{group} {f.percent()} % of {f.count}" for group, f in most_accused(metrics).items()
        ]
        lines.append(f"- {name}: {', '.join(worst) or 'none ever'}.")
    says = FAIRNESS.format(ENOUGH_IN_GROUP)
    return ["### Falsely called `ai` most often", "", says, "", *lines, ""] if lines else []


def _groups(record: Record) -> list[str]:
    """False alarms by kind of picture, and every group's accuracy."""
    lines: list[str] = []
    for key, heading in (
        ("real_kinds_called_ai", "Real pictures called `ai`, by kind"),
        ("real_eras_called_ai", "Real pictures called `ai`, by when they were taken"),
        ("real_sources_called_ai", "Real pictures called `ai`, by source"),
        ("generators", "AI pictures right at 0.5, by generator"),
    ):
        rows = [
            (name, *row)
            for name, metrics in _clean(record)
            for row in _group_rows(getattr(metrics, key))
        ]
        if rows:
            heads = ("set", "group", "percent", "pictures")
            lines += [f"### {heading}", "", *markdown(heads, rows), ""]
    return lines


def _group_rows(groups: Groups) -> list[tuple[str, str, str]]:
    ordered = sorted(groups.items(), key=lambda item: -item[1].value)
    return [(name, f.percent(), str(f.count)) for name, f in ordered if name != UNGROUPED]


def _families(record: Record) -> list[str]:
    """How naming families of generators did."""
    if not record.families:
        return []
    table = markdown(*family_table(record.families))
    return ["## Families of generators", "", FAMILIES, "", *table, ""]


def _errors(record: Record) -> list[str]:
    """What the worst mistakes were, in words."""
    lines = []
    for name, metrics in _clean(record):
        for found, words in (
            (metrics.worst_false_alarms, "real pictures with the highest AI probability"),
            (metrics.worst_misses, "AI pictures with the lowest"),
        ):
            if found and set(found) != {UNGROUPED}:
                listed = ", ".join(f"{count} of {group}" for group, count in found.items())
                lines.append(f"- {name}: the {sum(found.values())} {words} are {listed}.")
    return ["### Worst mistakes", "", *lines, ""] if lines else []


def _attacks(record: Record) -> list[str]:
    """How attacked pictures were judged."""
    if not record.attacks:
        return []
    return ["## Attacks", "", ATTACKS, "", *markdown(*attack_table(record.attacks)), ""]


def _maps(record: Record) -> list[str]:
    if not record.explanations:
        return []
    return ["## Maps", "", MAPS, "", *markdown(*explanation_table(record.explanations)), ""]
