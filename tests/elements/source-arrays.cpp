// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Arrays as people leave them: whatever the strides, the picture downstream is the array's, nothing
// outside the array is read, and what a GStreamer format describes is not copied.
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "gst/reactor/arraylayout.h"
#include "gst/reactor/copyframes.h"
#include "tests/elements/source-fixture.h"

using namespace source_test;
using reactor::ArrayView;
using reactor::PixelFormat;

namespace {

// Memory that ends where a page without access begins, and begins where one ends: a byte read
// outside ends the test.
class Guarded {
 public:
  Guarded(gsize size, bool at_end) : size_(size) {
    const gsize page = static_cast<gsize>(sysconf(_SC_PAGESIZE));
    const gsize inner = (size + page - 1) / page * page;
    total_ = inner + 2 * page;
    base_ =
        static_cast<guint8*>(mmap(nullptr, total_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base_ + page, inner, PROT_READ | PROT_WRITE);
    data_ = at_end ? base_ + page + inner - size : base_ + page;
  }
  ~Guarded() { munmap(base_, total_); }
  guint8* data() { return data_; }
  gsize size() const { return size_; }

 private:
  gsize size_, total_;
  guint8 *base_, *data_;
};

guint8 element(const ArrayView& v, guint f, guint y, guint x, guint c) {
  return v.data[f * v.frame_stride + y * v.row_stride + x * v.pixel_stride + c * v.channel_stride];
}

// A random array inside guarded memory: an order of axes, padding, and for each axis perhaps a
// reversal, a step or a broadcast; sometimes one of the layouts that people have.
ArrayView random_view(std::mt19937& random, std::unique_ptr<Guarded>& memory) {
  ArrayView v;
  const auto up_to = [&](gint64 most) { return 1 + static_cast<gint64>(random()) % most; };
  // Two rows at least: GStreamer 1.22's videoconvert shows the first frame for ever when there is
  // one.
  std::array<gint64, 4> shape = {up_to(3), 1 + up_to(9), up_to(70), 3};
  std::array<int, 4> order = {0, 1, 2, 3};
  gint64 channels = 3;
  switch (random() % 8) {
    case 0:
      order = {3, 0, 1, 2};  // the recipe: planes over all frames
      break;
    case 1:
      order = {0, 3, 1, 2};  // planes of each frame
      break;
    case 2:
      std::shuffle(order.begin(), order.end(), random);
      break;
    case 3:
    case 4:
      channels = 4;
      break;
    default:
      break;
  }
  std::array<gint64, 4> stride{}, steps = {1, 1, 1, 1};
  std::array<bool, 4> reversed{};
  if (random() % 4 == 0) steps[0] = 2;
  for (int axis = 0; axis < 3; axis++) reversed[static_cast<size_t>(axis)] = random() % 6 == 0;
  reversed[3] = random() % 3 == 0;
  gint64 size = 1;
  for (int i = 3; i >= 0; i--) {
    const auto axis = static_cast<size_t>(order[static_cast<size_t>(i)]);
    stride[axis] = size;
    const gint64 extent = axis == 3 ? channels : shape[axis] * steps[axis];
    size *= extent;
    if (axis == 1 && i == 1 && random() % 3 == 0) size += 1;  // padding after the picture
    if (axis == 2 && random() % 3 == 0) size += static_cast<gint64>(random() % 7);  // padded rows
  }
  gint64 offset = 0;
  for (size_t axis = 0; axis < 4; axis++) {
    gint64 s = stride[axis] * steps[axis];
    if (random() % 12 == 0 && axis != 3) s = 0;  // broadcast
    if (reversed[axis]) {
      offset += s * (shape[axis] - 1);
      s = -s;
    }
    stride[axis] = s;
  }
  v.frames = static_cast<guint>(shape[0]);
  v.height = static_cast<guint>(shape[1]);
  v.width = static_cast<guint>(shape[2]);
  v.frame_stride = stride[0];
  v.row_stride = stride[1];
  v.pixel_stride = stride[2];
  v.channel_stride = stride[3];
  // The memory holds what the elements touch and nothing more.
  const auto extent = reactor::extent_of(v);
  memory = std::make_unique<Guarded>(static_cast<gsize>(extent.end - extent.first), random() % 2);
  for (gsize i = 0; i < memory->size(); i++) memory->data()[i] = static_cast<guint8>(random());
  v.data = memory->data() - extent.first;
  return v;
}

std::string describe_view(const ArrayView& v) {
  return std::to_string(v.frames) + "x" + std::to_string(v.height) + "x" + std::to_string(v.width) +
         " strides " + std::to_string(v.frame_stride) + " " + std::to_string(v.row_stride) + " " +
         std::to_string(v.pixel_stride) + " " + std::to_string(v.channel_stride);
}

// Emits the view and compares what arrives, as packed RGB, with the view's elements.
void check_emitted(Pipeline& p, const ArrayView& v, guint64 token) {
  g_autoptr(GError) error = nullptr;
  if (!gst_reactor_src_emit_array(p.src, const_cast<guint8*>(v.data), v.frames, v.height, v.width,
                                  v.frame_stride, v.row_stride, v.pixel_stride, v.channel_stride,
                                  token, nullptr, &error))
    fail("%s: %s", describe_view(v).c_str(), error->message);
  for (guint f = 0; f < v.frames; f++) {
    g_autoptr(GstSample) sample = p.pull();
    fail_unless(sample != nullptr);
    GstVideoInfo info;
    fail_unless(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
    GstVideoFrame frame;
    fail_unless(gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ));
    for (guint y = 0; y < v.height; y++)
      for (guint x = 0; x < v.width; x++)
        for (guint c = 0; c < 3; c++) {
          const auto* const row =
              static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)) +
              static_cast<gsize>(y) * static_cast<gsize>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0));
          if (row[x * 3 + c] != element(v, f, y, x, c))
            fail("%s: frame %u row %u pixel %u channel %u differs", describe_view(v).c_str(), f, y,
                 x, c);
        }
    gst_video_frame_unmap(&frame);
  }
}

}  // namespace

