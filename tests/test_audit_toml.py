"""A settings file that somebody else wrote holds data: no code runs, nothing outside is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reportgen.config import load_config
from reportgen.errors import ConfigurationError, InputError

CODE = {
    "preprocessing": ("evil:scale", "os:system", "pathlib:Path.home", "evil:a.b", ":x"),
    "architecture": ("evil:net", "os:system", "C:net.json", "evil:net.json"),
}
OUTSIDE = ("../x", "/etc/passwd", "a/../../x", "way/x", "way", "../audited-not/x", "loop/x")
PATHS = ("model", "images", "data", "labels", "classes", "history", "train", "out")


@pytest.fixture
def audited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a stranger, with links that lead out, and a trap in the working directory."""
    folder = tmp_path / "audited"
    folder.mkdir()
    (folder / "way").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    (folder / "inner").symlink_to("data")
    (folder / "data").mkdir()
    (tmp_path / "evil.py").write_text("open('evil ran', 'w')\n")
    monkeypatch.chdir(tmp_path)
    return folder


def write(folder: Path, *lines: str) -> None:
    (folder / "audit.toml").write_text("\n".join(["[audit]", *lines]))


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, values in CODE.items() for v in values])
def test_code_is_refused_with_what_to_type(audited: Path, key: str, value: str) -> None:
    write(audited, 'model = "m.keras"', f'{key} = "{value}"')
    with pytest.raises(ConfigurationError) as refused:
        load_config(audited, {})
    said = str(refused.value)
    assert "line 3" in said
    assert f"--{key} {value}" in said
    assert not Path("evil ran").exists()
    # What it says to type works: it is the user's word then.
    assert getattr(load_config(audited, {key: "typed:name"}), key) == "typed:name"


@pytest.mark.parametrize("key", ["allow_unsafe", "custom_objects"])
def test_what_opens_the_gate_is_refused(audited: Path, key: str) -> None:
    write(audited, f"{key} = true" if key == "allow_unsafe" else f'{key} = ["evil:Layer"]')
    with pytest.raises(ConfigurationError, match=f"--{key.replace('_', '-')}"):
        load_config(audited, {})


@pytest.mark.parametrize("value", OUTSIDE)
@pytest.mark.parametrize("key", PATHS)
def test_paths_lead_nowhere_but_below_the_folder(audited: Path, key: str, value: str) -> None:
    write(audited, f'{key} = "{value}"')
    with pytest.raises(
        ConfigurationError, match=rf"line 2: {key} leads out of the folder.*--{key}"
    ):
        load_config(audited, {})
    assert getattr(load_config(audited, {key: Path("typed")}), key) == Path("typed")


def test_paths_below_the_folder_are_relative_to_it(audited: Path) -> None:
    write(audited, 'model = "./m.keras"', 'images = "inner/cats"', 'architecture = "net.json"')
    config = load_config(audited, {})
    assert (config.model, config.images) == (audited / "m.keras", audited / "inner/cats")
    assert config.architecture == str(audited / "net.json")
    write(audited, 'architecture = "../net.json"')
    with pytest.raises(ConfigurationError, match="leads out"):
        load_config(audited, {})


@pytest.mark.parametrize(
    "line",
    ["time_limit = 1801", "memory_limit = 1e6", "max_samples = 20001", "max_size = 5.1"],
)
def test_a_limit_may_only_be_lowered(audited: Path, line: str) -> None:
    key, _, value = line.partition(" = ")
    write(audited, line)
    with pytest.raises(
        ConfigurationError, match=rf"{key} .*raises a limit.*--{key.replace('_', '-')} "
    ):
        load_config(audited, {})
    typed = float(value) if key != "max_samples" else int(value)
    assert getattr(load_config(audited, {key: typed}), key) == typed
    write(audited, f"{key} = 1")
    assert getattr(load_config(audited, {}), key) == 1


def test_a_settings_file_is_a_regular_file_of_its_folder(audited: Path, tmp_path: Path) -> None:
    file, secret = audited / "audit.toml", tmp_path / "secrets.toml"
    secret.write_text('password = "hush"')
    file.symlink_to(secret)
    with pytest.raises(ConfigurationError, match="link out of its folder"):
        load_config(audited, {})
    file.unlink()
    (audited / "real.toml").write_text('[audit]\nname = "x"\n')
    file.symlink_to("real.toml")
    assert load_config(audited, {}).name == "x"
    for goal in ("/dev/zero", "/dev/stdin"):
        file.unlink()
        file.symlink_to(goal)
        with pytest.raises((ConfigurationError, InputError)):
            load_config(audited, {})
    file.unlink()
    os.mkfifo(file)
    with pytest.raises((ConfigurationError, InputError)):
        load_config(audited, {})
