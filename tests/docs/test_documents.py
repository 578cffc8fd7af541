"""The documentation, run: every `downlink` command of it, what it says that comes out, its files, its Python.

A block ```console holds commands behind "$ " and, below each, lines of what it prints; "..." stands for anything, also
within a line. A command below which a line "downlink: ..." stands ends with exit status 1, any other with 0. A block
```toml title="FILE" is written before the commands that follow. What is not run is named in NOT_RUN.
"""

import doctest
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
import typer
from downlink_pipeline.cli import main as cli
from downlink_pipeline.system.software import to_install

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
MADE = {
    "topics.md",
    "reference/commands.md",
    "reference/mission-file.md",
    "reference/python.md",
    "reference/quality.md",
}
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
ELSEWHERE = {
    "dictionary.md": "tests/dictionary/test_documentation.py",
    "missions.md": "tests/supply/test_scaffold.py",
    "instruments/add-your-own.md": "tests/missions/zhurong/instruments/test_add_your_own.py",
}
WRITTEN = [name for name in PAGES if name not in MADE and name not in ELSEWHERE]
NOT_RUN = {
    "git": "the clone is here",
    "make": "is what runs this",
    "cd": "is part of those",
    "npm": "the examples have tests of their own",
    "mosquitto_sub": "never ends; the examples have tests of their own",
    "mosquitto_pub": "tests/passes has one of its own",
    "docker-compose": "tests/compose has one of its own",
    "pip": "what it installs is here",
    "curl": "tests/history/test_serve.py asks the same",
}
UNENDING = ("dashboard", "stage", "demo", "history serve")
"""Commands that serve until they are stopped; tests of their own run them."""
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def broker():
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([MOSQUITTO, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"mqtt://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder that looks like a clone, to work in."""
    for name in ("replay_data", "configs", "examples", "docs"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)  # a command is a process of its own, and sets these up for itself
    structlog.reset_defaults()


def run(command, broker, monkeypatch, capsys, status=0):
    """What a command prints on both streams; it must end with this exit status."""
    words = [word.replace("mqtt://localhost", broker) for word in shlex.split(command, comments=True)]
    monkeypatch.setattr(sys, "argv", ["downlink", *words[1:]])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert ended.value.code == status, f"{command}\n{told.err}"
    return told.out + told.err


@pytest.fixture(scope="module")
def run_once(broker, tmp_path_factory):
    """Run a command that stands on several pages the first time; later give what it printed and link what it made."""
    known = {}

    def run_or_link(command, monkeypatch, capsys, status):
        made = re.search(r"products replay_data/\S+ .*--out (\w+)$", command)
        if command not in known:
            told = run(command, broker, monkeypatch, capsys, status)
            if not made:
                return told
            known[command] = told, tmp_path_factory.mktemp("made") / "files"
            shutil.copytree(made[1], known[command][1], copy_function=os.link)
        else:
            shutil.copytree(known[command][1], made[1], copy_function=os.link)
        return known[command][0]

    return run_or_link


def looks_like(expected, told):
    """Whether what was printed is as the page says, white space apart."""
    wanted = " ".join(expected.split())
    pattern = ".*".join(re.escape(part.strip()) for part in wanted.split("..."))
    return re.search(pattern, " ".join(told.split()), re.DOTALL) is not None


def _spellings(command):
    """The command's name, and with the one below it."""
    words = command.split()
    return words[1], " ".join(words[1:3])


def commands_of(block):
    """(command, what it prints) for each of a console block; a command may go on behind a backslash."""
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command.strip(), expected


@pytest.mark.parametrize("page", [name for name in WRITTEN if "```" in (DOCS / name).read_text()])
def test_what_a_page_says_comes_true(page, place, run_once, monkeypatch, capsys, request):
    text = (DOCS / page).read_text()
    if text.startswith("<!-- needs: recordings -->"):
        (place / "recordings").mkdir()
        for path in request.getfixturevalue("real_data").rglob("*.*"):
            shutil.copy(path, place / "recordings")
    names: dict[str, object] = {}
    for kind, title, block in BLOCK.findall(text):
        if title:
            (place / title).parent.mkdir(exist_ok=True)
            (place / title).write_text(block)
        elif kind == "console":
            for command, expected in commands_of(block):
                word = command.split()[0].rsplit("/", 1)[-1]
                if word in NOT_RUN or (word == "downlink" and {*_spellings(command)} & {*UNENDING}):
                    continue
                assert word == "downlink", f"{page}: who runs {command!r}?"
                failed = re.search(r"^downlink: ", expected, re.MULTILINE) is not None
                told = run_once(command, monkeypatch, capsys, int(failed))
                assert looks_like(expected, told), f"{page}: {command}\nsays\n{expected}\nbut prints\n{told}"
        elif kind == "python":
            exec(compile(block, page, "exec"), names)
        elif kind == "pycon":
            test = doctest.DocTestParser().get_doctest(block, names, page, page, 0)
            assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False).failed == 0, (
                page
            )
            names |= test.globs


@pytest.mark.usefixtures("place")
def test_what_the_readme_does_in_python_comes_true():
    text = (REPOSITORY / "README.md").read_text()
    sessions = [block for kind, _, block in BLOCK.findall(text) if kind == "pycon"]
    assert sessions
    for block in sessions:
        test = doctest.DocTestParser().get_doctest(block, {}, "README.md", "README.md", 0)
        assert doctest.DocTestRunner().run(test).failed == 0


def test_pages_that_are_run_elsewhere_have_their_test():
    for page, test in ELSEWHERE.items():
        assert Path(page).name in (REPOSITORY / test).read_text()


def test_the_reading_of_a_page_can_fail():
    assert looks_like("4 frames lost...\n  done", "x 4 frames   lost\n and more\ndone")
    assert not looks_like("5 frames lost", "4 frames lost")
    assert not looks_like("first ... second", "second first")
    assert list(commands_of("$ a b \\\n  c\n1\n$ d\n")) == [("a b    c", "1\n"), ("d", "")]


@pytest.fixture(scope="module")
def reference():
    """docs/make_reference.py as a module."""
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_page_made_from_the_code_is_up_to_date(reference, name):
    assert (DOCS / name).read_text() == reference.PAGES[name](), "make docs"


def test_every_key_of_a_mission_file_is_explained(reference):
    assert "None |" not in reference.mission_file()


def test_the_site_builds_without_a_warning_and_asks_nobody_for_anything(tmp_path):
    program = Path(sys.executable).with_name("zensical")
    if not program.is_file():
        pytest.skip("zensical is not installed: pip install '.[docs]'")
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "mkdocs.yml", tmp_path)
    told = subprocess.run(
        [program, "build", "--strict"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"NO_COLOR": "1"}, timeout=120,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    for path in (tmp_path / "build/site").rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]*src=\"(https?:[^\"]*)|<link[^>]*href=\"(https?:[^\"]*)", path.read_text()
        )
        assert loaded == [], path.name


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r": ([\w/.-]+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {name for name in PAGES if not name.startswith("decisions/")} - listed == set()


