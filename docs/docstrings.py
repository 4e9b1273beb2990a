"""Sphinx extension that reads the plain docstrings of noisejax as reStructuredText."""

import re

from sphinx.ext import autosummary

SECTION = re.compile(r"^(\w+):$")
ITEM = re.compile(r'^("\w+"|\*{0,2}\w+)(, ("\w+"|\*{0,2}\w+))*: ')


def setup(app):
    """Connect both functions to autodoc."""
    # A summary is a first sentence; these periods end none.
    autosummary.WELL_KNOWN_ABBREVIATIONS += ("eq.", "eqs.", "sec.")
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", shorten)
    return {"parallel_read_safe": True}


def shorten(app, what, name, obj, options, signature, returns):
    """Write `Array` in place of the private name of its class."""
    return tuple(
        t and t.replace("jaxlib._jax.Array", "Array") for t in (signature, returns)
    )


def process(app, what, name, obj, options, lines):
    """Escape symbols of equations; mark indented blocks as lists or literal text."""
    out, section = [], None
    if what in ("property", "attribute") and lines:
        lines[0] = ": " + lines[0]  # napoleon takes the words before a colon for a type
    for line in lines:
        text, indent = line.lstrip(), len(line) - len(line.lstrip())
        if SECTION.match(line):
            section = line[:-1]
            out.append(line)
        elif line.startswith("Example: "):  # the section has a title
            section = "Example"
            out.extend(["Example:", "  " + escape(line.removeprefix("Example: ")), ""])
        elif section in ("Example", "Examples") or not text:
            out.append(line)
        elif section:
            out.extend(section_lines(section, text, indent, out))
        else:
            out.extend(body_lines(text, indent, line, out))
    lines[:] = out


def body_lines(text, indent, line, out):
    """Lines before the first section: an indented block is a list or literal text."""
    block = [x for x in out[last_plain(out) :] if x]
    if not indent:
        return ([""] if block else []) + [escape(line)]
    if ITEM.match(text) and (not block or block[0].startswith("- ")):
        return ["", "- " + escape(text)]
    if block and block[0].startswith("- "):
        return ["  " + escape(text)]
    return ([] if block else ["", "::", ""]) + [line]


def last_plain(out):
    """Index behind the last line of running text, where an indented block starts."""
    plain = (i for i, x in enumerate(out) if x and not x.startswith((" ", "- ")))
    return max(plain, default=-1) + 1


def section_lines(section, text, indent, out):
    """Lines of a section: deeper lines that start with `name: ` are a list."""
    if out[-1] == f"{section}:" and section in ("Returns", "Yields"):
        return ["  : " + escape(text)]  # the colon: no type stands before the text
    first = 2 if section in ("Returns", "Yields", "Reference") else 4
    previous = next((x for x in reversed(out) if x), "")
    depth = len(previous) - len(previous.lstrip())
    if previous.lstrip().startswith("- "):
        depth += 2
    if indent >= first and ITEM.match(text) and section != "Reference":
        return ["", " " * indent + "- " + escape(text)]
    if indent > depth and indent > first:
        indent = max(depth, first)
    return ([""] if first <= indent < depth else []) + [" " * indent + escape(text)]


def escape(text):
    """Escape the symbols `*` and `|` outside of backticks."""
    parts = re.split(r"(`+[^`]*`+)", text)
    parts[::2] = [re.sub(r"([*|]|_(?!\w))", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
