"""Booktabs tables from plain text cells: escaping, column widths, several pages.

Cells and heads are plain Unicode text; they are escaped here and nowhere else. tabulate sets the
rows; its own LaTeX formats break on a Greek letter and have no booktabs rules over several pages.
"""

import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tabulate import DataRow, TableFormat, tabulate

from anarchy.artefact.latex import latex_escape

Cells = Sequence[str]

# A body of more lines than this goes over several pages; up to this many float as one block.
LONG = 35
# A head wraps at this many characters.
HEAD_WIDTH = 11
# What fits into the text width in \footnotesize: 455 pt, 4.4 pt a character, 8 pt between columns.
TEXT_WIDTH, CHARACTER, GAP = 455.0, 4.4, 8.0

_ROW = DataRow("", " & ", r" \\")
_FORMAT = TableFormat(None, None, None, None, _ROW, _ROW, 0, None)


@dataclass(frozen=True)
class Column:
    """A column: its head, and l, r, or p for a paragraph taking `share` of the text width."""

    head: str
    align: Literal["l", "r", "p"] = "l"
    share: float = 0.0


def latex_table(columns: Sequence[Column], rows: Sequence[Cells], caption: str, label: str) -> str:
    """A complete table environment: a float, or a longtable when it has more than `LONG` lines.

    An empty row is a gap between groups. The caption is plain text without its full stop; the
    label becomes `tab:<label>`.
    """
    spec = "".join(_spec(column) for column in columns)
    head = " & ".join(_head(column) for column in columns) + r" \\"
    body = "\n".join(_body(rows, len(columns)))
    title = rf"\caption{{{latex_escape(caption)}.}}\label{{tab:{label}}}"
    if sum(_lines(columns, row) for row in rows) <= LONG:
        return (
            "\\begin{table}[htbp]\n\\centering\\footnotesize\n"
            f"{title}\n\\begin{{tabular}}{{@{{}}{spec}@{{}}}}\n\\toprule\n{head}\n\\midrule\n"
            f"{body}\n\\bottomrule\n\\end{{tabular}}\n\\end{{table}}\n"
        )
    continued = (
        rf"\multicolumn{{{len(columns)}}}{{@{{}}l}}{{\textit{{continued}}}} \\ \toprule"
        f"\n{head}\n\\midrule\n\\endhead\n"
    )
    return (
        f"{{\\footnotesize\n\\begin{{longtable}}{{@{{}}{spec}@{{}}}}\n{title} \\\\\n\\toprule\n"
        f"{head}\n\\midrule\n\\endfirsthead\n{continued}\\bottomrule\n\\endfoot\n"
        f"{body}\n\\end{{longtable}}}}\n"
    )


def wide_table(
    keys: Sequence[Column],
    values: Sequence[Column],
    rows: Sequence[Cells],
    caption: str,
    label: str,
) -> str:
    """A table split into several where the value columns do not fit beside the key columns.

    `rows` hold the key cells, then the value cells. The first part has the label; the others say
    in their captions which part they are.
    """
    widths = [_width(c, [row[i] for row in rows if row]) for i, c in enumerate([*keys, *values])]
    parts = list(_parts(widths, len(keys)))
    tables = []
    for position, part in enumerate(parts, start=1):
        chosen = [*range(len(keys)), *part]
        columns = [[*keys, *values][i] for i in chosen]
        of = f" (part {position} of {len(parts)})" if len(parts) > 1 else ""
        tag = label if position == 1 else f"{label}:{position}"
        cells = [[row[i] for i in chosen] if row else [] for row in rows]
        tables.append(latex_table(columns, cells, caption + of, tag))
    return "\n".join(tables)


def _spec(column: Column) -> str:
    if column.align == "p":
        return rf">{{\raggedright\arraybackslash}}p{{{column.share:.3f}\linewidth}}"
    return column.align


def _head(column: Column) -> str:
    lines = [latex_escape(line) for line in _head_lines(column)]
    if len(lines) == 1:
        return lines[0]
    align = "r" if column.align == "r" else "l"
    return rf"\begin{{tabular}}[b]{{@{{}}{align}@{{}}}}" + r" \\ ".join(lines) + r"\end{tabular}"


def _head_lines(column: Column) -> list[str]:
    if column.align == "p":
        return [column.head]
    return textwrap.wrap(column.head, HEAD_WIDTH, break_long_words=False) or [""]


def _body(rows: Sequence[Cells], width: int) -> Iterator[str]:
    filled = [[latex_escape(cell) for cell in row] for row in rows if row]
    if not filled:
        yield rf"\multicolumn{{{width}}}{{@{{}}l}}{{none}} \\"
        return
    # A cell that starts with [ would be read as the optional argument of the line break before it.
    filled = [["{}" + c if c.startswith("[") else c for c in row] for row in filled]
    text = tabulate(filled, tablefmt=_FORMAT, disable_numparse=True, stralign="left")
    lines = iter(text.split("\n"))
    for row in rows:
        yield next(lines) if row else r"\addlinespace"


def _lines(columns: Sequence[Column], row: Cells) -> int:
    """Lines that a row takes: as many as its fullest paragraph."""
    fits = [max(1.0, c.share * TEXT_WIDTH / CHARACTER) for c in columns]
    paragraphs = [(c, n) for c, n, k in zip(row, fits, columns, strict=False) if k.align == "p"]
    return max([1, *(math.ceil(len(cell) / n) for cell, n in paragraphs)])


def _width(column: Column, cells: Sequence[str]) -> float:
    longest = max(map(len, [*_head_lines(column), *cells]), default=0)
    return longest * CHARACTER + GAP


def _parts(widths: Sequence[float], keys: int) -> Iterator[list[int]]:
    left = TEXT_WIDTH - sum(widths[:keys])
    room, part = left, list[int]()
    for i in range(keys, len(widths)):
        if part and widths[i] > room:
            yield part
            room, part = left, []
        part.append(i)
        room -= widths[i]
    if part:
        yield part
