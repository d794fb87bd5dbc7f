"""Every option says what it does, in one form, and every preset is made of options."""

import re

import pytest

from reportgen.battery import BATTERY, all_checks
from reportgen.config import AuditConfig

MODELS = {analysis.id: analysis.options for analysis in BATTERY} | {"audit": AuditConfig}
CHECKS = set(all_checks())
FIELDS = [(id_, name) for id_, model in MODELS.items() for name in model.model_fields]
PRESETS = [(analysis.id, preset) for analysis in BATTERY for preset in analysis.options.presets]


@pytest.mark.parametrize(("id_", "name"), FIELDS)
def test_every_option_is_described(id_, name):
    said = MODELS[id_].model_fields[name].description
    assert said, f"{id_}.{name} has no description"
    assert said[0].isupper()
    assert said.endswith(".")
    assert said == " ".join(said.split())
    assert len(said) <= 300


@pytest.mark.parametrize(("id_", "name"), FIELDS)
def test_what_a_description_names_is_there(id_, name):
    named = re.findall(r"`(.+?)`", MODELS[id_].model_fields[name].description)
    assert set(named) <= CHECKS | set(MODELS[id_].model_fields) - {name}


@pytest.mark.parametrize(("id_", "preset"), PRESETS)
def test_presets_name_known_options_and_validate(id_, preset):
    options = MODELS[id_]
    values = options.presets[preset]
    assert set(values) <= set(options.model_fields)
    assert options(**values).model_dump(include=set(values)) == dict(values)


def test_settings_that_only_the_program_makes_are_marked():
    marked = {
        f"{id_}.{name}"
        for id_, name in FIELDS
        if (MODELS[id_].model_fields[name].json_schema_extra or {}).get("internal")
    }
    assert marked == {"loss_landscape.part"}
