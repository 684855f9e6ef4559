// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/modelsocket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace reactor {

using wire::ModelErrorCode;

namespace {

constexpr int kBacklog = 16;

int open_process(pid_t pid) {
#ifdef SYS_pidfd_open
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
#else
  errno = ENOSYS;
  return -1;
#endif
}

bool fill_address(const std::string& path, sockaddr_un& address) {
  address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return false;
  path.copy(address.sun_path, path.size());
  return true;
}

}  // namespace

// A path that nobody serves any more is taken over; anything else there is left alone.
bool ModelSocket::clear_path(const std::string& path, std::string& problem) {
  struct stat found;
  if (lstat(path.c_str(), &found) != 0) return true;
  if (!S_ISSOCK(found.st_mode)) {
    problem = path + " exists and is no socket: remove it or choose another socket-path";
    return false;
  }
  sockaddr_un address;
  fill_address(path, address);
  const Descriptor probe(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int result =
      connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result != 0 && errno == ECONNREFUSED) {
    unlink(path.c_str());
    return true;
  }
  problem = path + (result == 0 || errno == EAGAIN
                        ? " is served by another program: stop it or choose another socket-path"
                        : std::string(" exists and cannot be tried: ") + std::strerror(errno));
  return false;
}

bool ModelSocket::start(const std::string& path, std::string& problem) {
  sockaddr_un address;
  if (!fill_address(path, address)) {
    problem = "socket-path has 1 to " + std::to_string(sizeof address.sun_path - 1) +
              " bytes, got " + std::to_string(path.size()) + ": choose a shorter one";
    return false;
  }
  if (!clear_path(path, problem)) return false;
  listener_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  wake_ = std::make_shared<Descriptor>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  struct stat made;
  // The mode of an unbound socket is the mode that bind gives the path, less the umask: there is no
  // moment at which others could connect, and the umask, which belongs to the whole process, is
  // left alone.
  if (!listener_ || !*wake_ || fchmod(listener_.get(), S_IRUSR | S_IWUSR) != 0 ||
      bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener_.get(), kBacklog) != 0 || lstat(path.c_str(), &made) != 0) {
    problem = path + " cannot be served: " + std::strerror(errno);
    listener_.reset();
    return false;
  }
  path_ = path;
  device_ = made.st_dev;
  inode_ = made.st_ino;
  stopping_ = false;
  stats_due_ = Clock::now() + kStatsEvery;
  accept_due_.reset();
  thread_ = std::thread([this] { run(); });
  return true;
}

void ModelSocket::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_->get(), &one, sizeof one);
  thread_.join();
  listener_.reset();
  struct stat found;
  if (lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_)
    unlink(path_.c_str());
}

int ModelSocket::timeout() {
  auto due = stats_due_;
  for (const ConnectionPtr& stranger : strangers_) due = std::min(due, stranger->hello_due());
  if (accept_due_) due = std::min(due, *accept_due_);
  if (flushes_due_) due = std::min(due, Clock::now() + std::chrono::milliseconds(2));
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
}

void ModelSocket::run() {
  pthread_setname_np(pthread_self(), "model-socket");
  while (!stopping_) {
    if (accept_due_ && Clock::now() >= *accept_due_) accept_due_.reset();
    // poll passes over a descriptor of -1.
    const int listener = accept_due_ ? -1 : listener_.get();
    std::vector<pollfd> polls{{wake_->get(), POLLIN, 0}, {listener, POLLIN, 0}};
    const auto add = [&](const ConnectionPtr& connection) {
      const short events = connection->wants_to_write() ? POLLIN | POLLOUT : POLLIN;
      polls.push_back({connection->socket(), events, 0});
      polls.push_back({connection->process(), POLLIN, 0});
    };
    if (model_) add(model_);
    for (const ConnectionPtr& stranger : strangers_) add(stranger);
    poll(polls.data(), polls.size(), timeout());
    std::uint64_t count;
    [[maybe_unused]] const auto got = read(wake_->get(), &count, sizeof count);

    serve_model();
    serve_strangers();
    if (polls[1].revents) accept_all();
    if (Clock::now() >= stats_due_) {
      stats_due_ = Clock::now() + kStatsEvery;
      if (model_) {
        wire::ModelStats stats = host_.model_stats();
        stats.notices_dropped = model_->usage().notices_dropped;
        post(ModelOutbox::Kind::kNotice, wire::write_stats(stats));
      }
    }
  }
  strangers_.clear();
  if (model_) lose_model("the source stopped");
}

void ModelSocket::serve_model() {
  if (!model_) return;
  // Looked at first: what is read after its end is the last of it. A child of its may go on writing
  // to the same socket, but not for ever.
  if (model_->process_gone()) reads_after_end_++;
  const auto event = model_->read();
  flushes_due_ = model_->answer_flushes();
  if (!model_->write() || event == ModelConnection::Event::kEnded)
    lose_model(model_->why());
  else if (model_->hung_up() && model_->drained())
    lose_model("it closed the connection");
  else if (reads_after_end_ > 0 && (model_->drained() || reads_after_end_ > kMostReadsAfterEnd))
    lose_model("its process has ended");
}

