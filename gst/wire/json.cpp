#include "gst/wire/json.h"
