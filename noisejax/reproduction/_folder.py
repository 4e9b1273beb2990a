"""An experiment's folder: what it holds, and that it holds one experiment only."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from noisejax import training
from noisejax.reproduction._results import read_results


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A run of a row.

    Attributes:
      path: of the run.
      experiment: whose row it is.
    """

    path: pathlib.Path
    experiment: str


class ExperimentFolder:
    """Where an experiment leaves its results.

    Attributes:
      path: of the folder.
    """

    def __init__(self, path: pathlib.Path):
        """Touches nothing."""
        self.path = path

    @property
    def identity_path(self) -> pathlib.Path:
        """Which experiment, at which scale, with which rows: experiment.json."""
        return self.path / "experiment.json"

    @property
    def results_path(self) -> pathlib.Path:
        """A line per row and seed: results.jsonl."""
        return self.path / "results.jsonl"

    @property
    def table_path(self) -> pathlib.Path:
        """The paper's numbers beside ours: table.md."""
        return self.path / "table.md"

    def figure_path(self, name: str) -> pathlib.Path:
        """The experiment's figure, without its suffix."""
        return self.path / name

    def arrays_path(self, row: str, seed: int) -> pathlib.Path:
        """What was measured on a row's network besides numbers."""
        return self.path / "arrays" / f"{row}_seed_{seed}.npz"

    def row_path(self, name: str) -> pathlib.Path:
        """The run of a row."""
        return self.path / "rows" / name

    def claim(
        self, name: str, scale: str, rows: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Writes experiment.json, or adds rows to it.

        Args:
          name: of the experiment.
          scale: at which it is done.
          rows: row -> sections of fields, its configuration.

        Raises:
          ValueError: the folder holds another experiment or scale, other files, or a
            row with another configuration.
        """
        rows = json.loads(json.dumps(dict(rows)))
        there: dict[str, Any] = {"experiment": name, "scale": scale, "rows": {}}
        if self.identity_path.exists():
            there = self._read()
            there["rows"] = {k: _with_defaults(v) for k, v in there["rows"].items()}
            self._add_computed(there["rows"], rows)
        elif self.path.exists() and any(
            item.name != ".lock" for item in self.path.iterdir()
        ):
            raise ValueError(
                f"the workdir {self.path} holds something else (no experiment.json); "
                "choose another workdir"
            )
        if (there["experiment"], there["scale"]) != (name, scale):
            raise ValueError(
                f"the workdir {self.path} holds {there['experiment']} at the scale "
                f"{there['scale']}; choose another workdir"
            )
        changed = [
            row for row in rows if there["rows"].get(row, rows[row]) != rows[row]
        ]
        if changed:
            raise ValueError(
                f"the workdir {self.path} holds other configurations of the rows "
                f"{', '.join(changed)} ({_differences(there['rows'], rows, changed)}); "
                "choose another workdir"
            )
        there["rows"] |= rows
        partial = self.identity_path.with_name(".experiment.json.partial")
        partial.write_text(json.dumps(there, indent=2) + "\n")
        partial.replace(self.identity_path)

    def finished_run(self, scale: str, config: training.Config) -> FinishedRun | None:
        """A finished run of a configuration among the rows, if there is one.

        Args:
          scale: at which it must have been done: it says which data are generated.
          config: of the run.

        Raises:
          ValueError: this is not an experiment's folder.
        """
        if not self.identity_path.exists():
            raise ValueError(
                f"{self.path} must be the folder of an experiment, it has no "
                f"{self.identity_path.name}; name the --workdir of another experiment"
            )
        there = self._read()
        if there["scale"] != scale:
            return None
        wanted = json.loads(json.dumps(training.to_dict(config)))
        for row, values in there["rows"].items():
            path = self.row_path(row)
            if _with_defaults(values) == wanted and training.is_finished(path):
                return FinishedRun(path, there["experiment"])
        return None

    def _read(self) -> dict[str, Any]:
        try:
            there = json.loads(self.identity_path.read_text())
        except ValueError as error:
            raise self._damaged(str(error)) from error
        if not isinstance(there, dict) or not all(
            isinstance(there.get(name), str) for name in ("experiment", "scale")
        ):
            raise self._damaged("it must name an experiment and a scale")
        rows = there.get("rows")
        if not isinstance(rows, dict) or not all(_is_row(row) for row in rows.values()):
            raise self._damaged("rows must be an object of rows, each of sections")
        return there

    def _damaged(self, why: str) -> ValueError:
        return ValueError(
            f"{self.identity_path} is damaged ({why}); choose another workdir"
        )

    def _add_computed(
        self, there: dict[str, dict], here: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Adds how rows were computed where an older folder says it in results only."""
        recorded = {r["row"]: r["config"] for r in read_results(self.results_path)}
        for name in there.keys() & here.keys():
            if "factors" in there[name] and "computed" not in there[name]:
                computed = here[name].get("computed", {})
                draws = recorded.get(name, {}).get("draws", computed.get("draws"))
                there[name]["computed"] = {**computed, "draws": draws}


def _is_row(values: object) -> bool:
    return isinstance(values, dict) and all(
        isinstance(fields, dict) for fields in values.values()
    )


def _with_defaults(row: dict[str, Any]) -> dict[str, Any]:
    """A row's configuration with the fields that have come up since: their defaults."""
    if "factors" in row:  # of a row without a run
        return row
    defaults = json.loads(json.dumps(training.to_dict(training.Config())))
    added = {name: {**defaults[name], **row.get(name, {})} for name in defaults}
    return {**row, **added}


def _differences(there: dict, here: dict, rows: list[str]) -> str:
    return "; ".join(
        f"{row}: {section}.{field} was {there[row].get(section, {}).get(field)!r}, is "
        f"{value!r}"
        for row in rows
        for section, fields in here[row].items()
        for field, value in fields.items()
        if there[row].get(section, {}).get(field) != value
    )
