"""Settings: command line over audit.toml over preset; a mistake is named by key and line."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from reportgen.battery import BATTERY, choose_battery, find_analysis
from reportgen.config import AuditConfig, build_config, explain, load_config
from reportgen.errors import ConfigurationError, ExitCode, InputError
from reportgen.formats import FORMATS, formats_of

FORMAT_NAMES = ", ".join(one.name for one in FORMATS)


def load(tmp_path, text, **given):
    (tmp_path / "audit.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    config = load_config(tmp_path, given)
    choose_battery(config)
    formats_of(config)
    return config


def refused(tmp_path, text, **given):
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text, **given)
    assert caught.value.exit_code == ExitCode.USAGE == 2
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_the_command_line_wins_over_the_file_wins_over_the_default(tmp_path):
    text = '[audit]\nseed = 1\nsplit = "train"\npreset = "full"\n'
    got = load(tmp_path, text, seed=2)
    assert (got.seed, got.split, got.preset) == (2, "train", "full")
    assert got.device == "auto"
    assert load(tmp_path, text).seed == 1
    assert load(tmp_path, text, preset="quick").preset == "quick"


@pytest.mark.parametrize(
    ("text", "given", "limit"),
    [
        ("", {}, 2000),
        ("", {"preset": "quick"}, 500),
        ('preset = "full"', {}, 20_000),
        ("max_samples = 7", {"preset": "quick"}, 7),
        ("max_samples = 7", {"max_samples": 8}, 8),
    ],
)
def test_the_preset_gives_way_to_both(tmp_path, text, given, limit):
    assert load(tmp_path, f"[audit]\n{text}", **given).sample_limit == limit


def test_options_of_an_analysis_are_merged_one_by_one(tmp_path):
    text = "[inputs]\nmax_flips = 0.5\nmax_duplicate_share = 0.5\n"
    got = load(tmp_path, text, options={"inputs": {"max_flips": 0.125}})
    options = find_analysis("inputs").choose_options("quick", got.options["inputs"])
    assert (options.max_flips, options.max_duplicate_share) == (0.125, 0.5)


def test_paths_are_relative_to_the_file(tmp_path):
    got = load(tmp_path, '[audit]\nmodel = "m.keras"\nimages = "pictures/"\nclasses = ["a", "b"]\n')
    assert got.model == tmp_path / "m.keras"
    assert got.images == tmp_path / "pictures"
    assert got.classes == ("a", "b")


def test_a_model_file_needs_no_audit_toml(tmp_path):
    model = tmp_path / "m.keras"
    model.touch()
    assert load_config(model, {}) == AuditConfig(model=model)
    with pytest.raises(InputError, match="does not exist"):
        load_config(tmp_path / "none.keras", {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[audit]\n\nmodle = 'm'\n",
            "audit.toml, line 3: unknown key modle. Did you mean 'model'? Known: ",
        ),
        ("[audit]\nseed = 'one'\n", "line 2: seed: a whole number is needed, got 'one'."),
        ("[audit]\nseed = -1\n", "line 2: seed: must be at least 0, got -1."),
        ("[audit]\nonly = 3\n", "line 2: only: a list is needed, got 3."),
        ("[audit]\npreset = 'fast'\n", "line 2: preset: one of quick, standard, full is needed"),
        ("[audit]\nmax_size = nan\n", "line 2: max_size: a finite number is needed, got nan."),
        ("[audit]\ntime_limit = inf\n", "line 2: time_limit: a finite number is needed"),
        ("[audit]\nmodel = 3\n", "line 2: model: a path is needed, got 3."),
        (
            "[audit]\nformats = ['docx']\n",
            f"line 2: formats: there is no format 'docx'. Known: {FORMAT_NAMES}.",
        ),
        ("[audit]\nformats = ['hmtl']\n", "no format 'hmtl'. Did you mean 'html'?"),
        ("[audit]\noptions = {}\n", "line 2: unknown key 'options'"),
        ("[overview]\nmax_skipped_share = nan\n", "line 2: overview.max_skipped_share: a finite n"),
        (
            "[overview]\nmax_skipped_share = 2\n",
            "line 2: overview.max_skipped_share: must be at most 1",
        ),
        ("[overview]\nmax_skipped_share = 'x'\n", "line 2: overview.max_skipped_share: a number"),
        (
            "[overview]\nmax_skiped = 1\n",
            "line 2: unknown key overview.max_skiped. Did you mean 'max_",
        ),
        ("seed = 1\n", "line 1: 'seed' is not a table. Settings stand under [audit]"),
        ("[audit]\n[overveiw]\n", "line 2: unknown table 'overveiw'. Did you mean 'overview'?"),
        ("audit = 3\n", "line 1: 'audit' is not a table"),
        ("[[audit]]\nseed = 1\n", "line 1: 'audit' is not a table"),
        ("[audit]\nseed = \n", "is not valid TOML: Invalid value (at line 2, column 8)"),
        ("[audit]\nseed = 1\nseed = 2\n", "is not valid TOML: Cannot overwrite a value (at line 3"),
        ("audit:\n  seed: 1\n", "is not valid TOML: Expected '=' after a key"),
        (b"[audit]\nmodel = '\xff'\n", "is not valid TOML: 'utf-8' codec can't decode"),
        (b"[audit]\nseed = 1\0\n", "is not valid TOML"),
        ("x = " + "[" * 5000, "is not valid TOML"),
    ],
)
def test_mistakes_in_the_file(tmp_path, text, said):
    assert said in refused(tmp_path, text)


def test_the_line_is_that_of_the_right_table(tmp_path):
    text = "[overview]\n# seed = 0\n[predictions]\nseed = 1\n[audit]\nquiet = true\nseed = 'x'\n"
    text = text.replace("seed = 1\n", "")
    assert "line 6: seed" in refused(tmp_path, text)


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file(tmp_path):
    said = refused(tmp_path, "[audit]\nseed = 1\n", seed=-2)
    assert said == "seed: must be at least 0, got -2."


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "fast"}, "preset: one of quick, standard, full is needed, got 'fast'."),
        (
            {"preset": "standart"},
            "preset: one of quick, standard, full is needed, got 'standart'. "
            "Did you mean 'standard'?",
        ),
        ({"seed": "x"}, "seed: a whole number is needed, got 'x'."),
        ({"seed": 1.5}, "seed: a whole number is needed, got 1.5."),
        ({"max_samples": 0}, "max_samples: must be at least 1, got 0."),
        ({"memory_limit": 0}, "memory_limit: must be more than 0, got 0."),
        ({"time_limit": "soon"}, "time_limit: a number is needed, got 'soon'."),
        ({"time_limit": float("inf")}, "time_limit: a finite number is needed, got inf."),
        ({"images": 3}, "images: a path is needed, got 3."),
        ({"classes": 3}, "classes: a path or a list is needed, got 3."),
        ({"classes": ["cat", 1]}, "classes: text is needed, got 1."),
        ({"only": 3}, "only: a list is needed, got 3."),
        ({"input_size": 224}, "input_size: must look like 224x224 (height x width), got 224."),
        ({"input_size": (0, 8)}, "input_size: each side must be between 1 and 8192, got (0, 8)."),
        ({"sha256": "abc"}, "sha256: 64 hexadecimal digits are needed, got 'abc'."),
        ({"allow_unsafe": "maybe"}, "allow_unsafe: true or false is needed, got 'maybe'."),
        (
            {"name": "n" * 300},
            f"name: must have at most 200 characters, got '{'n' * 56}....",
        ),
        (
            {"options": {"min_accuracy": 0.9}},
            "options.min_accuracy: a table is needed, got 0.9. Each analysis has a table of its "
            "own, for example options={'predictions': {'min_accuracy': 0.9}}.",
        ),
    ],
)
def test_values_are_refused_in_words_of_the_option(given, said):
    with pytest.raises(ConfigurationError) as caught:
        build_config(given)
    assert str(caught.value) == said


WRONG = (object(), "§", -1e9, 1e300, [], {"a": 1}, None, float("nan"), [1, [2]], True, b"\xff")
LIBRARY = r"Input|Field required|Value error|should|pydantic|<class|this is not what is needed"


def test_no_setting_of_any_analysis_is_refused_in_words_of_the_library():
    fields = [("audit", AuditConfig, name) for name in AuditConfig.model_fields]
    for analysis in BATTERY:
        fields += [(analysis.id, analysis.options, name) for name in analysis.options.model_fields]
    refusals = 0
    for table, model, name in fields:
        for value in WRONG:
            try:
                model(**{name: value})
            except ValidationError as error:
                said = explain(error, table, model)
                assert said.startswith(name if table == "audit" else f"{table}.{name}"), said
                assert said.endswith((".", "?")), said
                assert not re.search(LIBRARY, said.replace(repr(value), "")), said
                refusals += 1
    assert refusals > 5 * len(fields)


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError) as caught:
        build_config({"presett": "quick"})
    said = str(caught.value)
    assert said.startswith("unknown key presett. Did you mean 'preset'? Known: model, name, ")
    assert "formats_named" not in said


@pytest.mark.parametrize("key", ["only", "skip", "formats", "label_column"])
def test_lists_of_names_may_be_written_as_one_text(key):
    names = ("html", "json") if key == "formats" else ("overview", "weights")
    for given in (", ".join(names), f"{names[0]},{names[1]},", list(names), names):
        assert getattr(build_config({key: given}), key) == names
    assert getattr(build_config({key: names[0]}), key) == names[:1]


def test_a_file_of_many_megabytes_is_not_parsed(tmp_path):
    (tmp_path / "audit.toml").write_text("#" * (2**20 + 1))
    with pytest.raises(InputError, match="it is larger than 1 MiB"):
        load_config(tmp_path, {})


def test_columns_without_a_table_are_refused_wherever_they_stand(tmp_path):
    model = tmp_path / "m.keras"
    model.touch()
    with pytest.raises(ConfigurationError, match=r"^label_column: .* Give the table with --labels"):
        load_config(model, {"label_column": "digit", "images": tmp_path})
    said = refused(tmp_path, "[audit]\nseed = 1\nlabel_column = ['digit']\n")
    assert said.startswith("audit.toml, line 3: label_column: names a column of a table")
    assert refused(tmp_path, "[audit]\n", label_column="digit").startswith("label_column: ")


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("label_column = 'digit'", {"labels": "t.csv"}),
        ("labels = 't.csv'", {"label_column": "digit"}),
    ],
)
def test_a_column_may_be_typed_and_its_table_stand_in_the_file(tmp_path, text, given):
    got = load(tmp_path, f"[audit]\n{text}\n", **given)
    assert (got.label_column, got.labels.name) == (("digit",), "t.csv")


def test_a_column_goes_with_its_table_where_arrays_take_its_place(tmp_path):
    got = load(tmp_path, "[audit]\nlabels = 't.csv'\nlabel_column = 'digit'\n", data="x.npz")
    assert (got.data.name, got.labels, got.label_column) == ("x.npz", None, ())


@pytest.mark.parametrize("options", [{"overview": 3}, {"overview": None}])
def test_options_that_are_no_dictionary(tmp_path, options):
    said = refused(tmp_path, "[overview]\nmax_skipped_share = 1\n", options=options)
    assert "options: overview needs a dictionary" in said


@pytest.mark.parametrize(
    ("text", "size"),
    [("224x160", (224, 160)), ("8X8", (8, 8)), ("8192x1", (8192, 1)), ((3, 4), (3, 4))],
)
def test_input_sizes(text, size):
    assert build_config({"input_size": text}).input_size == size


@pytest.mark.parametrize(
    "text", ["224", "224x", "x224", "224*224", "-1x5", "1x2x3", " 8x8", "8x8.0", "", (8,), 224]
)
def test_input_sizes_that_cannot_be_read(text):
    with pytest.raises(ConfigurationError, match="input_size: "):
        build_config({"input_size": text})


@pytest.mark.parametrize("text", ["0x8", "8x8193", "99999x1"])
def test_input_sizes_out_of_range(text):
    with pytest.raises(ConfigurationError, match="between 1 and 8192"):
        build_config({"input_size": text})


def test_a_path_that_is_not_utf8_does_not_stop_the_record(tmp_path):
    config = AuditConfig(model=tmp_path / "\udcff.keras")
    assert "\\\\xff.keras" in config.model_dump_json()
    assert AuditConfig.model_validate_json(AuditConfig().model_dump_json()) == AuditConfig()


def test_classes_may_be_typed_as_a_list(tmp_path, monkeypatch):
    assert build_config({"model": "m", "classes": "ant, bee,cat"}).classes == ("ant", "bee", "cat")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ant,bee").write_text("ant\nbee\n")
    assert build_config({"model": "m", "classes": "ant,bee"}).classes == Path("ant,bee")