GST_START_TEST(the_table_describes_the_layouts_that_people_have) {
  const guint8 memory[1] = {};
  const auto format = [&](gint64 f, gint64 r, gint64 p, gint64 c) {
    const auto layout = reactor::describe({memory, 12, 704, 1280, f, r, p, c});
    return layout ? static_cast<int>(layout->format) : -1;
  };
  const auto is = [](PixelFormat f) { return static_cast<int>(f); };
  fail_unless_equals_int(format(2703360, 3840, 3, 1), is(PixelFormat::kRgb));
  fail_unless_equals_int(format(-2703360, 3840, 3, 1), is(PixelFormat::kRgb));
  fail_unless_equals_int(format(9999999, 4000, 3, 1), is(PixelFormat::kRgb));
  fail_unless_equals_int(format(3604480, 5120, 4, 1), is(PixelFormat::kRgbx));
  fail_unless_equals_int(format(2703360, 3840, 3, -1), is(PixelFormat::kBgr));
  fail_unless_equals_int(format(3604480, 5120, 4, -1), is(PixelFormat::kBgrx));
  fail_unless_equals_int(format(901120, 1280, 1, 10813440), is(PixelFormat::kRgbp));
  fail_unless_equals_int(format(2703360, 1280, 1, 901120), is(PixelFormat::kRgbp));
  fail_unless_equals_int(format(901120, 1280, 1, -10813440), is(PixelFormat::kBgrp));
  fail_unless_equals_int(format(2703360, -3840, 3, 1), -1);              // flipped
  fail_unless_equals_int(format(2703360, 0, 3, 1), -1);                  // broadcast
  fail_unless_equals_int(format(2703360, 3, 2112, 1), -1);               // transposed
  fail_unless_equals_int(format(2703360, 3840, -3, 1), -1);              // mirrored
  fail_unless_equals_int(format(901120, 1280, 1, 0), -1);                // grey
  fail_unless_equals_int(format(0, 3840, 3, 1), is(PixelFormat::kRgb));  // one frame many times
}
GST_END_TEST;

GST_START_TEST(every_copy_equals_the_array) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; round++) {
    std::unique_ptr<Guarded> memory;
    const ArrayView v = random_view(random, memory);
    fail_unless(problem_with(v).empty());
    const gsize row = v.width * 3 + random() % 5, frame = row * v.height + random() % 5;
    Guarded out(frame * (v.frames - 1) + row * (v.height - 1) + v.width * 3, true);
    memset(out.data(), 0x55, out.size());
    copy_frames(v, out.data(), frame, row);
    for (guint f = 0; f < v.frames; f++)
      for (guint y = 0; y < v.height; y++) {
        const guint8* const at = out.data() + f * frame + y * row;
        for (guint x = 0; x < v.width; x++)
          for (guint c = 0; c < 3; c++)
            if (at[x * 3 + c] != element(v, f, y, x, c))
              fail("%s: frame %u row %u pixel %u", describe_view(v).c_str(), f, y, x);
        // Padding is left alone.
        if (y + 1 < v.height)
          for (gsize k = v.width * 3; k < row; k++) fail_unless_equals_int(at[k], 0x55);
      }
  }
}
GST_END_TEST;

