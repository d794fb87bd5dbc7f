"""Options in force where a report must come out the same each time, and where it need not."""

import pytest

from reportgen.battery import BATTERY, choose_battery, find_analysis
from reportgen.config import build_config
from reportgen.pipeline import is_reproducible


@pytest.mark.parametrize("analysis", BATTERY, ids=lambda analysis: analysis.id)
def test_no_default_depends_on_the_environment(analysis, monkeypatch):
    before = analysis.options()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert analysis.options() == before


@pytest.mark.parametrize("analysis", BATTERY, ids=lambda analysis: analysis.id)
def test_what_makes_it_reproducible_are_options_that_the_analysis_has(analysis):
    chosen = analysis.choose_options("standard", {}, reproducible=True)
    assert set(analysis.options.reproducible) <= set(type(chosen).model_fields)
    for name, value in analysis.options.reproducible.items():
        assert getattr(chosen, name) == value


def test_the_precision_is_fixed_and_the_user_goes_first():
    optvis = find_analysis("optvis")
    assert optvis.choose_options("standard", {}).precision == "auto"
    assert optvis.choose_options("quick", {}, reproducible=True).precision == "float32"
    asked = optvis.choose_options("full", {"precision": "auto"}, reproducible=True)
    assert asked.precision == "auto"


@pytest.mark.parametrize(("epoch", "wanted"), [("1700000000", "float32"), (None, "auto")])
def test_the_pipeline_is_where_the_environment_decides(monkeypatch, epoch, wanted):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    if epoch is not None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    chosen = choose_battery(build_config({}), reproducible=is_reproducible())
    chosen = {analysis.id: options for analysis, options in chosen}
    assert chosen["optvis"].precision == wanted
