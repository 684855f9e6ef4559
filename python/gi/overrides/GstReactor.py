# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""GstReactor for Python: `src.emit_frames(array)` beside the C methods."""
from gi.module import get_introspection_module
from gi.overrides import override

GstReactor = get_introspection_module("GstReactor")


class Src(GstReactor.Src):
    """reactorsrc. `gst_reactor.attach(src)` gives the whole context; this is the one call without it."""

    def emit_frames(self, frames, metadata=None):
        """Copies uint8 frames (N, H, W, 3) or (H, W, 3), any strides, into the pipeline. GLib.Error when the pipeline does
        not take them."""
        from gst_reactor.client import frames_of, metadata_list

        described = frames_of(frames)
        n, h, w = described.shape
        return self.emit_array(described.address, n, h, w, *described.strides, 0, metadata_list(metadata, n))


Src = override(Src)
__all__ = ["Src"]
