"""What is needed to run a checkpoint: the content of `config.json`.

Format 2 names the members of a committee; since format 3 a member may weigh its views. Format 1,
written by versions 1 to 4 of RealityCheck, names one network, and is read as a committee of one.
"""

import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from realitycheck.committee import cnn
from realitycheck.committee.abstention import QUICK_ODDS, Abstention
from realitycheck.committee.families import Families
from realitycheck.committee.stack import Stack
from realitycheck.committee.views import Preprocessing
from realitycheck.errors import CheckpointError
from realitycheck.results import Record

FORMAT = 3
CONFIG = "config.json"
WEIGHTS = "model.safetensors"  # of a committee of one, as the Hub's own mixin calls it
QUICK = "transformer"  # name of the member that quick mode asks


@dataclass(frozen=True)
class MemberConfig:
    """One member of the committee.

    Attributes:
        name: within the committee.
        arch: of its network, such as "resnet50".
        preprocessing: how it wants its pictures.
        files: its weights files in the checkpoint's directory.
        families: of generators that it names, by a head in a file of its own; None for none.
            Versions of RealityCheck that know of no families read the checkpoint without them.
    """

    name: str
    arch: str
    preprocessing: Preprocessing
    files: tuple[str, ...] = (WEIGHTS,)
    families: Families | None = None

    @property
    def weights(self) -> tuple[str, ...]:
        """All its weights files, that of the families last."""
        return self.files if self.families is None else (*self.files, self.families.file)

    @property
    def named(self) -> int:
        """How many families of generators its head tells apart."""
        return 0 if self.families is None else len(self.families.names)


@dataclass(frozen=True)
class Config:
    """Everything that a checkpoint needs to run but its tensors.

    Attributes:
        classes: class names in the order of the logits.
        ai_class: which of them means "made by an AI".
        members: of the committee, in the order of the stack's weights.
        stack: from the members' leads to a probability.
        calibrated: whether the stack was fitted on held-out pictures.
        abstention: when a verdict is given.
        version: of these weights.
        sha256: file name to SHA-256 of the weights it belongs to.
        format: version of this file's layout.
    """

    classes: tuple[str, ...]
    ai_class: str
    members: tuple[MemberConfig, ...]
    stack: Stack = field(default_factory=Stack)
    calibrated: bool = False
    abstention: Abstention = field(default_factory=Abstention)
    version: str = "0"
    sha256: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or self.ai_class not in self.classes:
            raise CheckpointError(
                f"A checkpoint needs two classes or more, one of them its ai_class; got "
                f"{list(self.classes)} and {self.ai_class!r}."
            )
        if not self.members or len(self.members) != len(self.stack.weights):
            raise CheckpointError(
                f"A checkpoint needs a member or more, and a weight for each; got "
                f"{len(self.members)} members and {len(self.stack.weights)} weights."
            )

    @property
    def ai_index(self) -> int:
        """Position of the AI class among the logits."""
        return self.classes.index(self.ai_class)

    @property
    def arch(self) -> str:
        """The members' architectures, joined by "+"."""
        return "+".join(member.arch for member in self.members)

    @property
    def preprocessings(self) -> tuple[Preprocessing, ...]:
        """How each member wants its pictures."""
        return tuple(member.preprocessing for member in self.members)

    @property
    def weights(self) -> list[str]:
        """The members' weights files."""
        return [name for member in self.members for name in member.weights]

    @property
    def side(self) -> int:
        """Side of the largest view that any member looks at, px."""
        return max(preprocessing.size for preprocessing in self.preprocessings)

    @property
    def quick_member(self) -> int:
        """Position of the member that quick mode asks: the transformer, else the first one."""
        names = [member.name for member in self.members]
        return names.index(QUICK) if QUICK in names else 0

    def alone(self, position: int) -> "Config":
        """Of one member by itself, with the weight of all: as if the others said the same."""
        stack = Stack((sum(self.stack.weights),), self.stack.bias)
        return replace(self, members=(self.members[position],), stack=stack)

    def quick(self) -> "Config":
        """What quick mode runs: one member, whose verdicts ask for more."""
        rule = self.abstention.stricter(QUICK_ODDS, QUICK_ODDS)
        return replace(self.alone(self.quick_member), abstention=rule)

    def to_json(self) -> str:
        """The text of `config.json`."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def read_config(text: str) -> tuple[Config, Record | None]:
    """Reads the text of a `config.json`, of either format.

    Returns:
        The configuration; and, of format 1, the record that was kept in the same file.

    Raises:
        CheckpointError: not JSON, of a newer layout, or fields are missing or wrong.
    """
    try:
        values = json.loads(text)
        layout = values.get("format", 1)
        if layout > FORMAT:
            raise CheckpointError(
                f"This checkpoint has layout {layout}; this version of RealityCheck reads up to "
                f"{FORMAT}. Update RealityCheck."
            )
        if layout == 1:
            return _from_format_1(values), Record.from_json(values)
        return _from_members(values), None
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise CheckpointError(
            f"{CONFIG} is not a RealityCheck configuration ({error}). Download the checkpoint "
            "again or train a new one."
        ) from error


def _from_members(values: dict[str, Any]) -> Config:
    known = {f.name for f in fields(Config)}
    return Config(
        **{
            **{name: value for name, value in values.items() if name in known},
            "classes": tuple(values["classes"]),
            "members": tuple(_member(member) for member in values["members"]),
            "stack": Stack(tuple(values["stack"]["weights"]), values["stack"]["bias"]),
            "abstention": Abstention(**values["abstention"]),
        }
    )


def _member(values: dict[str, Any]) -> MemberConfig:
    preprocessing = _preprocessing(values["preprocessing"])
    families = values.get("families")
    return MemberConfig(
        values["name"],
        values["arch"],
        preprocessing,
        tuple(values["files"]),
        families and Families(**{**families, "names": tuple(families["names"])}),
    )


def _preprocessing(values: dict[str, Any]) -> Preprocessing:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return Preprocessing(**values)


def _from_format_1(values: dict[str, Any]) -> Config:
    temperature = values.get("temperature", 1.0)
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, not {temperature}")
    # Fields that a format-1 file may leave out had these values.
    shape = {"mode": "native", "size": 176, "mean": cnn.MEAN, "std": cnn.STD}
    preprocessing = _preprocessing({**shape, **values.get("preprocessing", {})})
    arch = str(values["arch"])
    cnn.architecture(arch)  # raises where there is no such network
    return Config(
        classes=tuple(values["classes"]),
        ai_class=values["ai_class"],
        members=(MemberConfig(arch, arch, preprocessing),),
        stack=Stack((1 / temperature,), values.get("shift", 0.0)),
        calibrated=values.get("calibrated", False),
        abstention=Abstention(**values.get("thresholds", {})),
        version=values.get("version", "0"),
        sha256=values.get("sha256", {}),
    )
