// SPDX-License-Identifier: LGPL-2.1-or-later

#include "pace/queue.h"

#include <algorithm>
#include <utility>

namespace reactor::pace {

void Queue::add_frame(std::uint64_t id, std::uint64_t block, unsigned index, unsigned count,
                      BufferPtr buffer) {
  Item item;
  item.kind = Item::Kind::kFrame;
  item.id = last_id_ = id;
  item.block = block;
  item.index = index;
  item.count = count;
  if (buffer)
    ++here_;
  else
    ++places_;
  item.buffer = std::move(buffer);
  items_.push_back(std::move(item));
}

std::deque<Item>::iterator Queue::find(std::uint64_t id) {
  auto it = std::lower_bound(items_.begin(), items_.end(), id,
                             [](const Item& item, std::uint64_t key) { return item.id < key; });
  while (it != items_.end() && it->id == id && it->kind != Item::Kind::kFrame) ++it;
  return it != items_.end() && it->id == id ? it : items_.end();
}

BufferPtr Queue::fill(std::uint64_t id, BufferPtr buffer) {
  auto it = find(id);
  if (it == items_.end() || it->buffer || it->lost) return buffer;
  it->buffer = std::move(buffer);
  ++here_;
  --places_;
  return {};
}

void Queue::lose_from(std::uint64_t id) {
  for (auto it = std::lower_bound(items_.begin(), items_.end(), id,
                                  [](const Item&item, std::uint64_t key) { return item.id < key; });
       it != items_.end(); ++it) {
    if (it->kind != Item::Kind::kFrame || it->buffer || it->lost) continue;
    it->lost = true;
    --places_;
  }
}

void Queue::insert(Item item) {
  auto place = items_.end();
  if (places_ > 0)
    place = std::find_if(items_.begin(), items_.end(), [](const Item& i) {
      return i.kind == Item::Kind::kFrame && !i.buffer && !i.lost;
    });
  // Ids stay in order: what stands before a frame has the id of the frame before it.
  item.id = place == items_.begin() ? 0 : place == items_.end() ? last_id_ : std::prev(place)->id;
  items_.insert(place, std::move(item));
}

void Queue::add_event(EventPtr event) {
  Item item;
  item.kind = Item::Kind::kEvent;
  item.event = std::move(event);
  ++events_;
  insert(std::move(item));
}

void Queue::add_query(GstQuery* query) {
  Item item;
  item.kind = Item::Kind::kQuery;
  item.query = query;
  insert(std::move(item));
}

void Queue::add_black(BufferPtr buffer, std::optional<std::uint64_t> block) {
  Item item;
  item.kind = Item::Kind::kBlack;
  item.buffer = std::move(buffer);
  item.block = block.value_or(0);
  item.count = block ? 1 : 0;
  ++blacks_;
  insert(std::move(item));
}

void Queue::leaves(const Item& item) {
  switch (item.kind) {
    case Item::Kind::kFrame:
      if (item.buffer)
        --here_;
      else if (!item.lost)
        --places_;
      break;
    case Item::Kind::kEvent:
      --events_;
      break;
    case Item::Kind::kBlack:
      --blacks_;
      break;
    default:
      break;
  }
}

Item* Queue::front() {
  while (!items_.empty() && items_.front().kind == Item::Kind::kGone) items_.pop_front();
  return items_.empty() ? nullptr : &items_.front();
}

Item Queue::pop() {
  Item item = std::move(*front());
  items_.pop_front();
  leaves(item);
  return item;
}

namespace {
// Moves an item out and leaves a skipped place with its id, so that ids stay in order.
Item move_out(Item& place) {
  const std::uint64_t id = place.id;
  Item item = std::move(place);
  place = Item{};
  place.id = id;
  return item;
}
}  // namespace

std::optional<Item> Queue::take(std::uint64_t id) {
  auto it = find(id);
  if (it == items_.end()) return {};
  Item item = move_out(*it);
  leaves(item);
  return item;
}

std::optional<Item> Queue::take_black() {
  for (Item& i : items_) {
    if (i.kind != Item::Kind::kBlack) continue;
    Item item = move_out(i);
    leaves(item);
    return item;
  }
  return {};
}

std::optional<Item> Queue::take_query(GstQuery* query) {
  for (Item& i : items_)
    if (i.kind == Item::Kind::kQuery && i.query == query) return move_out(i);
  return {};
}

std::deque<Item> Queue::take_all() {
  here_ = events_ = blacks_ = places_ = 0;
  return std::exchange(items_, {});
}

}  // namespace reactor::pace
