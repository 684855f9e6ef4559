# Reactor for GStreamer
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The documented model API under its own name: `from reactor_runtime import VideoModel, command, get_ctx`."""
from gst_reactor import CommandError, Field, VideoModel, command, get_ctx, model

__all__ = ["CommandError", "Field", "VideoModel", "command", "get_ctx", "model"]
