"""Reads and writes the directory of an experiment."""

import dataclasses
import io
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from noisejax import training
from noisejax.experiments import Experiment, Row
from noisejax.reproduce._results import Result, numbers_of, read_results
from noisejax.reproduce._words import row_title

SUMMED = ("histogram", "counts", "below", "above")
"""Arrays that are added over seeds. Of all other arrays, the first seed is drawn."""


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A finished run of a row.

    Attributes:
      path: run directory.
      experiment: name of the experiment that contains the row.
    """

    path: pathlib.Path
    experiment: str


class ExperimentFolder:
    """Directory of an experiment.

    Attributes:
      path: path of the directory.
      identity_path: path of experiment.json, which contains the name, the scale and the
        configurations of the rows.
      results_path: path of results.jsonl, with one line per row and seed.
      table_path: path of table.md.
    """

    def __init__(self, path: pathlib.Path):
        """Set the paths of the files, without access to the directory."""
        self.path = path
        self.identity_path = path / "experiment.json"
        self.results_path = path / "results.jsonl"
        self.table_path = path / "table.md"

    def row_path(self, name: str) -> pathlib.Path:
        """Return the run directory of a row."""
        return self.path / "rows" / name

    def _arrays_path(self, row: str, seed: int) -> pathlib.Path:
        return self.path / "arrays" / f"{row}_seed_{seed}.npz"

    def write_arrays(
        self, row: str, seed: int, arrays: Mapping[str, np.ndarray]
    ) -> None:
        """Write the measured arrays of a row and seed, atomically."""
        path = self._arrays_path(row, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        np.savez_compressed(content, **{k: np.asarray(v) for k, v in arrays.items()})
        training.write_bytes(path, content.getvalue())

    def read_arrays(self, row: str, seed: int) -> dict[str, np.ndarray]:
        """Read the arrays of a row and seed; return {} if there is no file.

        Raises:
          ValueError: the file is damaged.
        """
        path = self._arrays_path(row, seed)
        if not path.is_file():
            return {}
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except Exception as error:  # a damaged file can raise any error
            raise ValueError(
                f"{path} is damaged ({error}); delete it, and the row's lines in "
                "results.jsonl: it is then measured again"
            ) from error

    def claim(
        self, name: str, scale: str, rows: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """Write experiment.json, or add rows to it.

        Args:
          name: name of the experiment.
          scale: scale of the experiment.
          rows: row -> section -> field -> value of the configuration.

        Raises:
          ValueError: the directory contains another experiment or scale, other files,
            or another configuration of a row.
        """
        rows = json.loads(json.dumps(dict(rows)))
        recorded: dict[str, Any] = {"experiment": name, "scale": scale, "rows": {}}
        if self.identity_path.exists():
            recorded = self._read()
            recorded["rows"] = {
                row: _with_defaults(fields) for row, fields in recorded["rows"].items()
            }
            self._add_computed(recorded["rows"], rows)
        elif self.path.exists() and any(
            item.name != ".lock" for item in self.path.iterdir()
        ):
            raise ValueError(
                f"the workdir {self.path} holds other files (no experiment.json); "
                "choose another workdir"
            )
        if (recorded["experiment"], recorded["scale"]) != (name, scale):
            raise ValueError(
                f"the workdir {self.path} holds {recorded['experiment']} at the scale "
                f"{recorded['scale']}; choose another workdir"
            )
        changed = {
            row: _differences(recorded["rows"][row], fields)
            for row, fields in rows.items()
            if recorded["rows"].get(row, fields) != fields
        }
        if changed:
            differences = "; ".join(f"{row}: {text}" for row, text in changed.items())
            raise ValueError(
                f"the workdir {self.path} holds other configurations of the rows "
                f"{', '.join(changed)} ({differences}); choose another workdir"
            )
        recorded["rows"] |= rows
        content = json.dumps(recorded, indent=2) + "\n"
        training.write_bytes(self.identity_path, content.encode())

    def finished_run(self, scale: str, config: training.Config) -> FinishedRun | None:
        """Return a finished run of a configuration; None if there is none.

        Args:
          scale: scale of the run, because runs of another scale may have other data.
          config: configuration of the run.

        Raises:
          ValueError: the directory contains no experiment.
        """
        if not self.identity_path.exists():
            raise ValueError(
                f"{self.path} must be the directory of an experiment, it has no "
                f"{self.identity_path.name}; name the --workdir of another experiment"
            )
        recorded = self._read()
        if recorded["scale"] != scale:
            return None
        wanted = json.loads(json.dumps(training.to_dict(config)))
        for row, fields in recorded["rows"].items():
            path = self.row_path(row)
            if _with_defaults(fields) == wanted and training.is_finished(path):
                return FinishedRun(path, recorded["experiment"])
        return None

    def _read(self) -> dict[str, Any]:
        try:
            recorded = json.loads(self.identity_path.read_text())
        except ValueError as error:
            raise self._damaged(str(error)) from error
        if not isinstance(recorded, dict) or not all(
            isinstance(recorded.get(name), str) for name in ("experiment", "scale")
        ):
            raise self._damaged("it must name an experiment and a scale")
        rows = recorded.get("rows")
        if not isinstance(rows, dict) or not all(
            isinstance(fields, dict)
            and all(isinstance(section, dict) for section in fields.values())
            for fields in rows.values()
        ):
            raise self._damaged("rows must be an object of rows, each of sections")
        return recorded

    def _damaged(self, reason: str) -> ValueError:
        return ValueError(
            f"{self.identity_path} is damaged ({reason}); choose another workdir"
        )

    def _add_computed(
        self,
        recorded: dict[str, dict[str, Any]],
        requested: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Add "computed" to rows of older versions, with the draws of results.jsonl."""
        configs = {r["row"]: r["config"] for r in read_results(self.results_path)}
        for name in recorded.keys() & requested.keys():
            if "factors" in recorded[name] and "computed" not in recorded[name]:
                computed = requested[name].get("computed", {})
                draws = configs.get(name, {}).get("draws", computed.get("draws"))
                recorded[name]["computed"] = {**computed, "draws": draws}


