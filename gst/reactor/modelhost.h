// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ModelHost: what a model in another process may do to the source, as the model socket sees it.
// Implemented by Source; called from the socket's thread, which none of these may keep waiting.
#pragma once

#include <gst/gst.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gst/reactor/arraylayout.h"
#include "gst/wire/modelprotocol.h"

namespace reactor {

// A block in shared memory. `release (user_data)` runs once, in any thread, when nobody reads it
// any more.
struct ModelBlock {
  ArrayView view;
  std::uint64_t number;  // from ModelHost::next_number
  std::optional<std::int64_t> compute, command;
  std::vector<std::string> meta;  // one JSON text a frame, or none at all
  GDestroyNotify release;
  gpointer user_data;
};

class ModelHost {
 public:
  virtual ~ModelHost() = default;

  virtual std::uint64_t next_number() = 0;
  virtual void model_block(const ModelBlock& block) = 0;
  virtual void model_black() = 0;
  virtual void model_send(const std::string& json, const std::string* viewer) = 0;
  virtual void model_runtime(const std::string& json) = 0;
  virtual void model_monitoring(bool enabled) = 0;
  // Returns what to ask model_flushed for.
  virtual std::uint64_t model_flush() = 0;
  virtual bool model_flushed(std::uint64_t flush) = 0;

  // A model connected; or it is gone, and may come back.
  virtual void model_connected(const std::string& name, std::int64_t pid) = 0;
  virtual void model_gone(const std::string& name, std::int64_t pid, const std::string& why) = 0;

  virtual std::optional<wire::ModelSession> model_session() = 0;
  virtual wire::ModelStats model_stats() = 0;
};

}  // namespace reactor
