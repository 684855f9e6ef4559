/* Reactor for GStreamer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gst/reactor/gstreactor-prelude.h>
#include <gst/reactor/gstreactorerror.h>
#include <gst/reactor/gstreactorevent.h>
#include <gst/reactor/gstreactorframemeta.h>
#include <gst/reactor/gstreactorsrc.h>
