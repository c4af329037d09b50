"""The scripts of tools/: they must notice what they are there for."""

import hashlib
import importlib.util
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


def tool(name: str):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "code",
    [
        "Task." + "detached { }",
        "let x = try" + "! f()",
        "let x = y as" + "! String",
        "// TO" + "DO: later",
        "func f() {\n" + "    g()\n" * 70 + "}",
        "init<T>(_ a: T,\n    b: Int\n) where T: P {\n" + "    g()\n" * 70 + "}",
        "g()\n" * 401,
    ],
)
def test_tidy_finds_the_breach(code):
    assert tool("tidy").swift_breaches("a.swift", code)


@pytest.mark.parametrize(
    "code",
    [
        "// no try" + "! here",
        'let x = "try' + '! \\(f("}")) {"',
        'let x = #"\\"# // {',
        'let x = """\n    { try' + '! "\n    """',
        "protocol P {\n    func f()\n    init()\n}\n" + "g()\n" * 300,
        "func f() {\n" + "    g()\n" * 68 + "}",
    ],
)
def test_tidy_leaves_the_rest_alone(code):
    assert tool("tidy").swift_breaches("a.swift", code) == []


def test_changed_browser_library_is_refused(tmp_path):
    vendor = tool("fetch_vendor")
    package = tmp_path / "package"
    package.mkdir()
    (package / "a.js").write_text("changed")
    vendor.FETCHERS = {"deb": lambda *_: package}
    entry = vendor.Entry("deb", "libjs-a", hashlib.sha256(b"as it was").hexdigest(), "a.js", "a.js")
    with pytest.raises(SystemExit, match="has changed"):
        vendor.collect([entry], tmp_path, tmp_path / "vendor")
    entry = entry._replace(sha256=hashlib.sha256(b"changed").hexdigest())
    vendor.collect([entry], tmp_path, tmp_path / "vendor")
    assert (tmp_path / "vendor" / "a.js").read_text() == "changed"


def test_second_set_up_does_nothing():
    result = subprocess.run([TOOLS / "setup", "test"], capture_output=True, text=True, check=True, timeout=10)
    assert result.stdout == ""
