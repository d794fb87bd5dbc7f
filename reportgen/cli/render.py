"""``reportgen render``: draw the pages of a report again."""

from __future__ import annotations

from pathlib import Path

import click

from reportgen.cli.printer import say
from reportgen.errors import ConfigurationError, ExitCode


class RenderCommand(click.Command):
    """A command that asks which formats there are when its help is looked at."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The parameters that were declared, with the names of the formats."""
        from reportgen.formats import FORMATS, REPORT_JSON

        params = super().get_params(ctx)
        for param in params:
            if param.name == "formats":
                param.metavar = ",".join(one.name for one in FORMATS if one is not REPORT_JSON)
        return params


@click.command(cls=RenderCommand)
@click.argument("out_dir", type=click.Path(path_type=Path))
@click.option("--format", "formats", help="Which ones.  [default: those made by an audit]")
@click.option("--max-size", type=float, default=5.0, show_default=True, metavar="MB")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="S",
    help="Seconds for reading and drawing.",
)
def render(out_dir: Path, formats: str | None, max_size: float, time_limit: float) -> int:
    """Redraw the pages of OUT_DIR from report.json and data/. Needs no TensorFlow.

    Files of other formats stay as they are.
    """
    from reportgen.formats import FORMATS, REPORT_JSON, choose_formats
    from reportgen.output import claim, rewrite_pages
    from reportgen.report.folder import check_listed

    named = formats is not None
    usual = tuple(one for one in FORMATS if one.default)
    wanted = choose_formats(formats.split(",")) if formats is not None else usual
    chosen = [one for one in wanted if one is not REPORT_JSON]
    if not chosen:
        pages = ", ".join(one.name for one in FORMATS if one is not REPORT_JSON)
        raise ConfigurationError(f"--format: report.json is what is drawn. Name some of {pages}.")
    check_listed(out_dir)  # what is no report is told as such, before it would be written to
    with claim(out_dir):
        written = rewrite_pages(out_dir, chosen, int(max_size * 1e6), time_limit)
    written.tell(say, out_dir)
    return ExitCode.PARTIAL if written.remarks and named else ExitCode.DONE
