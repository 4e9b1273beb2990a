"""Figures on disk."""

import os
import pathlib

import matplotlib as mpl
from matplotlib.figure import Figure

DPI = 300


def save(figure: Figure, path: str | os.PathLike) -> list[pathlib.Path]:
    """Writes a figure as PNG and as PDF.

    Args:
      figure: whole, as the functions of this package return it.
      path: of the files; a suffix .png or .pdf is replaced, others are kept. Its folder
        is created.

    Returns:
      The paths of the two files.

    Raises:
      OSError: the folder cannot be written.

    Example:
      >>> import pathlib, tempfile
      >>> from noisejax import figures
      >>> figure = figures.acceleration(frequency=100.0)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     paths = figures.save(figure, pathlib.Path(folder) / "g")
      >>> [path.name for path in paths]
      ['g.png', 'g.pdf']
    """
    path = pathlib.Path(path)
    if path.suffix.lower() in (".png", ".pdf"):
        path = path.with_suffix("")
    path.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = (path.with_name(f"{path.name}.{kind}") for kind in ("png", "pdf"))
    with mpl.rc_context({"pdf.fonttype": 42}):  # letters stay letters
        figure.savefig(png, dpi=DPI)
        figure.savefig(pdf, metadata={"CreationDate": None})
    return [png, pdf]
