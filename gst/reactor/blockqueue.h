// SPDX-License-Identifier: LGPL-2.1-or-later
//
// BlockQueue: between the thread that emits and the streaming thread. Decides who waits for whom;
// knows nothing of GStreamer except that an Item may be dropped at any time, which releases the
// model's memory.
//
// The streaming thread takes an item, pushes it downstream, and comes back for the next: the time
// in between is the push. A push of more than kHeld means that downstream holds the model back (the
// pacer is full). From then on an emit returns when its own block's push has returned; otherwise it
// returns at once, at most one block ahead.
//
// Thread-safe. Items are destroyed, and `wake` is called, outside the lock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace reactor {

// What the streaming thread takes: a block, or something that keeps its place between blocks and is
// never dropped.
struct Item {
  virtual ~Item() = default;
  bool is_block = true;
  unsigned frames = 0;
  std::uint64_t serial = 0;           // set by the queue
  const char* drop_reason = nullptr;  // set before the item is destroyed without having been taken
};
using ItemPtr = std::unique_ptr<Item>;

enum class Policy { kWait, kDropOldest, kDropNewest };

class BlockQueue {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kHeld{
      2};  // far above a push with room, far below a frame
  static constexpr std::size_t kBurst =
      8;  // blocks a drop policy lets wait while downstream takes them at once

  static constexpr std::chrono::milliseconds kLook{
      50};  // how often a waiting emit looks whether downstream is dead

  enum class Result { kQueued, kDropped, kSessionEnded, kFlushed, kStopped, kEos, kDead };

  struct Counters {
    std::uint64_t blocks = 0, frames = 0;  // taken by the streaming thread
    std::uint64_t dropped_overflow = 0;    // frames
    std::uint64_t dropped_flush = 0;       // frames, also by black and at the end of a session
    std::chrono::nanoseconds waited{0};    // emit waiting for room
  };

  // `wake` is called when an item is there and the streaming thread waits elsewhere (take returned
  // null). `dead` says whether the streaming thread has ended for good, by an error or the end of
  // the stream; called under the lock.
  BlockQueue(std::function<void()> wake, std::function<bool()> dead)
      : wake_(std::move(wake)), dead_(std::move(dead)) {}

  // For the emitting thread. `ticket` is what generation() said when the call began: a block
  // overtaken by a flush or a stop is refused. Waits as the policy says.
  Result emit(ItemPtr block, std::uint64_t ticket, Policy policy);
  Result offer(ItemPtr block, std::uint64_t ticket,
               Policy policy);  // never waits: under kWait the block queues up
  Result emit_replacing(ItemPtr block,
                        std::uint64_t ticket);  // drops the blocks before it; never waits
  // Never waits. Of those that follow each other with no block in between, the first and the last
  // stay: nobody could tell the others.
  void add_in_order(ItemPtr item);
  std::uint64_t generation();

  // For the streaming thread. take: ends the push of the previous item and returns the next, or
  // null: then the thread waits elsewhere until `wake`, and says so with `woken`.
  ItemPtr take();
  void begin_push();
  // The block that was taken last could not be pushed yet. `ticket`: generation() since then; one
  // that was overtaken is dropped.
  void put_back(ItemPtr block, std::uint64_t ticket);
  void woken();

  // Which push is going on, 0 for none; and whether that one still is.
  std::uint64_t current_push();
  bool still_pushing(std::uint64_t push) { return push && current_push() == push; }

  // For any thread. Blocks are dropped, other items stay; waiting emits return the result.
  void flush() { drop_blocks(Result::kFlushed); }
  void end_session() { drop_blocks(Result::kSessionEnded); }
  void start();
  void stop();  // drops everything
  void set_eos();
  bool eos();
  bool room();  // whether emit would not wait now
  Counters counters();
  bool empty();  // of blocks and of everything else
  std::size_t waiting_blocks();

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Dropped = std::vector<ItemPtr>;

  void drop_blocks(Result result);
  void remove_blocks(Dropped& dropped, const char* reason);
  bool make_room(ItemPtr& block, Policy policy, Dropped& dropped);
  static void drop(ItemPtr item, const char* reason, Dropped& dropped);
  std::uint64_t add(ItemPtr item, bool& wake);
  bool held_now() const;
  Result overtaken(std::uint64_t ticket) const;

  template <typename Condition>
  bool wait(Lock& lock, Condition condition);

  const std::function<void()> wake_;
  const std::function<bool()> dead_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ItemPtr> items_;
  std::size_t blocks_ = 0;                              // of items_
  std::uint64_t last_serial_ = 0, pushing_serial_ = 0;  // of blocks
  std::uint64_t pushed_serial_ = 0;                     // the last block whose push has returned
  bool pushing_ = false;                                // a block
  bool hungry_ = false, held_ = false, eos_ = false;
  Clock::time_point push_began_;
  std::uint64_t generation_ = 0;
  Result interruption_ =
      Result::kStopped;  // what the last step of generation_ means for those who wait
  Counters counters_;
};

}  // namespace reactor
