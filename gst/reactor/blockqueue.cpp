// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/reactor/blockqueue.h"

#include <algorithm>

namespace reactor {
namespace {

const char* reason_of(BlockQueue::Result result) {
  switch (result) {
    case BlockQueue::Result::kDropped:
      return "overflow";
    case BlockQueue::Result::kSessionEnded:
      return "the session ended";
    case BlockQueue::Result::kFlushed:
      return "flushed";
    case BlockQueue::Result::kStopped:
      return "the pipeline stopped";
    case BlockQueue::Result::kEos:
      return "the stream has ended";
    default:
      return "the pipeline failed";
  }
}

}  // namespace

bool BlockQueue::held_now() const {
  return pushing_ && Clock::now() - push_began_ > kHeld;
}

BlockQueue::Result BlockQueue::overtaken(std::uint64_t ticket) const {
  if (generation_ != ticket) return interruption_;
  return eos_ ? Result::kEos : Result::kQueued;
}

std::uint64_t BlockQueue::add(ItemPtr item, bool& wake) {
  if (item->is_block) {
    item->serial = ++last_serial_;
    blocks_++;
  }
  items_.push_back(std::move(item));
  wake = hungry_;
  hungry_ = false;
  return last_serial_;
}

void BlockQueue::drop(ItemPtr item, const char* reason, Dropped& dropped) {
  item->drop_reason = reason;
  dropped.push_back(std::move(item));
}

void BlockQueue::remove_blocks(Dropped& dropped, const char* reason) {
  for (ItemPtr& item : items_) {
    if (!item->is_block) continue;
    counters_.dropped_flush += item->frames;
    drop(std::move(item), reason, dropped);
  }
  std::erase(items_, nullptr);
  blocks_ = 0;
}

// False when it is `block` that has to go.
bool BlockQueue::make_room(ItemPtr& block, Policy policy, Dropped& dropped) {
  if (policy == Policy::kWait || blocks_ < (held_now() ? 1 : kBurst)) return true;
  ItemPtr victim;
  if (policy == Policy::kDropNewest) {
    victim = std::move(block);
  } else {
    const auto oldest =
        std::find_if(items_.begin(), items_.end(), [](auto& item) { return item->is_block; });
    victim = std::move(*oldest);
    items_.erase(oldest);
    blocks_--;
  }
  counters_.dropped_overflow += victim->frames;
  drop(std::move(victim), reason_of(Result::kDropped), dropped);
  return block != nullptr;
}

// False when the streaming thread is dead: then there is nothing to wait for.
template <typename Condition>
bool BlockQueue::wait(Lock& lock, Condition condition) {
  while (!changed_.wait_for(lock, kLook, condition))
    if (dead_()) return false;
  return true;
}

BlockQueue::Result BlockQueue::emit(ItemPtr block, std::uint64_t ticket, Policy policy) {
  Dropped dropped;  // destroyed last, after the lock is gone
  Lock lock(mutex_);
  const auto began = Clock::now();
  Result result = Result::kQueued;
  if (policy == Policy::kWait &&
      !wait(lock, [&] { return blocks_ == 0 || overtaken(ticket) != Result::kQueued; }))
    result = Result::kDead;
  if (result == Result::kQueued) result = overtaken(ticket);
  if (result != Result::kQueued) {
    drop(std::move(block), reason_of(result), dropped);
    return result;
  }
  if (!make_room(block, policy, dropped)) return Result::kDropped;

  const bool settle = policy == Policy::kWait && (held_ || held_now());
  bool wake = false;
  const std::uint64_t serial = add(std::move(block), wake);
  if (wake) {
    lock.unlock();
    wake_();
    lock.lock();
  }
  if (settle &&
      !wait(lock, [&] { return pushed_serial_ >= serial || generation_ != ticket || eos_; }))
    return Result::kDead;
  counters_.waited += Clock::now() - began;
  return generation_ != ticket ? interruption_ : Result::kQueued;
}

BlockQueue::Result BlockQueue::offer(ItemPtr block, std::uint64_t ticket, Policy policy) {
  Dropped dropped;
  Lock lock(mutex_);
  const Result result = overtaken(ticket);
  if (result != Result::kQueued) {
    drop(std::move(block), reason_of(result), dropped);
    return result;
  }
  if (!make_room(block, policy, dropped)) return Result::kDropped;
  bool wake = false;
  add(std::move(block), wake);
  lock.unlock();
  if (wake) wake_();
  return Result::kQueued;
}

BlockQueue::Result BlockQueue::emit_replacing(ItemPtr block, std::uint64_t ticket) {
  Dropped dropped;
  Lock lock(mutex_);
  const Result result = overtaken(ticket);
  if (result != Result::kQueued) {
    drop(std::move(block), reason_of(result), dropped);
    return result;
  }
  remove_blocks(dropped, "black");
  bool wake = false;
  add(std::move(block), wake);
  lock.unlock();
  if (wake) wake_();
  return Result::kQueued;
}

void BlockQueue::add_in_order(ItemPtr item) {
  ItemPtr replaced;  // destroyed after the lock is gone
  Lock lock(mutex_);
  const std::size_t n = items_.size();
  if (n >= 2 && !items_[n - 1]->is_block && !items_[n - 2]->is_block) {
    replaced = std::move(items_.back());
    items_.pop_back();
  }
  bool wake = false;
  add(std::move(item), wake);
  lock.unlock();
  if (wake) wake_();
}

std::uint64_t BlockQueue::generation() {
  Lock lock(mutex_);
  return generation_;
}

ItemPtr BlockQueue::take() {
  Lock lock(mutex_);
  if (pushing_) {
    held_ = held_now();
    pushed_serial_ = pushing_serial_;
    pushing_ = false;
  }
  ItemPtr item;
  if (items_.empty()) {
    hungry_ = true;
  } else {
    item = std::move(items_.front());
    items_.pop_front();
    if (item->is_block) {
      blocks_--;
      counters_.blocks++;
      counters_.frames += item->frames;
      pushing_ = true;
      pushing_serial_ = item->serial;
      push_began_ = Clock::now();
    }
  }
  changed_.notify_all();
  return item;
}

void BlockQueue::put_back(ItemPtr block, std::uint64_t ticket) {
  Dropped dropped;
  Lock lock(mutex_);
  pushing_ = false;
  if (generation_ != ticket) return drop(std::move(block), reason_of(interruption_), dropped);
  blocks_++;
  counters_.blocks--;
  counters_.frames -= block->frames;
  items_.push_front(std::move(block));
}

void BlockQueue::begin_push() {
  Lock lock(mutex_);
  push_began_ = Clock::now();
}

void BlockQueue::woken() {
  Lock lock(mutex_);
  hungry_ = false;
}

void BlockQueue::drop_blocks(Result result) {
  Dropped dropped;
  Lock lock(mutex_);
  generation_++;
  interruption_ = result;
  remove_blocks(dropped, reason_of(result));
  changed_.notify_all();
}

void BlockQueue::start() {
  Lock lock(mutex_);
  eos_ = held_ = pushing_ = hungry_ = false;
}

void BlockQueue::stop() {
  std::deque<ItemPtr> items;
  Lock lock(mutex_);
  generation_++;
  interruption_ = Result::kStopped;
  for (const ItemPtr& item : items_) {
    counters_.dropped_flush += item->frames;
    item->drop_reason = reason_of(Result::kStopped);
  }
  items.swap(items_);
  blocks_ = 0;
  held_ = pushing_ = false;
  changed_.notify_all();
  lock.unlock();
}

std::uint64_t BlockQueue::current_push() {
  Lock lock(mutex_);
  return pushing_ ? pushing_serial_ : 0;
}

void BlockQueue::set_eos() {
  Lock lock(mutex_);
  eos_ = true;
  changed_.notify_all();
}

bool BlockQueue::eos() {
  Lock lock(mutex_);
  return eos_;
}

bool BlockQueue::room() {
  Lock lock(mutex_);
  return blocks_ == 0 && !held_now();
}

BlockQueue::Counters BlockQueue::counters() {
  Lock lock(mutex_);
  return counters_;
}

bool BlockQueue::empty() {
  Lock lock(mutex_);
  return items_.empty();
}

std::size_t BlockQueue::waiting_blocks() {
  Lock lock(mutex_);
  return blocks_;
}

}  // namespace reactor
