# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""plot: reading traces, figures, the picture, errors."""
import contextlib
import io
import os
import pathlib
import random
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))

from gst_reactor import plot  # noqa: E402
from gst_reactor.__main__ import main  # noqa: E402


def write_trace(path, seed=1, blocks=10, plans=True, extra=()):
    chance, lines, t, release = random.Random(seed), [], 5.0, None
    for block in range(blocks):
        t += chance.gauss(0.5, 0.05)
        lines.append((t, f"{t:.9f},arrival,{block},12,1"))
        if plans:
            lines.append((t, f"{t:.9f},plan,12,0.041667,0.5,12,0.1,0,0.08,0.2,0.1,0.05,0.4"))
        for index in range(12):
            release = max(t, t if release is None else release + 1 / 24)
            lines.append((release, f"{release:.9f},release,{block},{index},{release:.9f}"))
    lines += extra
    lines.sort()
    path.write_text("# reactor-trace 1\n" + "\n".join(text for _, text in lines) + "\n")


class PlotTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = self.folder / "trace.csv"

    def run_main(self, *arguments):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["plot", *map(str, arguments)])
        return code, out.getvalue(), err.getvalue()

    def test_everything_in_a_trace_is_in_the_picture(self):
        write_trace(self.path, extra=[(6.2, "6.200000000,event,monitoring-off"), (6.6, "6.600000000,event,monitoring-on"),
                                      (7.0, "7.000000000,event,stall"), (7.2, "7.200000000,drop,3,11,thinned")])
        code, out, err = self.run_main(self.path, "--title", "A <title> & more")
        self.assertEqual((code, out.strip(), err), (0, str(self.folder / "trace.svg"), ""))
        root = ET.parse(self.folder / "trace.svg").getroot()
        space = "{http://www.w3.org/2000/svg}"
        texts = ["".join(element.itertext()) for element in root.iter(space + "text")]
        for text in ("A <title> & more", "Blocks arrive, frames leave", "Intervals", "Queue", "stall", "not measured", "period",
                     "cushion", "horizon", "deviation", "dropped 1", "blocks 10", "frames 120", "rate 24.0 fps"):
            self.assertIn(text, texts)
        ticks = max((path.get("d") for path in root.iter(space + "path") if path.get("stroke") == plot.LEAVE
                     and "V" in path.get("d")), key=len)
        self.assertEqual(ticks.count("V"), 120)
        self.assertTrue(any(text.startswith("Of ") for text in texts))
        for element in root.iter():
            for name in ("x", "y", "x1", "cx", "cy", "width", "height"):
                value = element.get(name)
                if value:
                    self.assertTrue(-1 <= float(value) < 5000, f"{element.tag} {name}={value}")

    def test_figures_are_right(self):
        write_trace(self.path)
        trace = plot.Trace(self.path)
        trace.between(None, None)
        self.assertEqual(trace.arrivals[0][0], 0.0)
        self.assertEqual(max(waiting for _, waiting in trace.queue()), max(12, max(w for _, w in trace.queue())))
        self.assertEqual(trace.queue()[-1][1], 0)
        self.assertAlmostEqual(trace.latencies()[0][1], 0.0)
        self.assertAlmostEqual(plot.quantile([d for _, d in trace.intervals()], 0.5), 1 / 24, 3)

    def test_a_part_of_a_trace(self):
        write_trace(self.path)
        self.assertEqual(self.run_main(self.path, "--from", 1, "--to", 2, "-o", self.folder / "part.svg")[0], 0)
        trace = plot.Trace(self.path)
        trace.between(1.0, 2.0)
        self.assertTrue(0 < len(trace.arrivals) < 5)
        self.assertTrue(all(1.0 <= entry[0] <= 2.0 for entry in trace.releases))
        whole = plot.Trace(self.path)
        whole.between(None, None)
        # What a part shows is what the whole shows there: also of blocks that came before it.
        self.assertEqual(trace.latencies(), [(t, v) for t, v in whole.latencies() if 1.0 <= t <= 2.0])
        self.assertEqual(trace.queue()[1:], [(t, q) for t, q in whole.queue() if 1.0 <= t <= 2.0 and t > 0])

    def test_two_traces_are_compared(self):
        write_trace(self.path)
        other = self.folder / "other.csv"
        write_trace(other, seed=2, blocks=20, plans=False)
        self.assertEqual(self.run_main(self.path, other, "-o", self.folder / "both.svg")[0], 0)
        text = (self.folder / "both.svg").read_text()
        self.assertEqual(text.count("Blocks arrive, frames leave"), 2)
        self.assertIn(">trace against other<", text)

    @unittest.skipIf(shutil.which("rsvg-convert") is None, "rsvg-convert is not installed")
    def test_png(self):
        write_trace(self.path)
        self.assertEqual(self.run_main(self.path, "-o", self.folder / "x.png")[0], 0)
        self.assertEqual((self.folder / "x.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")

    def test_what_is_no_trace_is_said(self):
        self.path.write_text("seconds,frames,event\n")
        self.assertIn("not a trace", self.run_main(self.path)[2])
        self.path.write_text("# reactor-trace 2\n")
        self.assertIn("version 2", self.run_main(self.path)[2])
        self.path.write_text("# reactor-trace 1\n1.0,arrival,0,12,1\n2.0,arrival,x\n")
        self.assertIn("line 3", self.run_main(self.path)[2])
        self.path.write_text("# reactor-trace 1\nnan,arrival,0,12,1\n")
        self.assertIn("line 2", self.run_main(self.path)[2])
        self.path.write_text("# reactor-trace 1\n")
        self.assertIn("no block ever arrived", self.run_main(self.path)[2])
        self.path.write_bytes(os.urandom(3000))
        self.assertIn("not a trace", self.run_main(self.path)[2])
        self.assertIn("No such file", self.run_main(self.folder / "none.csv")[2])
        write_trace(self.path)
        self.assertIn("earlier and a later", self.run_main(self.path, "--from", 3, "--to", 2)[2])
        self.assertIn(".svg or .png", self.run_main(self.path, "-o", "x.pdf")[2])
        self.assertIn("no block arrives between", self.run_main(self.path, "--from", 100, "--to", 200)[2])

    def test_one_block_alone_and_blocks_never_shown(self):
        for text in ("1.0,arrival,0,12,1\n", "1.0,arrival,0,1,1\n1.0,release,0,0,1.0\n", "1.0,arrival,0,1,0\n1.0,arrival,1,1,0\n"):
            self.path.write_text("# reactor-trace 1\n" + text)
            self.assertEqual(self.run_main(self.path)[0], 0)


if __name__ == "__main__":
    unittest.main()
