"""The model card of a checkpoint."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # not at run time: the web server shows figures without torch
    from realitycheck.checkpoints import Config

# The Hub's name of a metric, ours, and its key among the figures.
_METRICS = (
    ("accuracy", "balanced accuracy", "balanced_accuracy"),
    ("roc_auc", "AUC", "auc"),
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
            "- A verdict is a probability, not proof. Never accuse anyone on its strength alone.",
            "- Generators and cameras that training never saw are judged less reliably.",
            "- Re-saved, small or heavily edited pictures carry less evidence.",
            "",
            "## Terms",
            "",
            "The code's licence does not cover these weights. They follow the terms of the "
            "pictures they were trained on, many of which allow research use only.",
            "",
            *_training(config),
            *_results(config),
            "",
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


def training_facts(training: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """What is told of a checkpoint's training: every setting, and the pictures of each set.

    Args:
        training: of its `Config`.
        data: of its `Config`.
    """
    return {**training, **{f"{name} pictures": counts for name, counts in data.items()}}


def _training(config: "Config") -> list[str]:
    if not config.training:
        return []
    facts = training_facts(config.training, config.data)
    rows = [f"| {name} | {value} |" for name, value in facts.items()]
    return ["## Training", "", "| | |", "|---|---|", *rows, ""]


def _results(config: "Config") -> list[str]:
    if not config.metrics:
        return []
    lines = [
        "## Results",
        "",
        "Percent, with 95 % intervals.",
        "",
        "| set | condition | balanced accuracy | AUC | real called `ai` | AI called `real` |",
        "|---|---|---|---|---|---|",
    ]
    for name, conditions in config.metrics.items():
        for condition, figures in conditions.items():
            verdicts = figures["verdicts"]
            cells = (
                figures["balanced_accuracy"],
                figures["auc"],
                verdicts["real_called_ai"],
                verdicts["ai_called_real"],
            )
            values = " | ".join(percent(cell) for cell in cells)
            lines.append(f"| {name} | {condition} | {values} |")
    return lines


def percent(figure: dict[str, float] | None) -> str:
    """A share with its interval, in percent: "91.2 (89.9-92.4)"; "-" for None."""
    if figure is None:
        return "-"
    return f"{100 * figure['value']:.1f} ({100 * figure['low']:.1f}-{100 * figure['high']:.1f})"
