// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Queue: what waits in reactorpace, in stream order: frames under the ids that the pacer gave them,
// and serialized events, queries and black frames, which keep their place between frames.
//
// A block's frames may be announced before they are here (a converter upstream splits a block into
// single buffers): such a frame is a place that `fill` fills. Frames may be taken out of the middle
// (drops); the place is then skipped.
//
// Thread-compatible: the owner serialises calls. Never unrefs: what leaves is moved out.
#pragma once

#include "handles.h"

#include <cstdint>
#include <deque>
#include <optional>

namespace reactor::pace {

struct Item {
  enum class Kind { kFrame, kEvent, kQuery, kBlack, kGone };
  Kind kind = Kind::kGone;
  std::uint64_t id = 0;  // frame: the pacer's; others: of the frame before them
  BufferPtr buffer;      // frame: null until it is here; black: null when it is still to be made
  EventPtr event;
  GstQuery* query = nullptr;      // the asking thread waits and owns it
  std::uint64_t block = 0;        // key in the ledger
  unsigned index = 0, count = 1;  // of the frame in its block; black that no model sent: 0 frames
  bool lost = false;              // a frame that will not come any more
};

class Queue {
 public:
  void add_frame(std::uint64_t id, std::uint64_t block, unsigned index, unsigned count,
                 BufferPtr buffer);
  // Fills the place of frame `id`; the buffer comes back when there is none.
  BufferPtr fill(std::uint64_t id, BufferPtr buffer);
  // Frames from `id` on that are not here will not come.
  void lose_from(std::uint64_t id);
  // Before the first frame that is not here yet, else at the end.
  void add_event(EventPtr event);
  void add_query(GstQuery* query);
  void add_black(BufferPtr buffer, std::optional<std::uint64_t> block);

  Item* front();  // null when empty
  Item pop();
  std::optional<Item> take(std::uint64_t id);  // a frame, from anywhere
  std::optional<Item> take_black();
  std::optional<Item> take_query(GstQuery* query);
  std::deque<Item> take_all();

  std::size_t here() const { return here_; }  // frames with a buffer
  std::size_t waiting_events() const { return events_; }
  bool has_black() const { return blacks_ > 0; }

 private:
  void insert(Item item);
  void leaves(const Item& item);
  std::deque<Item>::iterator find(std::uint64_t id);

  std::deque<Item> items_;
  std::uint64_t last_id_ = 0;
  std::size_t here_ = 0, events_ = 0, blacks_ = 0, places_ = 0;
};

}  // namespace reactor::pace