GST_START_TEST(large_blocks_take_the_streaming_path_and_are_equal) {
  // Above the size from which stores go past the cache.
  const guint width = 1280, height = 360, frames = 4;
  std::vector<guint8> planar(3 * frames * height * width);
  std::mt19937 random(8);
  for (auto& byte : planar) byte = static_cast<guint8>(random());
  const gint64 plane = frames * height * width;
  const ArrayView v{planar.data(), frames, height, width, height * width, width, 1, plane};
  std::vector<guint8> out(planar.size() + 16);
  guint8* const aligned = out.data() + (16 - reinterpret_cast<guintptr>(out.data()) % 16) % 16;
  copy_frames(v, aligned, width * height * 3, width * 3);
  for (gsize i = 0; i < planar.size(); i += 3)
    for (gsize c = 0; c < 3; c++)
      if (aligned[i + c] != planar[i / 3 + c * static_cast<gsize>(plane)])
        fail("byte %" G_GSIZE_FORMAT " differs", i + c);
}
GST_END_TEST;

// A property test over random arrays: lent through videoconvert (which understands GstVideoMeta),
// lent to an appsink (which does not), to a caps filter that wants RGB, and copied.
GST_START_TEST(the_picture_is_the_arrays_however_it_lies) {
  const char* const middles[] = {
      "videoconvert n-threads=1 ! capsfilter caps=video/x-raw,format=RGB", "",
      "capsfilter caps=video/x-raw,format=RGB"};
  std::mt19937 random(9);
  guint64 token = 1;
  for (const char* const middle : middles) {
    Pipeline p(middle);
    if (!*middle) g_object_set(p.sink, "caps", nullptr, nullptr);
    for (int round = 0; round < 40; round++) {
      std::unique_ptr<Guarded> memory;
      const ArrayView v = random_view(random, memory);
      const auto layout = describe(v);
      // A bare appsink takes other formats as they are; what they look like is videoconvert's
      // business.
      if (!*middle && layout && layout->format != PixelFormat::kRgb) continue;
      check_emitted(p, v, 0);
      check_emitted(p, v, token);
      // The array comes back before its memory goes: appsink keeps the last sample, so push it out.
      guint8 black[3] = {};
      fail_unless(gst_reactor_src_emit_block_copy(p.src, black, 3, 1, 1, 1, nullptr));
      gst_sample_unref(p.pull());
      fail_unless_equals_uint64(gst_reactor_src_wait_released(p.src, 10 * GST_SECOND), token);
      token++;
    }
  }
}
GST_END_TEST;

GST_START_TEST(what_a_format_describes_is_lent_and_the_pointer_proves_it) {
  // Not passed through: videoconvert itself answers for GstVideoMeta.
  Pipeline p("capsfilter name=c ! videoconvert ! video/x-raw,format=I420", true,
             "fakesink name=sink sync=false enable-last-sample=false");
  static std::atomic<const guint8*> seen{nullptr};
  static std::atomic<bool> meta{false};
  GstElement* const filter = gst_bin_get_by_name(GST_BIN(p.pipeline), "c");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(filter, "src");
  gst_object_unref(filter);
  gst_pad_add_probe(
      pad, static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST),
      [](GstPad*, GstPadProbeInfo* info, gpointer) {
        GstBuffer* const buffer = info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST
                                      ? gst_buffer_list_get(GST_PAD_PROBE_INFO_BUFFER_LIST(info), 0)
                                      : GST_PAD_PROBE_INFO_BUFFER(info);
        GstMapInfo map;
        if (!seen && gst_buffer_map(buffer, &map, GST_MAP_READ)) {
          seen = map.data;
          meta = gst_buffer_get_video_meta(buffer) != nullptr;
          gst_buffer_unmap(buffer, &map);
        }
        return GST_PAD_PROBE_OK;
      },
      nullptr, nullptr);
  const guint w = 64, h = 16, n = 3;
  std::vector<guint8> data(4 * w * h * n + 4);
  struct Case {
    gint64 f, r, p, c;
    gsize first;   // offset of element [0, 0, 0, 0]
    gsize lowest;  // of the first frame's lowest byte
    bool meta;
  };
  const gint64 plane = w * h * n;
  const Case cases[] = {{w * h * 3, w * 3, 3, 1, 0, 0, false},
                        {w * h * 3, w * 3, 3, -1, 2, 0, false},
                        {w * h * 4, w * 4, 4, 1, 0, 0, false},
                        {w * h * 4, w * 4, 4, -1, 2, 0, false},
                        {w * h, w, 1, plane, 0, 0, true},
                        {w * h, w, 1, -plane, static_cast<gsize>(2 * plane), 0, true},
                        {-static_cast<gint64>(w * h * 3), w * 3, 3, 1, w * h * 6, w * h * 6, false},
                        {w * h * 3, w * 3, 3, 1, 1, 1, false}};
  guint64 token = 100;
  for (const Case& c : cases) {
    seen = nullptr;
    fail_unless(gst_reactor_src_emit_array(p.src, data.data() + c.first, n, h, w, c.f, c.r, c.p,
                                           c.c, token, nullptr, nullptr));
    fail_unless_equals_uint64(gst_reactor_src_wait_released(p.src, 10 * GST_SECOND), token++);
    fail_unless(seen == data.data() + c.lowest, "case %d", static_cast<int>(&c - cases));
    fail_unless(meta == c.meta);
  }
  fail_unless_equals_uint64(p.stat("lent"), G_N_ELEMENTS(cases));
}
GST_END_TEST;