def _with_defaults(row: dict[str, Any]) -> dict[str, Any]:
    """Add the defaults of configuration fields that are newer than the record."""
    if "factors" in row:  # the row was computed, not trained
        return row
    defaults = json.loads(json.dumps(training.to_dict(training.Config())))
    return row | {name: defaults[name] | row.get(name, {}) for name in defaults}


def _differences(recorded: Mapping[str, Any], requested: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{section}.{field} was {recorded.get(section, {}).get(field)!r}, is {value!r}"
        for section, fields in requested.items()
        for field, value in fields.items()
        if recorded.get(section, {}).get(field) != value
    )


@dataclasses.dataclass(frozen=True)
class Saved:
    """Recorded results and arrays of an experiment.

    Attributes:
      experiment: experiment.
      results: results of complete rows.
      folder: directory of the experiment; None if there are no arrays.
    """

    experiment: Experiment
    results: Sequence[Result]
    folder: ExperimentFolder | None = None

    @property
    def rows(self) -> list[Row]:
        """Rows that have results, in the order of the table."""
        done = {result["row"] for result in self.results}
        return [row for row in self.experiment.rows if row.name in done]

    def numbers(self, row: Row, metric: str) -> list[float]:
        """Return the finite numbers of a row, one per seed."""
        return list(numbers_of(self.results).get((row.name, metric), {}).values())

    def arrays(self, row: Row) -> list[dict[str, np.ndarray]]:
        """Return the arrays of a row, one dict per seed."""
        if self.folder is None:
            return []
        seeds = [result["seed"] for result in self.results if result["row"] == row.name]
        found = [self.folder.read_arrays(row.name, seed) for seed in seeds]
        return [arrays for arrays in found if arrays]

    @property
    def networks(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Title of a row -> arrays by layer, for the rows that have arrays."""
        found = {row_title(row): self.layers(row) for row in self.rows}
        return {label: layers for label, layers in found.items() if layers}

    def layers(self, row: Row) -> dict[str, dict[str, Any]]:
        """Return the arrays "name/layer" of a row as layer -> name -> array."""
        layers: dict[str, dict[str, Any]] = {}
        for i, arrays in enumerate(self.arrays(row)):
            for key, values in arrays.items():
                name, _, layer = key.partition("/")
                fields = layers.setdefault(layer, {})
                if i and name in SUMMED:
                    values = fields[name] + values
                fields[name] = values if name in SUMMED else fields.get(name, values)
        return layers
