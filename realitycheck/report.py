"""One picture's answer as a file of its own, to keep and to send: HTML and JSON."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from realitycheck import page
from realitycheck.card import LIMITS
from realitycheck.service import Answer


def contents(answer: Answer, survival: list[dict[str, Any]], about: dict[str, Any]) -> dict:
    """Everything a report holds but the pictures, JSON-ready.

    Args:
        answer: of `Service.check`.
        survival: of `Service.survive`.
        about: of `Service.about`.
    """
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        **answer.report,
        "survival": survival,
        "limits": list(LIMITS),
        "figures": _headline_figures(about["metrics"]),
    }


def _headline_figures(metrics: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            condition: {key: values[key] for key in ("balanced_accuracy", "auc", "verdicts")}
            for condition, values in conditions.items()
        }
        for name, conditions in metrics.items()
    }


def html(answer: Answer, held: dict[str, Any], about: dict[str, Any]) -> str:
    """The report as one HTML page that needs nothing from anywhere else.

    Args:
        answer: of `Service.check`.
        held: of `contents`.
        about: of `Service.about`.
    """
    picture = held["picture"]
    name = escape(picture["name"] or "picture")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>RealityCheck: {name}</title>
<style>
body {{font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem}}
code {{overflow-wrap: anywhere}}
{page.CSS}
</style>
</head>
<body>
<h1>RealityCheck report</h1>
<p>{name}, made {held["made"]}</p>
{page.headline(held, about["ai_class"])}
{_probabilities(held["probabilities"])}
{page.viewer(answer, about["explanations"])}
{page.doubts(held, about["metrics"])}
{page.origin(held)}
<h3>Would the answer survive?</h3>
{page.survival(held["survival"], about["ai_class"])}
<h3>The file</h3>
<p>{name}, {escape(picture["format"])}, {picture["width"]} x {picture["height"]} px,
SHA-256 <code>{picture["sha256"]}</code></p>
<h3>The model</h3>
{page.model(about)}
<p>SHA-256 of its weights: <code>{held["model"]["sha256"]}</code></p>
{page.figures(about["metrics"])}
<h3>How far to trust it</h3>
{page.limits()}
</body>
</html>
"""


def _probabilities(probabilities: dict[str, float]) -> str:
    shares = ", ".join(f"{escape(name)} {value:.1%}" for name, value in probabilities.items())
    return f"<p>Calibrated probabilities: {shares}.</p>"
