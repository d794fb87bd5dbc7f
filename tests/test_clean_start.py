"""Processes of ours start with the installation alone, whatever lies in the working directory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reportgen.output import writing
from reportgen.worker import search_path
from reportgen.worker.process import LocalWorker

ROOT = Path(__file__).resolve().parent.parent
COMMAND = str(Path(sys.executable).with_name("reportgen"))
# Importing it leaves a mark, and then behaves as if it were not there.
CANARY = """
import os
os.close(os.open({marks!r} + "/" + {name!r}, os.O_CREAT | os.O_WRONLY))
raise ImportError({name!r} + " of the working directory was imported")
"""
# What Python and libraries look for by themselves at start, or try in case it is installed.
OPTIONAL = """
    sitecustomize usercustomize readline rlcompleter cupy pandas torch jax tensorrt dask numba
    tensorflow_plugins horovod portpicker pyarrow IPython pygments matplotlibrc colorama
"""


def list_modules() -> bytes:
    import keras  # noqa: F401  what the worker imports for an audit
    import sklearn  # noqa: F401

    import reportgen.subject.subject  # noqa: F401

    return json.dumps(sorted({name.partition(".")[0] for name in sys.modules})).encode()


def tell_path() -> bytes:
    return json.dumps([sys.path, dict(os.environ), sys.flags.isolated]).encode()


@pytest.fixture(scope="module")
def imported() -> list[str]:
    """Top-level names of every module that a worker imports for an audit."""
    with LocalWorker(device="cpu", folders=(str(Path(__file__).parent),)) as worker:
        names = json.loads(worker.submit(list_modules).result())
    assert {"json", "os", "numpy", "keras", "reportgen"} <= set(names)
    return [name for name in names if name.isidentifier() and name != "__main__"]


@pytest.fixture
def trap(tmp_path: Path, imported: list[str]) -> tuple[Path, Path]:
    """A folder with a module of each of these names, and the folder of their marks."""
    folder, marks = tmp_path / "trap", tmp_path / "marks"
    folder.mkdir()
    marks.mkdir()
    for name in {*imported, *OPTIONAL.split()}:
        code = CANARY.format(marks=str(marks), name=name)
        (folder / f"{name}.py").write_text(code)
    os.mkfifo(folder / "matplotlibrc")  # reading it would never end
    (folder / "setup.pth").write_text(
        f"import pathlib; pathlib.Path({str(marks)!r}, 'pth').touch()"
    )
    return folder, marks


def run(*words: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def sprung(marks: Path) -> list[str]:
    return sorted(path.name for path in marks.iterdir())


def test_the_trap_is_one(trap: tuple[Path, Path]) -> None:
    folder, marks = trap
    subprocess.run([sys.executable, "-c", "import json"], cwd=folder, capture_output=True)
    assert "json" in sprung(marks)


def test_no_module_of_the_working_directory_runs(trap: tuple[Path, Path], samples: Path) -> None:
    folder, marks = trap
    done = run("inspect", samples / "digits/model.keras", cwd=folder)
    assert (done.returncode, sprung(marks)) == (0, [])
    out = folder.parent / "report"
    words = ("--preset", "quick", "--only", "weights", "--format", "html,pdf", "--out", out)
    done = run("audit", samples / "digits", *words, cwd=folder)
    assert (done.returncode, sprung(marks)) == (0, []), done.stderr
    for words in (("render", out), ("verify", out), ("checks",), ("options",)):
        done = run(*words, cwd=folder)
        assert (done.returncode, sprung(marks)) == (0, []), done.stderr


@pytest.mark.parametrize("name", ["PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONHOME", "PYTHONPATH"])
def test_no_variable_of_python_reaches_the_worker(
    trap: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder, marks = trap
    monkeypatch.setenv(name, str(folder))
    monkeypatch.chdir(folder)
    with LocalWorker(device="cpu", folders=(str(Path(__file__).parent),)) as worker:
        path, environment, isolated = json.loads(worker.submit(tell_path).result())
    assert (isolated, sprung(marks)) == (1, [])
    assert not [key for key in environment if key.startswith("PYTHON")]
    assert not {"", ".", str(folder)} & set(path)


def test_a_site_directory_of_the_user_does_not_run(
    trap: tuple[Path, Path], tmp_path: Path, samples: Path
) -> None:
    folder, marks = trap
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "base/lib" / version / "site-packages"
    site.parent.mkdir(parents=True)
    folder.rename(site)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONUSERBASE", str(tmp_path / "base"))
        patch.setattr(sys, "path", [*sys.path, str(site)])
        with LocalWorker(device="cpu") as worker:
            from reportgen.worker.jobs import inspect_job

            worker.submit(inspect_job, samples / "digits/model.keras", ()).result()
    assert sprung(marks) == []


def test_packages_of_another_place_are_found_and_come_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere, working, script = (tmp_path / name for name in ("elsewhere", "working", "script"))
    for folder in (elsewhere, working, script):
        (folder / "numpy-2.0.0.dist-info").mkdir(parents=True)
    monkeypatch.chdir(working)
    added = ["", str(script), str(working), "relative", str(elsewhere), str(tmp_path / "gone")]
    monkeypatch.setattr(sys, "path", [str(script), *added, *sys.path])
    found = search_path.installation_folders()
    assert found[0] == str(elsewhere)
    assert not {"", str(script), str(working), "relative"} & set(found)
    with LocalWorker(device="cpu", folders=(str(Path(__file__).parent),)) as worker:
        path = json.loads(worker.submit(tell_path).result())[0]
    assert path.index(str(elsewhere)) > path.index(str(Path(json.__file__).parent.parent))


def test_code_that_was_asked_for_is_found_beside_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_scaling.py").write_text("from my_help import half\n")
    (tmp_path / "my_help.py").write_text("def half(x):\n    return x / 2\n")
    monkeypatch.chdir(tmp_path)
    with LocalWorker(device="cpu", folders=(str(Path(__file__).parent),)) as worker:
        assert worker.submit(scale_by, "my_scaling:half").result() == b"2.0"


def scale_by(address: str) -> bytes:
    from reportgen.subject.user_code import load_named

    before = sys.path[:]
    function = load_named(address, "preprocessing")
    assert sys.path[: len(before)] == before  # what is added stands behind
    return str(function(4)).encode()


def test_an_orphaned_worker_ends(tmp_path: Path) -> None:
    """A parent that is killed leaves no process that computes on."""
    code = (
        "import os, signal, sys, time\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "import test_clean_start as here\n"
        f"worker = here.LocalWorker(device='cpu', folders=({str(Path(__file__).parent)!r},))\n"
        "print(worker.submit(here.tell_pid).result().decode(), flush=True)\n"
        "worker.submit(time.sleep, 60)\n"
        "time.sleep(0.5)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    for _ in range(100):
        state = Path(f"/proc/{pid}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        __import__("time").sleep(0.1)
    pytest.fail("the worker lives on")


def tell_pid() -> bytes:
    return str(os.getpid()).encode()


def test_git_runs_nothing_that_the_folder_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest tells the revision of the working directory, which may be a stranger's."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    script.chmod(0o755)
    folder = tmp_path / "folder"
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    subprocess.run([git, "init", "-q", folder], check=True)
    commit = (git, *who, "-C", folder, "commit", "-q", "--allow-empty", "-m", "x")
    subprocess.run(commit, check=True)
    hooks = folder / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        shutil.copy(script, hooks / name)
    with (folder / ".git/config").open("a") as config:
        config.write(
            f"[core]\n fsmonitor = {script}\n pager = {script}\n sshCommand = {script}\n"
            f" editor = {script}\n[alias]\n rev-parse = !{script}\n[pager]\n rev-parse = {script}\n"
        )
    monkeypatch.chdir(folder)
    assert writing._git_revision() is not None
    assert not (tmp_path / "ran").exists()
