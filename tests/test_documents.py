"""What is made from the code says what the code says."""

import json
import re
import runpy
from collections import Counter
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from reportgen.api import audit
from reportgen.battery import BATTERY, all_checks, find_check
from reportgen.catalogue import list_checks, list_options, settings_schema
from reportgen.config import USUAL_PREPROCESSING, AuditConfig, Interpolation
from reportgen.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]
WRITER = runpy.run_path(str(ROOT / "scripts/write_docs.py"))
MADE = WRITER["documents"]()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_documents_are_as_the_code_makes_them(path):
    assert path.read_text("utf-8") == MADE[path], "run scripts/docs"


@pytest.mark.parametrize("id_", list(all_checks()))
def test_a_check_says_all_of_itself(id_):
    analysis, check = find_check(id_)
    for words in (check.meaning, check.advice):
        assert words[0].isupper()
        assert words.endswith(".")
    assert check.unit
    assert check.title
    assert set(check.levels) <= {"note", "warn", "fail"}
    assert check.bar is None or check.bar in analysis.options.model_fields
    assert f"### {id_}\n" in MADE[ROOT / "docs/checks.md"]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((2, 1, 0, 15), "fires on 3 of 15 that it judged (note 2, warn 1)."),
        ((0, 0, 1, 4), "fires on 1 of 4 that it judged (fail 1)."),
        ((0, 0, 0, 15), "never fired on the 15 that it judged."),
        ((0, 0, 0, 0), "none of them has what it needs."),
    ],
)
def test_how_often_a_check_fires_on_sound_models(counts, said):
    named = dict(zip(("note", "warn", "fail", "judged"), counts, strict=True))
    assert WRITER["say_how_often"](named) == said
    assert WRITER["say_how_often"](None) == "not measured."


def test_what_fired_on_sound_models_is_what_was_counted():
    measured = json.loads((ROOT / "docs/sound-models.json").read_text("utf-8"))
    assert len(measured["fired"]) == measured["models"]
    for id_, counts in measured["checked"].items():
        fired = Counter(found[id_] for found in measured["fired"].values() if id_ in found)
        assert fired == Counter({level: counts[level] for level in ("note", "warn", "fail")})
        assert fired.total() <= counts["judged"] <= measured["models"]


def test_a_bar_is_described_as_the_bar_of_its_check():
    for analysis in BATTERY:
        for check in analysis.checks:
            if check.bar:
                assert f"`{check.id}`" in analysis.options.model_fields[check.bar].description


def test_wrong_names_are_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"Did you mean 'weights\.dead_filters'\?"):
        list_checks("weights.ded_filters")
    with pytest.raises(ConfigurationError, match="Did you mean 'feature_maps'"):
        list_options("featuremaps")


def test_the_schema_of_settings_knows_every_option_and_refuses_others():
    schema = settings_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == {"audit", *(analysis.id for analysis in BATTERY)}
    assert set(schema["properties"]["audit"]["properties"]) >= set(AuditConfig.model_fields) - {
        "options"
    }
    assert "part" not in schema["properties"]["loss_landscape"]["properties"]
    validator = jsonschema.Draft202012Validator(settings_schema("predictions"))
    assert validator.is_valid({"min_accuracy": 0.9})
    assert not validator.is_valid({"min_acuracy": 0.9})
    assert not validator.is_valid({"min_accuracy": 2})


def test_the_schema_of_a_report_explains_the_ids_and_takes_new_ones():
    schema = json.loads(MADE[ROOT / "docs/report.schema.json"])
    ids = {"$defs": schema["$defs"], **schema["$defs"]["Finding"]["properties"]["id"]}
    validator = jsonschema.Draft202012Validator(ids)
    assert validator.is_valid("weights.dead_filters")
    assert validator.is_valid("later.check")
    assert not validator.is_valid("No check")
    assert {one["const"] for one in ids["anyOf"] if "const" in one} == set(all_checks())


@pytest.mark.parametrize("name", [*USUAL_PREPROCESSING, "unit-bgr", "unit-twice"])
def test_each_scaling_is_named_where_a_user_looks(name):
    assert f"`{name}`" in (ROOT / "README.md").read_text("utf-8")
    assert f"``{name}``" in audit.__doc__


def test_each_rule_of_resizing_is_named_with_its_option():
    (row,) = (line for line in MADE[ROOT / "docs/options.md"].splitlines() if "| `interpol" in line)
    assert set(get_args(Interpolation)) <= set(re.findall(r"[\w-]+", row))