void ModelSocket::serve_strangers() {
  std::vector<ConnectionPtr> strangers;
  strangers.swap(strangers_);
  for (const ConnectionPtr& stranger : strangers) {
    switch (stranger->read()) {
      case ModelConnection::Event::kHello:
        greet(stranger);
        break;
      case ModelConnection::Event::kEnded:
        stranger->write();
        stranger->close();
        break;
      case ModelConnection::Event::kNothing:
        // Nobody is left to say hello, even if a child of it keeps the socket open.
        if (stranger->process_gone()) {
          stranger->close();
          break;
        }
        if (Clock::now() < stranger->hello_due()) {
          strangers_.push_back(stranger);
          break;
        }
        stranger->finish({ModelErrorCode::kHello, "no hello within 5 s", "", {}});
        stranger->close();
    }
  }
}

void ModelSocket::greet(const ConnectionPtr& stranger) {
  while (model_ && model_->process_gone()) serve_model();  // what it still said
  if (model_) {
    stranger->finish_busy(model_->pid());
    stranger->close();
    return;
  }
  host_.model_connected(stranger->name(), stranger->pid());
  {
    // The session that hello tells of, and the changes after it: none is lost in between.
    const std::lock_guard lock(mutex_);
    stranger->welcome(host_.model_session());
    model_ = stranger;
    reads_after_end_ = 0;
    connections_++;
  }
  serve_model();
}

void ModelSocket::accept_all() {
  for (;;) {
    Descriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket) {
      accept_one(std::move(socket));
      continue;
    }
    // A peer that has gone again is no trouble of ours.
    if (errno == ECONNABORTED || errno == EINTR) continue;
    if (errno != EAGAIN) accept_due_ = Clock::now() + kAcceptPause;
    return;
  }
}

void ModelSocket::accept_one(Descriptor socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  Descriptor process;
  // A process of another namespace has no number here.
  if (known && peer.pid > 0) {
    process.reset(open_process(peer.pid));
    if (!process && errno == ESRCH) return;
  }
  const auto stranger = std::make_shared<ModelConnection>(std::move(socket), std::move(process),
                                                          peer.pid, wake_, host_);
  if (!known || peer.uid != geteuid()) {
    stranger->finish({ModelErrorCode::kForbidden,
                      "only processes of user " + std::to_string(geteuid()) + " may connect",
                      "",
                      {}});
    stranger->close();
    return;
  }
  while (model_ && model_->process_gone()) serve_model();  // what it still said
  if (model_) {
    stranger->finish_busy(model_->pid());
    stranger->close();
    return;
  }
  if (strangers_.size() >= kMaxStrangers) {
    stranger->finish({ModelErrorCode::kFlood,
                      "too many connections wait without hello: try again later",
                      "",
                      {}});
    stranger->close();
    return;
  }
  strangers_.push_back(stranger);
}

void ModelSocket::lose_model(const std::string& why) {
  ConnectionPtr lost;
  {
    const std::lock_guard lock(mutex_);
    lost.swap(model_);
  }
  flushes_due_ = false;
  lost->close();
  host_.model_gone(lost->name(), lost->pid(), why);
}

ModelSocket::ConnectionPtr ModelSocket::model() {
  const std::lock_guard lock(mutex_);
  return model_;
}

void ModelSocket::post(ModelOutbox::Kind kind, std::string packet) {
  if (const ConnectionPtr connection = model()) connection->post(kind, std::move(packet));
}

void ModelSocket::session(const wire::ModelSession& session) {
  post(ModelOutbox::Kind::kKept, wire::write_session(session));
}

void ModelSocket::viewer(const std::string& id, bool joined) {
  post(ModelOutbox::Kind::kNotice, wire::write_viewer(id, joined));
}

void ModelSocket::command(std::uint64_t id, const std::string& viewer, const std::string& json) {
  post(ModelOutbox::Kind::kKept, wire::write_command(id, viewer, json));
}

void ModelSocket::shown(std::uint64_t number, std::optional<std::uint64_t> first,
                        std::optional<std::uint64_t> last, unsigned dropped,
                        const std::string& reason) {
  if (const ConnectionPtr connection = model())
    connection->shown(number, first, last, dropped, reason);
}

ModelSocket::Status ModelSocket::status() {
  Status status;
  ConnectionPtr connection;
  {
    const std::lock_guard lock(mutex_);
    connection = model_;
    status.connections = connections_;
  }
  if (connection) {
    status.pid = connection->pid();
    status.usage = connection->usage();
  }
  return status;
}

}  // namespace reactor
