"""Runs h5py's examples with h5py and with hyperslab in its place, and compares what they print and the files they make.

    python conformance/examples.py FOLDER

FOLDER is `examples` of h5py's source distribution, which its wheels lack; nothing is fetched. Examples are run as they are, but
for what keeps them from running at all: `dual_pco_edge.py` indexes a fourth axis its data cannot have, the Mandelbrot set is made
smaller, and of the one with windows only the thread that computes is run.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import hyperslab
import numpy as np

from h5py_suite import ALIAS

WINDOW = "import sys, types; sys.modules.update({n: types.ModuleType(n) for n in ('tkinter', 'matplotlib')}); "
WINDOW += "b = types.ModuleType('b'); b.FigureCanvasTkAgg = b.Figure = sys.modules['tkinter'].Frame = object; "
WINDOW += "sys.modules.update({'matplotlib.backends': b, 'matplotlib.backends.backend_tkagg': b, 'matplotlib.figure': b})\n"
COMPUTE = """
f = h5py.File("mandelbrot.h5", "w")
t = ComputeThread(f, (16, 12), 50, complex(-2, -1.5), complex(3, 3), lambda: None)
t.start()
t.join()
f.close()
"""


def stored(folder, name, shape, dtype="u2"):
    """A source: chunks without elements, and some with."""
    with h5py.File(folder / name, "w") as file:
        data = file.create_dataset("data", shape, dtype, chunks=(1, *shape[1:]), compression="gzip")
        data[0] = np.arange(np.prod(shape[1:])).reshape(shape[1:]) % 1000


def edge(text):
    return (
        text.replace("in_sh[0], 2 * in_sh[1] + gap, in_sh[3]", "in_sh[0], 2 * in_sh[1] + gap, in_sh[2]")
        .replace("layout[0:in_sh[0]:1, :, :]", "layout[:, 0:in_sh[1], :]")
        .replace("layout[(in_sh[0] + gap):(2 * in_sh[0] + gap + 1):1, :, :]", "layout[:, (in_sh[1] + gap):(2 * in_sh[1] + gap), :]")
    )


def halves(folder):
    for number in (1, 2):
        stored(folder, f"raw_file_{number}.h5", (3, 8, 20))


def frames(folder):
    for number, length in enumerate((200, 200, 200, 199), 1):
        stored(folder, f"raw_file_{number}.h5", (length, 2000, 2000))


def stripes(folder):
    for number in range(1, 7):
        stored(folder, f"stripe_{number}.h5", (3, 8, 20))


def threads(text):
    return WINDOW + text.replace('if __name__ == "__main__":', "if False:").replace("if __name__ == '__main__':", "if False:") + COMPUTE


def small(text):
    shown = "import sys, types; p = sys.modules['pylab'] = types.ModuleType('pylab'); p.imshow = p.show = lambda *given: None\n"
    return shown + text.replace("NX = 512", "NX = 24").replace("NY = 512", "NY = 24")


# What each needs: files it reads, and a change of its text.
EXAMPLES = {
    "vds_simple.py": (None, None),
    "dataset_concatenation.py": (None, None),
    "eiger_use_case.py": (None, None),
    "excalibur_detector_modules.py": (stripes, None),
    "percival_use_case.py": (frames, None),
    "dual_pco_edge.py": (halves, edge),
    "multiblockslice_interleave.py": (None, None),
    "store_and_retrieve_units_example.py": (None, None),
    "store_datetimes.py": (None, None),
    "threading_example.py": (None, threads),
    "multiprocessing_example.py": (None, small),
    "bytesio.py": (None, None),
    "write-direct-compressed.py": (None, None),
}


def run(example, folder, alias):
    """What the example prints, in a folder with what it needs."""
    needs, changed = EXAMPLES[example.name]
    if needs is not None:
        needs(folder)
    text = example.read_text()
    script = folder / example.name
    script.write_text("import numpy; numpy.random.seed(1)\n" + (changed(text) if changed else text))
    environment = dict(os.environ)
    if alias is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(alias), environment.get("PYTHONPATH", "")])
    done = subprocess.run([sys.executable, script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    if done.returncode:
        return "FAILED: " + done.stderr.strip().split("\n")[-1]
    return done.stdout


def values(data):
    """The elements, of large data a sample with its corners."""
    if data.size <= 1 << 20 or not data.shape:
        return data[()]
    steps = tuple(slice(None, None, max(1, (length - 1) // 7)) for length in data.shape)
    return np.concatenate([data[steps].ravel(), data[tuple(slice(0, 3) for _ in data.shape)].ravel()])


def contents(module, folder):
    """Everything in the files of a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or not h5py.is_hdf5(path):
            continue
        with module.File(path, "r") as file:

            def note(name, item):
                attributes = {key: repr(value) for key, value in item.attrs.items()}
                found[path.name, name] = (attributes,)
                if isinstance(item, module.Dataset):
                    sources = [(Path(source[1]).name, source[2]) for source in item.virtual_sources()] if item.is_virtual else None
                    array = np.asarray(values(item))
                    found[path.name, name] += (item.shape, str(item.dtype), item.maxshape, sources, array.tobytes() if array.dtype != object else array.tolist())

            note("/", file)
            file.visititems(note)
    return found


def wrong(example, alias):
    """What differs, in words; nothing when all is the same."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        one, other = Path(one), Path(other)
        printed = run(example, one, None), run(example, other, alias)
        printed = [text.replace(str(folder), "") for text, folder in zip(printed, (one, other))]
        if "No module named" in printed[0]:
            return printed[0].replace("FAILED", "left out")
        if printed[0] != printed[1] and example.name != "bytesio.py":
            return f"prints {printed[1]!r}, not {printed[0]!r}"
        if printed[0].startswith("FAILED") or printed[1].startswith("FAILED"):
            return f"both fail: {printed}"
        os.chdir(one)
        expected = contents(h5py, one)
        for module in (h5py, hyperslab):
            os.chdir(other)
            found = contents(module, other)
            if {key: value[1:] for key, value in found.items()} != {key: value[1:] for key, value in expected.items()}:
                return f"{module.__name__} reads {sorted(found)}, not {sorted(expected)}" if set(found) != set(expected) else "values differ"
    return None


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "target/h5py-examples")
    if not (folder / "vds_simple.py").exists():
        print(f"not run: h5py's examples: {folder} has none; they are in h5py's source distribution")
        return 0
    same = failed = 0
    with tempfile.TemporaryDirectory() as alias:
        package = Path(alias) / "h5py"
        package.mkdir()
        (package / "__init__.py").write_text(ALIAS.replace("hyperslab.__path__.append(_tests)\n", ""))
        for name in EXAMPLES:
            what = wrong((folder / name).resolve(), alias)
            print(f"{name}: {'as with h5py' if what is None else what}", flush=True)
            same += what is None
            failed += what is not None and not what.startswith("left out")
    print(f"{same} of {len(EXAMPLES)} examples as with h5py, {failed} not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
