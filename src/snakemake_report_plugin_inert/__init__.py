"""Snakemake's own report, on whose page text stays text.

The page keeps what it shows as JSON in elements `script`, which any "</script>" ends, be it within
a string: the rest of an experiment's title would be HTML. Here no "<" of what it shows is written
as such. Snakemake finds report plugins by the module prefix ``snakemake_report_plugin_``.
"""

from typing import Any

from snakemake.report import html_reporter

ReportSettings = html_reporter.ReportSettings


class InertTemplate:
    """A template of a page whose values are JSON within scripts."""

    def __init__(self, template: Any) -> None:
        self._template = template

    def render(self, **shown: Any) -> str:
        """The page, with every "<" of a value as JSON may write it."""
        inert = {
            name: value.replace("<", "\\u003c") if isinstance(value, str) else value
            for name, value in shown.items()
        }
        page: str = self._template.render(**inert)
        return page


class Reporter(html_reporter.Reporter):  # type: ignore[misc]
    """Snakemake's reporter with such a template."""

    def __post_init__(self) -> None:
        super().__post_init__()
        load = self.env.get_template
        self.env.get_template = lambda name: InertTemplate(load(name))
