# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Builds the package's wheel for pip (PEP 517, PEP 660) with the standard library: `pip install ./python` needs neither a
network nor setuptools. Called by pip, in this folder."""
import base64
import hashlib
import pathlib
import re
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ("gst_reactor", "reactor_runtime")
NAME, TAG = "gst_reactor", "py3-none-any"


def _version():
    text = (HERE / "gst_reactor" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'__version__ = "([^"]+)"', text).group(1)


def _metadata():
    return (f"Metadata-Version: 2.1\nName: gst-reactor\nVersion: {_version()}\n"
            "Summary: Real-time generative video models into GStreamer: the model's side\n"
            "License: LGPL-2.1-or-later\nRequires-Python: >=3.9\nProvides-Extra: numpy\n"
            'Requires-Dist: numpy; extra == "numpy"\nDescription-Content-Type: text/markdown\n\n'
            + (HERE / "README.md").read_text(encoding="utf-8"))


def _write(folder, contents):
    info = f"{NAME}-{_version()}.dist-info"
    contents = {**contents, f"{info}/METADATA": _metadata().encode(),
                f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: gst-reactor\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode(),
                f"{info}/entry_points.txt": b"[console_scripts]\ngst-reactor = gst_reactor.__main__:script\n"}
    record = []
    name = f"{NAME}-{_version()}-{TAG}.whl"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in contents.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{path},sha256={digest},{len(data)}")
            wheel.writestr(path, data)
        wheel.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return name


def get_requires_for_build_wheel(config_settings=None):
    return []


get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _write(wheel_directory, {f"{package}/{path.name}": path.read_bytes() for package in PACKAGES
                                    for path in sorted((HERE / package).glob("*.py"))})


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _write(wheel_directory, {f"{NAME}.pth": f"{HERE}\n".encode()})