// A red line at x = 3, at widths whose rows are no multiple of 4 bytes, past every kind of
// neighbour.
GST_START_TEST(odd_widths_arrive_undistorted) {
  const char* const middles[] = {
      "", "identity drop-allocation=true", "capsfilter caps=video/x-raw,format=RGB",
      "videoconvert n-threads=1 ! video/x-raw,format=BGR ! videoconvert n-threads=1 ! "
      "capsfilter caps=video/x-raw,format=RGB"};
  for (const char* const middle : middles) {
    Pipeline p(middle);
    for (const guint width : {1278u, 641u, 5u, 1u}) {
      const guint height = 9;
      Guarded memory(width * height * 3, true);
      memset(memory.data(), 0, memory.size());
      if (width > 3)
        for (guint y = 0; y < height; y++) memory.data()[(y * width + 3) * 3] = 255;
      const ArrayView v = ArrayView::packed(memory.data(), 1, height, width);
      check_emitted(p, v, 0);
      std::atomic<int> released{0};
      fail_unless(gst_reactor_src_emit_block(p.src, memory.data(), memory.size(), 1, height, width,
                                             count_release, &released, nullptr));
      {
        g_autoptr(GstSample) sample = p.pull();
        GstVideoInfo info;
        fail_unless(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
        GstVideoFrame frame;
        fail_unless(
            gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ));
        for (guint y = 0; y < height; y++)
          for (guint x = 0; x < width; x++) {
            const auto* const at =
                static_cast<const guint8*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)) +
                y * static_cast<guint>(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0)) + x * 3;
            fail_unless_equals_int(at[0], x == 3 ? 255 : 0);
            fail_unless_equals_int(at[1], 0);
          }
        gst_video_frame_unmap(&frame);
      }
      guint8 black[3] = {};
      fail_unless(gst_reactor_src_emit_block_copy(p.src, black, 3, 1, 1, 1, nullptr));
      gst_sample_unref(p.pull());
      fail_unless(eventually([&] { return released == 1; }));
    }
  }
}
GST_END_TEST;

GST_START_TEST(caps_stay_while_layouts_do) {
  Pipeline p("videoconvert ! video/x-raw,format=I420", true,
             "fakesink name=sink sync=false enable-last-sample=false");
  const guint w = 32, h = 16, n = 2;
  std::vector<guint8> data(3 * w * h * n);
  g_autoptr(GstPad) pad = gst_element_get_static_pad(GST_ELEMENT(p.src), "src");
  std::atomic<int> caps{0};
  gst_pad_add_probe(
      pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      [](GstPad*, GstPadProbeInfo* info, gpointer count) {
        if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_CAPS)
          (*static_cast<std::atomic<int>*>(count))++;
        return GST_PAD_PROBE_OK;
      },
      &caps, nullptr);
  for (guint64 token = 1; token < 20; token++) {
    fail_unless(gst_reactor_src_emit_array(p.src, data.data(), n, h, w, w * h, w, 1, w * h * n,
                                           token, nullptr, nullptr));
    fail_unless(p.wait_frames(token * 3 - 1));
    fail_unless(gst_reactor_src_emit_black(p.src, nullptr));
    fail_unless(p.wait_frames(token * 3));
  }
  fail_unless_equals_int(caps, 1);
}
GST_END_TEST;

