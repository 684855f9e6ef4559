// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ModelSocket: the server side of the model socket: the path, the peers, and a thread that never
// waits for any of them. One model at a time; who connects while it lives is told so, and a model
// whose process has died makes way at once.
//
// start and stop: the thread that changes the element's state. Everything else: any thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gst/reactor/modelconnection.h"

namespace reactor {

class ModelSocket {
 public:
  static constexpr std::size_t kMaxStrangers = 16;  // connections that have not yet said hello
  static constexpr int kMostReadsAfterEnd = 64;
  static constexpr std::chrono::seconds kStatsEvery{1};
  // Out of descriptors or memory: accept would fail again at once.
  static constexpr std::chrono::milliseconds kAcceptPause{200};

  explicit ModelSocket(ModelHost& host) : host_(host) {}
  ~ModelSocket() { stop(); }

  // False with a sentence for the user in `problem`: what is wrong with the path and what to do.
  bool start(const std::string& path, std::string& problem);
  void stop();

  void session(const wire::ModelSession& session);
  void viewer(const std::string& id, bool joined);
  void command(std::uint64_t id, const std::string& viewer, const std::string& json);
  void shown(std::uint64_t number, std::optional<std::uint64_t> first,
             std::optional<std::uint64_t> last, unsigned dropped, const std::string& reason);

  struct Status {
    std::int64_t pid = 0;           // of the model, 0 if there is none
    std::uint64_t connections = 0;  // of models, since the start
    ModelConnection::Usage usage;
  };
  Status status();

 private:
  using ConnectionPtr = std::shared_ptr<ModelConnection>;
  using Clock = std::chrono::steady_clock;

  bool clear_path(const std::string& path, std::string& problem);
  void run();
  void accept_all();
  void accept_one(Descriptor socket);
  void serve_model();
  void serve_strangers();
  void greet(const ConnectionPtr& stranger);
  void lose_model(const std::string& why);
  int timeout();
  ConnectionPtr model();
  void post(ModelOutbox::Kind kind, std::string packet);

  ModelHost& host_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Descriptor listener_;
  std::shared_ptr<Descriptor> wake_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  // The thread only.
  std::vector<ConnectionPtr> strangers_;
  Clock::time_point stats_due_;
  std::optional<Clock::time_point> accept_due_;  // until then the listener is left alone
  bool flushes_due_ = false;

  std::mutex mutex_;
  ConnectionPtr model_;      // written by the thread only
  int reads_after_end_ = 0;  // of model_, since its process ended
  std::uint64_t connections_ = 0;
};

}  // namespace reactor