def examples():
    """(words of the command, its example) of every command, by its help."""
    group = typer.main.get_command(cli.cli)
    found = {(name,): one for name, one in group.commands.items() if name != "stage"}
    found |= {("stage", name): one for name, one in group.commands["stage"].commands.items()}
    for words, one in found.items():
        yield words, one, re.findall(r"^Example: (.*)$", inspect.cleandoc(one.help), re.MULTILINE)


def test_every_command_has_an_example_that_it_understands():
    for words, one, told in examples():
        if words == ("demo",):
            continue
        (example,) = told
        typed = shlex.split(example)
        assert typed[: 1 + len(words)] == ["downlink", *words]
        one.make_context(words[-1], typed[1 + len(words) :])


WITH_FILES = (
    "check", "inspect", "packets", "decode", "products", "clock", "spice", "topics", "simulate", "certs", "replay",
)  # fmt: skip


@pytest.mark.parametrize("name", WITH_FILES)
def test_the_example_of_a_command_comes_true(name, place, broker, monkeypatch, capsys):
    (example,) = next(told for words, _, told in examples() if words == (name,))
    run(example, broker, monkeypatch, capsys)
    for word in re.findall(r"--(?:out|kernel) (\S+)", example):
        assert (place / word).exists()


def test_what_a_library_is_missing_for_is_told_with_a_command_that_installs_it():
    words = shlex.split(to_install("science"))
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    names = {re.match(r"[\w-]+", word)[0].lower() for word in words[4:]}
    assert {"netcdf4", "xarray", "zarr", "cdflib"} <= names
    assert "downlink-pipeline" not in names