GST_START_TEST(frames_carry_their_metadata) {
  Pipeline p;
  std::vector<guint8> data(3 * 4 * 4 * 3);
  const gchar* metadata[] = {"{\"a\":1}", "", "[2]", nullptr};
  const auto emit = [&](const gchar* const* texts, GError** error) {
    return gst_reactor_src_emit_array(p.src, data.data(), 3, 4, 4, 48, 12, 3, 1, 0, texts, error);
  };
  fail_unless(emit(metadata, nullptr));
  for (int i = 0; i < 3; i++) {
    g_autoptr(GstSample) sample = p.pull();
    const gchar* const json =
        gst_buffer_get_reactor_frame_meta(gst_sample_get_buffer(sample))->json;
    fail_unless_equals_string(json, *metadata[i] ? metadata[i] : nullptr);
  }
  const gchar* bad[] = {"{\"a\":1}", "{", "", nullptr};
  g_autoptr(GError) error = nullptr;
  fail_if(emit(bad, &error));
  fail_unless(g_error_matches(error, GST_REACTOR_ERROR, GST_REACTOR_ERROR_JSON));
  fail_unless(strstr(error->message, "frame 1") != nullptr, "%s", error->message);
  // A refused lent array comes back as well.
  g_clear_error(&error);
  fail_if(
      gst_reactor_src_emit_array(p.src, data.data(), 0, 4, 4, 48, 12, 3, 1, 77, nullptr, &error));
  fail_unless_equals_uint64(gst_reactor_src_wait_released(p.src, GST_SECOND), 77);
}
GST_END_TEST;

GST_START_TEST(waiting_for_tokens_ends_with_the_pipeline) {
  Pipeline p;
  fail_unless_equals_uint64(gst_reactor_src_wait_released(p.src, 1), 0);
  std::atomic<bool> returned{false};
  std::thread waiter([&] {
    fail_unless_equals_uint64(gst_reactor_src_wait_released(p.src, GST_CLOCK_TIME_NONE), 0);
    returned = true;
  });
  std::this_thread::sleep_for(50ms);
  fail_if(returned);
  gst_element_set_state(p.pipeline, GST_STATE_NULL);
  waiter.join();
}
GST_END_TEST;

// The streaming thread is in the middle of a copy when the pipeline stops.
GST_START_TEST(a_stop_during_a_copy_ends_at_once) {
  const guint w = 1280, h = 704, n = 6;
  std::vector<guint8> data(static_cast<gsize>(3) * w * h * n);
  for (int round = 0; round < 12; round++) {
    Pipeline p("capsfilter caps=video/x-raw,format=RGB");
    fail_unless(gst_reactor_src_emit_array(p.src, data.data(), n, h, w, w * h, w, 1,
                                           static_cast<gint64>(w) * h * n, 5, nullptr, nullptr));
    std::this_thread::sleep_for(std::chrono::microseconds(round * 700));
    const auto begin = Clock::now();
    gst_element_set_state(p.pipeline, GST_STATE_NULL);
    fail_unless(seconds_since(begin) < 3);
    fail_unless_equals_uint64(gst_reactor_src_wait_released(p.src, 5 * GST_SECOND), 5);
  }
}
GST_END_TEST;

static Suite* arrays_suite() {
  Suite* const suite = suite_create("source-arrays");
  TCase* const tc = tcase_create("general");
  tcase_set_timeout(tc, 60);
  suite_add_tcase(suite, tc);
  tcase_add_test(tc, the_table_describes_the_layouts_that_people_have);
  tcase_add_test(tc, every_copy_equals_the_array);
  tcase_add_test(tc, large_blocks_take_the_streaming_path_and_are_equal);
  tcase_add_test(tc, the_picture_is_the_arrays_however_it_lies);
  tcase_add_test(tc, what_a_format_describes_is_lent_and_the_pointer_proves_it);
  tcase_add_test(tc, odd_widths_arrive_undistorted);
  tcase_add_test(tc, caps_stay_while_layouts_do);
  tcase_add_test(tc, frames_carry_their_metadata);
  tcase_add_test(tc, a_stop_during_a_copy_ends_at_once);
  tcase_add_test(tc, waiting_for_tokens_ends_with_the_pipeline);
  return suite;
}

GST_CHECK_MAIN(arrays);
