// The plugin's entry point: registers the elements, nothing else. The GstReactorSrc type itself
// lives in libgstreactor-1.0 so that C and Python call introspected methods.

#include <gst/gst.h>
#include <gst/reactor/gstreactor.h>

#include "pace/gstreactorpace.h"
#include "sim/gstreactorsim.h"
#ifdef HAVE_REACTOR_WEBRTC
#include "webrtc/gstreactorwebrtcsink.h"
#endif

static gboolean plugin_init(GstPlugin* plugin) {
#ifdef HAVE_REACTOR_WEBRTC
  if (!gst_element_register(plugin, "reactorwebrtcsink", GST_RANK_NONE,
                            GST_TYPE_REACTOR_WEBRTC_SINK))
    return false;
#endif
  return gst_element_register(plugin, "reactorsrc", GST_RANK_NONE, GST_TYPE_REACTOR_SRC) &&
         GST_ELEMENT_REGISTER(reactorpace, plugin) && GST_ELEMENT_REGISTER(reactorsim, plugin);
}

#define PACKAGE "gst-reactor"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, reactor,
                  "Even, low-latency video from real-time generative models", plugin_init,
                  REACTOR_VERSION, "LGPL", "gst-reactor", "Reactor for GStreamer")
