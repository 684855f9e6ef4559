#include "gst/pacing/pacer.h"
