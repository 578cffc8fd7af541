"""What the image and CI install is known beforehand: versions with hashes, images by digest, no plugin at a start."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
NEEDS = PROJECT["optional-dependencies"] | PYPROJECT["dependency-groups"]
IMAGE, CI = ("services", "dashboard"), (*PROJECT["optional-dependencies"], "test", "check", "docs")
HISTORY = ("services", "history")
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def wanted(names):
    """Requirements of the project with these extras and dependency groups."""
    return [
        Requirement(text) for text in (*PROJECT["dependencies"], *(need for name in names for need in NEEDS[name]))
    ]


def locked(name):
    """Versions by package, and the entries without a hash."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    versions = {}
    for entry in entries:
        package, version = re.match(r"([\w.\-]+)==([^\s;]+)", entry).groups()
        versions.setdefault(canonicalize_name(package), []).append(version)
    return versions, [entry for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}", entry)]


@pytest.mark.parametrize(
    ("name", "names"),
    [("requirements.lock", IMAGE), ("requirements-history.lock", HISTORY), ("requirements-dev.lock", CI)],
)
def test_a_lock_holds_what_the_project_asks_for(name, names):
    """Where this fails, pyproject.toml was changed: run `make lock`."""
    versions, _ = locked(name)
    for requirement in wanted(names):
        found = versions.get(canonicalize_name(requirement.name), [])
        assert any(requirement.specifier.contains(version) for version in found), f"{requirement} is not in {name}"


@pytest.mark.parametrize(
    "name", ["requirements.lock", "requirements-history.lock", "requirements-dev.lock", "build.lock"]
)
def test_every_entry_of_a_lock_has_hashes_and_no_place_is_named(name):
    assert locked(name)[0]
    assert locked(name)[1] == []
    assert "://" not in (ROOT / name).read_text()


def test_every_dependency_has_an_upper_bound():
    everything = wanted(NEEDS)
    assert [
        str(one) for one in everything if not {"<", "<=", "==", "~="} & {s.operator for s in one.specifier}
    ] == []


def test_the_image_installs_nothing_without_a_hash():
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    for command in re.findall(r"pip install[^&\n]*", text):
        assert "--require-hashes" in command or "--no-deps /tmp/wheel/" in command


def test_every_image_is_known_by_its_digest():
    """Those of the stand-in engine of the tests have tags by default, and digests in docker/images.env."""
    pinned = dict(
        line.split("=", 1) for line in (ROOT / "docker" / "images.env").read_text().splitlines() if line[0] != "#"
    )
    compose = (ROOT / "docker-compose.yml").read_text()
    variables = re.findall(r"\$\{(DOWNLINK_\w+_IMAGE):-([^}]+)\}", compose)
    assert {name for name, _ in variables} == set(pinned)
    for name, default in variables:
        assert DIGEST.search(pinned[name])
        assert pinned[name].split("@")[0] == default.split("@")[0]
    assert ":latest" not in compose


def test_grafana_has_no_password_that_everyone_knows_and_fetches_nothing_at_its_start():
    compose = (ROOT / "docker-compose.yml").read_text()
    grafana = compose.split("  grafana:\n")[1].split("\nnetworks:")[0]
    assert 'GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: "true"' in grafana
    assert 'GF_PLUGINS_PREINSTALL_DISABLED: "true"' in grafana
    assert "PASSWORD" not in grafana
    assert "GF_INSTALL_PLUGINS" not in grafana
