// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A model on the model socket that is nothing but system calls: what docs/model-socket.md says, and
// whatever a broken or hostile program would send.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

namespace raw_model {

// A memfd of `size` bytes with those seals.
inline int make_memfd(std::size_t size, int seals = F_SEAL_SHRINK | F_SEAL_GROW) {
  const int fd = memfd_create("pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(size)) != 0) return -1;
  if (seals && fcntl(fd, F_ADD_SEALS, seals) != 0) return -1;
  return fd;
}

class Model {
 public:
  explicit Model(const std::string& path) : path_(path) {}
  ~Model() { disconnect(); }
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  // Waits until the source is there.
  bool connect() {
    disconnect();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    for (int i = 0; i < 500; i++) {
      fd_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
      if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
      disconnect();
      usleep(10000);
    }
    return false;
  }
  void disconnect() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

  bool send(const std::string& packet, const std::vector<int>& descriptors = {}) {
    iovec bytes{const_cast<char*>(packet.data()), packet.size()};
    std::vector<char> control(CMSG_SPACE(sizeof(int) * descriptors.size()));
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* const c = CMSG_FIRSTHDR(&message);
      c->cmsg_level = SOL_SOCKET;
      c->cmsg_type = SCM_RIGHTS;
      c->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
      std::memcpy(CMSG_DATA(c), descriptors.data(), sizeof(int) * descriptors.size());
    }
    return sendmsg(fd_, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(packet.size());
  }

  // The next packet; "" when the source has closed, "timeout" when nothing came.
  std::string receive(int timeout_ms = 5000) {
    pollfd p{fd_, POLLIN, 0};
    if (poll(&p, 1, timeout_ms) <= 0) return "timeout";
    std::vector<char> buffer(80000);
    const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
    // An end with unread packets of ours says ECONNRESET once, before what the source still had to
    // say.
    if (size < 0) return errno == ECONNRESET ? receive(timeout_ms) : "";
    return {buffer.data(), static_cast<std::size_t>(size)};
  }

  // The next packet with this op, past those that come by themselves.
  std::string receive_op(const std::string& op, int timeout_ms = 5000) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
    while (std::chrono::steady_clock::now() < until) {
      std::string packet = receive(timeout_ms);
      if (packet.empty() || packet == "timeout") return packet;
      if (packet.find("{\"op\":\"" + op + "\"") == 0) return packet;
    }
    return "timeout";
  }

  // True once the source has closed the connection.
  bool closed(int timeout_ms = 5000) {
    for (;;) {
      const std::string packet = receive(timeout_ms);
      if (packet == "timeout") return false;
      if (packet.empty()) return true;
    }
  }

  bool hello() {
    return connect() && send(R"({"op":"hello","protocol":1,"name":"raw"})") &&
           receive().find(R"({"op":"hello","protocol":1)") == 0;
  }

  // A pool whose memory this model can write.
  bool pool(int id, std::size_t size, int slots) {
    const int memory = make_memfd(size * static_cast<std::size_t>(slots));
    data = static_cast<unsigned char*>(mmap(nullptr, size * static_cast<std::size_t>(slots),
                                            PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
    const bool ok =
        send("{\"op\":\"pool\",\"id\":" + std::to_string(id) + ",\"size\":" + std::to_string(size) +
                 ",\"slots\":" + std::to_string(slots) + "}",
             {memory});
    close(memory);
    return ok && data != MAP_FAILED;
  }

  bool block(int pool, int slot, const std::string& shape, const std::string& more = "") {
    return send("{\"op\":\"block\",\"pool\":" + std::to_string(pool) +
                ",\"slot\":" + std::to_string(slot) + ",\"shape\":" + shape + more + "}");
  }

  int fd() const { return fd_; }

  unsigned char* data = nullptr;  // of the pool made last; unmapped by the process's end

 private:
  const std::string path_;
  int fd_ = -1;
};

}  // namespace raw_model
