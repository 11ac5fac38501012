"""Runs h5py's own tests with hyperslab in h5py's place, and compares with what is known to fail.

    python conformance/h5py_suite.py              the whole suite
    python conformance/h5py_suite.py test_vds     what matches; the list of known failures counts for that part only
    python conformance/h5py_suite.py --update     writes the list anew, keeping the reasons it has

The tests are taken from the installed h5py and not changed. `h5py_known.txt` has a line for each test that fails: its name,
a tab, and the reason. A test that fails without a line is an error, and so is a line whose test passes.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

KNOWN = Path(__file__).with_name("h5py_known.txt")

# What stands in the place of the package h5py: its modules are hyperslab's, its tests are h5py's.
ALIAS = '''
import hyperslab

_tests = __path__[0]
hyperslab.install_as_h5py()
hyperslab.__path__.append(_tests)
'''


def installed_tests():
    """Where the installed h5py keeps its tests."""
    spec = importlib.util.find_spec("h5py")
    if spec is None or spec.origin is None:
        sys.exit("not run: h5py suite: h5py is not installed")
    return Path(spec.origin).parent / "tests"


def run(tests, chosen, jobs_xml, folder, timeout):
    """Runs pytest where h5py is an alias."""
    package = folder / "h5py"
    package.mkdir()
    (package / "__init__.py").write_text(ALIAS)
    shutil.copytree(tests, package / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    # Test runs of their own, which some tests start, are aliased by the path as well.
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "pytest", "-q", "--no-network", "-p", "no:cacheprovider", "--continue-on-collection-errors", f"--junitxml={jobs_xml}"]
    command += ["-o", "junit_family=xunit1", "--tb=short", "-k", "not TestMPI and not test_ros3"]
    found = sorted((package / "tests").rglob("test_*.py"))
    files = [str(path) for path in found if not chosen or any(word in str(path) for word in chosen)]
    with open(folder / "output.txt", "w") as output:
        try:
            subprocess.run(command + files, env=environment, cwd=folder, stdout=output, stderr=output, timeout=timeout)
        except subprocess.TimeoutExpired:
            sys.exit(f"the suite did not end within {timeout} s")
    return folder / "output.txt"


def outcomes(path):
    """Names of tests that passed and of those that failed, and how many were left out."""
    passed, failed, skipped = set(), {}, 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('h5py.tests.')}.{case.get('name')}"
        wrong = case.find("failure") if case.find("failure") is not None else case.find("error")
        if wrong is not None:
            failed[name] = (wrong.get("message") or "").split("\n")[0]
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed.add(name)
    return passed - set(failed), failed, skipped


def known():
    """The reasons of the tests that are known to fail."""
    lines = KNOWN.read_text().splitlines() if KNOWN.exists() else []
    pairs = (line.split("\t", 1) for line in lines if line and not line.startswith("#"))
    return {name: reason for name, reason in pairs}


def update(failed):
    """Writes the list anew."""
    reasons = known()
    lines = [f"{name}\t{reasons.get(name, 'TODO: ' + failed[name][:120])}" for name in sorted(failed)]
    head = "# Tests of h5py 3.16 that fail with hyperslab in its place: name, tab, reason.\n"
    KNOWN.write_text(head + "".join(line + "\n" for line in lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("chosen", nargs="*", help="parts of names of test files")
    parser.add_argument("--update", action="store_true", help="write the list of known failures anew")
    parser.add_argument("--timeout", type=float, default=900)
    parser.add_argument("--keep", type=Path, help="keep pytest's output here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="h5py_suite_") as folder:
        folder = Path(folder)
        output = run(installed_tests(), args.chosen, folder / "results.xml", folder, args.timeout)
        if args.keep:
            shutil.copy(output, args.keep)
        if not (folder / "results.xml").exists():
            print(output.read_text()[-4000:])
            return 1
        passed, failed, skipped = outcomes(folder / "results.xml")
    if args.update:
        update(failed)
    expected = known()
    unexpected = sorted(set(failed) - set(expected))
    mended = sorted(set(expected) & passed)
    for name in unexpected:
        print(f"fails, and is not known to: {name}: {failed[name][:160]}")
    for name in mended:
        print(f"passes, and is still in {KNOWN.name}: {name}")
    total = len(passed) + len(failed)
    share = 100 * len(passed) / max(total, 1)
    print(f"{len(passed)} of {total} pass ({share:.1f} %), {skipped} left out, {len(failed)} fail, {len(expected)} of them known")
    return 1 if unexpected or mended else 0


if __name__ == "__main__":
    sys.exit(main())
