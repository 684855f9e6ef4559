# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""`python3 -m gst_reactor`: run a model, the demo, or draw a trace."""
import argparse
import os
import subprocess
import sys

from . import __version__

PIPELINE = "reactorsrc ! reactorpace ! reactorwebrtcsink"


def _running(parser):
    parser.add_argument("--port", type=int, help="where the page is served (default 8080; 0: any free port)")
    parser.add_argument("--host", help="address to serve on (default 127.0.0.1; others need --sink auth-token=…)")
    parser.add_argument("--sink", action="append", metavar="NAME=VALUE", help="any other property of reactorwebrtcsink")
    parser.add_argument("--pipeline", default=PIPELINE, metavar="DESCRIPTION",
                        help=f"as for gst-launch; a reactorsrc is put in front where there is none (default «{PIPELINE}»)")
    parser.add_argument("--python", metavar="PATH", help="the model's interpreter (3.9 or newer; default: this one)")
    parser.add_argument("--in-process", action="store_true", help="run the model in the pipeline's process")
    parser.add_argument("--retries", type=int, default=5, metavar="N",
                        help="how often in a row a crashed model is started again (default 5)")
    parser.add_argument("--duration", type=float, metavar="S", help="end by itself after S seconds")
    parser.add_argument("--config", metavar="FILE", help="YAML or JSON, given to the model")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="override of one configuration value")


def _has_gi():
    try:
        import gi

        gi.require_version("Gst", "1.0")
    except (ImportError, AttributeError, ValueError):
        # AttributeError: a folder `gi` with overrides only is on the path
        return False
    return True


def _use_gi(argv, options, parser):
    """The pipeline needs PyGObject, which the model's interpreter (conda, pyenv) rarely has and the system's has: this
    command goes on there, and the model keeps this interpreter."""
    check = "import gi; gi.require_version('Gst', '1.0')"
    other = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if os.access(p, os.X_OK) and
                  subprocess.run([p, "-c", check], stderr=subprocess.DEVNULL).returncode == 0), None)
    if other is None or options.in_process:
        parser.error(f"{sys.executable} has no PyGObject, which the pipeline needs: install it (Debian: python3-gi "
                     "python3-gst-1.0)" + (f", or use {other}" if other else ""))
    argv = ["-m", "gst_reactor", *argv]
    if options.verb == "run" and not options.python:
        argv += ["--python", sys.executable]
        print(f"The pipeline runs under {other}, which has PyGObject; the model under {sys.executable}", flush=True)
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH")) if p)
    os.execve(other, [other, *argv], {**os.environ, "PYTHONPATH": path})


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python3 -m gst_reactor",
                                     description="Real-time video models into browsers, evenly paced.")
    parser.add_argument("--version", action="version", version=f"gst_reactor {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="run | demo | plot")
    run = verbs.add_parser("run", help="run a model", description=(
        "Runs a model in a process of its own and shows it in browsers. A model that crashes is started again; viewers keep "
        "the last frame meanwhile. Ctrl-C ends everything. Exit status: 0 ended as asked, 1 the model crashed too "
        "often or the pipeline failed, 2 nothing could be started."))
    run.add_argument("model", help="my_model.py:MyModel, my_model.py, or package.module:MyModel")
    _running(run)
    demo = verbs.add_parser("demo", help="run the demo model", description=(
        "Runs the demo model: procedural pictures in 12-frame blocks at a changing speed. Needs numpy, no weights."))
    _running(demo)
    plot = verbs.add_parser("plot", help="draw a trace of reactorpace", description=(
        "Draws a trace (reactorpace trace-location=…) as SVG or PNG: blocks arriving, frames leaving, intervals, queue and "
        "latency, and what the pacer thought. Two traces are drawn for comparison, one under the other."))
    plot.add_argument("traces", nargs="+", metavar="TRACE.csv")
    plot.add_argument("-o", "--output", metavar="FILE", help="FILE.svg or FILE.png (default: the first trace's name, .svg)")
    plot.add_argument("--title", help="above the picture")
    plot.add_argument("--from", dest="begin", type=float, default=None, metavar="S", help="first second to draw")
    plot.add_argument("--to", dest="end", type=float, default=None, metavar="S", help="last second to draw")
    options = parser.parse_args(argv)
    if options.verb == "plot":
        from . import plot as plotting

        return plotting.main(options)
    if options.port is not None and not 0 <= options.port <= 65535:
        parser.error(f"--port {options.port}: expected 0 to 65535")
    if options.verb == "demo":
        options.model = "gst_reactor.demo:DemoModel"
    if options.python and options.in_process:
        parser.error("--python and --in-process: a model in this process uses this interpreter")
    if not _has_gi():
        _use_gi(sys.argv[1:] if argv is None else argv, options, parser)
    options.pythonpath = os.environ.get("PYTHONPATH") if not options.python else None
    from . import runner

    return runner.main(options)


def script():
    """The command `gst-reactor`."""
    sys.exit(main())


if __name__ == "__main__":
    script()
