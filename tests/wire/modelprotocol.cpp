// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The model socket's codec: each op, each refusal with its code, the geometry of blocks, what the
// source writes, and garbage.
#include "gst/wire/modelprotocol.h"

#include <random>
#include <string>

#include "gst/wire/jsonvalue.h"
#include "gst/wire/ratelimit.h"
#include "tests/wire/check.h"

using namespace reactor::wire;

static ModelPacket good(std::string_view text) {
  auto parsed = parse_model_packet(text);
  if (const auto* error = std::get_if<ModelError>(&parsed))
    FAIL("«%.*s»: %s", static_cast<int>(text.size()), text.data(), error->message.c_str());
  return std::get<ModelPacket>(parsed);
}

static ModelError bad(std::string_view text, ModelErrorCode code) {
  auto parsed = parse_model_packet(text);
  const auto* error = std::get_if<ModelError>(&parsed);
  if (!error) FAIL("«%.*s» accepted", static_cast<int>(text.size()), text.data());
  if (error->code != code)
    FAIL("«%.*s»: %s: %s", static_cast<int>(text.size()), text.data(), name_of(error->code),
         error->message.c_str());
  CHECK(!error->message.empty());
  return *error;
}

static void every_op_is_understood() {
  CHECK(good(R"({"op":"hello","protocol":1,"name":"my model","more":[{}]})").name == "my model");
  const ModelPacket pool = good(R"({"op":"pool","id":3,"size":100,"slots":2,"seq":9})");
  CHECK(pool.op == ModelOp::kPool && pool.id == 3 && pool.size == 100 && pool.slots == 2);
  CHECK(pool.seq == 9);
  CHECK(good(R"({"op":"drop-pool","id":-3})").id == -3);
  const ModelPacket block = good(R"({"op":"block","pool":1,"slot":1,"shape":[12,704,1280,3]})");
  CHECK(block.strides[0] == 704 * 1280 * 3 && block.strides[1] == 1280 * 3);
  CHECK(block.strides[2] == 3 && block.strides[3] == 1 && block.offset == 0);
  CHECK(!block.compute && !block.command && block.meta.empty());
  const ModelPacket full = good(
      R"({"op":"block","pool":1,"slot":0,"shape":[2,4,5,3],"strides":[20,-5,1,40],"offset":15,)"
      R"("format":"RGB","compute_ns":5,"command":7,"meta":[ {"a": 1} ,null]})");
  CHECK(full.strides[1] == -5 && full.offset == 15 && full.compute == 5 && full.command == 7);
  CHECK(full.meta.size() == 2 && full.meta[0] == R"({"a": 1})" && full.meta[1].empty());
  CHECK(good(R"({"op":"black"})").op == ModelOp::kBlack);
  CHECK(good(R"({"op":"flush","seq":4})").seq == 4);
  CHECK(good(R"({"op":"monitoring","enabled":true})").enabled);
  const ModelPacket send = good(R"({"op":"send","data": [1, 2.50] ,"to":"v","with_frame":3})");
  CHECK(send.data == "[1, 2.50]" && send.to == "v" && send.with_frame == 3);
  CHECK(good(R"({"op":"runtime","data":{}})").data == "{}");
  CHECK(good(R"({"\u006fp":"bl\u0061ck"})").op == ModelOp::kBlack);
}

static void refusals_have_their_codes() {
  bad("", ModelErrorCode::kJson);
  bad("[]", ModelErrorCode::kJson);
  bad(R"({"op":"black",})", ModelErrorCode::kJson);
  bad(R"({"op":"black","op":"flush"})", ModelErrorCode::kJson);
  bad(std::string(kMaxModelPacket + 1, ' '), ModelErrorCode::kPacket);
  bad("{}", ModelErrorCode::kOp);
  bad(R"({"op":5})", ModelErrorCode::kOp);
  const ModelError unknown = bad(R"({"op":"blakc","seq":12})", ModelErrorCode::kOp);
  CHECK(unknown.about == "blakc" && unknown.seq == 12);
  bad(R"({"op":"black","seq":1.5})", ModelErrorCode::kField);
  bad(R"({"op":"hello"})", ModelErrorCode::kField);
  bad(R"({"op":"hello","protocol":2})", ModelErrorCode::kProtocol);
  bad(R"({"op":"pool","id":"a","size":1,"slots":1})", ModelErrorCode::kField);
  bad(R"({"op":"pool","id":1,"size":0,"slots":1})", ModelErrorCode::kField);
  bad(R"({"op":"pool","id":1,"size":1,"slots":0})", ModelErrorCode::kField);
  bad(R"({"op":"pool","id":1,"size":1,"slots":65})", ModelErrorCode::kLimit);
  bad(R"({"op":"drop-pool"})", ModelErrorCode::kField);
  const std::string block = R"({"op":"block","pool":1,"slot":0,"shape":)";
  for (const char* shape : {"[1,2,3]", "[1,2,3,4]", "[0,2,3,3]", "[1,2,3,3,1]", "[1,2,-3,3]",
                            "[1.0,2,3,3]", "7", "null"})
    bad(block + shape + "}", ModelErrorCode::kShape);
  bad(R"({"op":"block","pool":1,"slot":0})", ModelErrorCode::kShape);
  for (const char* shape :
       {"[257,2,3,3]", "[1,8193,3,3]", "[1,2,8193,3]", "[9007199254740992,1,1,3]"})
    bad(block + shape + "}", ModelErrorCode::kLimit);
  good(block + "[256,8192,8192,3]}");
  for (const char* more : {R"("strides":[1,2,3])", R"("strides":{})", R"("strides":[1,2,3,"4"])"})
    bad(block + "[1,2,3,3]," + more + "}", ModelErrorCode::kStrides);
  for (const char* more : {R"("offset":-1)", R"("compute_ns":-1)", R"("command":"x")",
                           R"("format":"BGR")", R"("meta":[])", R"("meta":{"a":1})"})
    bad(block + "[1,2,3,3]," + more + "}", ModelErrorCode::kField);
  bad(R"({"op":"block","pool":1,"slot":-1,"shape":[1,1,1,3]})", ModelErrorCode::kField);
  const auto text = [](std::size_t size) { return "\"" + std::string(size - 2, 'x') + "\""; };
  good(block + "[1,2,3,3],\"meta\":[" + text(16382) + "]}");
  bad(block + "[1,2,3,3],\"meta\":[" + text(16383) + "]}", ModelErrorCode::kTooLarge);
  good(R"({"op":"send","data":)" + text(65536) + "}");
  bad(R"({"op":"send","data":)" + text(65537) + "}", ModelErrorCode::kTooLarge);
  bad(R"({"op":"send"})", ModelErrorCode::kField);
  bad(R"({"op":"send","data":1,"to":5})", ModelErrorCode::kField);
  bad(R"({"op":"send","data":1,"with_frame":-1})", ModelErrorCode::kField);
  bad(R"({"op":"monitoring","enabled":1})", ModelErrorCode::kField);
  CHECK(closes(ModelErrorCode::kHello) && closes(ModelErrorCode::kFlood));
  CHECK(!closes(ModelErrorCode::kOp) && !closes(ModelErrorCode::kSession));
}

static void blocks_lie_within_their_slot() {
  ModelPacket block = good(R"({"op":"block","pool":1,"slot":0,"shape":[2,4,5,3]})");
  CHECK(lies_within(block, 120) && !lies_within(block, 119));
  block.offset = 1;
  CHECK(lies_within(block, 121) && !lies_within(block, 120));
  block.strides[1] = -15;  // rows upwards
  block.offset = 45;
  CHECK(lies_within(block, 120) && !lies_within(block, 119));
  block.offset = 44;
  CHECK(!lies_within(block, 120));
  block.strides[0] = block.strides[1] = block.strides[2] = block.strides[3] = 0;
  block.offset = 0;
  CHECK(lies_within(block, 1));
  block = good(R"({"op":"block","pool":1,"slot":0,"shape":[256,8192,8192,3],"strides":)"
               R"([9007199254740992,9007199254740992,9007199254740992,9007199254740992]})");
  CHECK(!lies_within(block, std::int64_t{1} << 32));
  for (auto& stride : block.strides) stride = -stride;
  CHECK(!lies_within(block, std::int64_t{1} << 32));
}

static void what_the_source_writes_is_json() {
  const std::string nasty = "a\"b\\c\n\x01\xff é";
  for (const std::string& text :
       {write_hello({}), write_hello(ModelSession{nasty, true, ""}), write_busy(123),
        write_error({ModelErrorCode::kSlot, nasty, nasty, 5}), write_release(-1, 2),
        write_flushed({}), write_flushed(7), write_session({nasty, false, nasty}),
        write_viewer(nasty, true), write_shown(1, 2, 3, 0, ""), write_shown(1, {}, {}, 4, nasty),
        write_command(1, nasty, "{\"type\":1}"), write_command(1, "", "[]"),
        write_stats({1e300, 0.0 / 0.0, 1, 2, 3, 4})}) {
    JsonCheck check;
    const auto value = JsonValue::parse(text, &check);
    if (!value) FAIL("%s: %s at %zu", text.c_str(), check.problem, check.offset);
    CHECK(value->member("op") && value->member("op")->string());
  }
}

static void a_rate_limit_allows_a_burst_and_then_its_rate() {
  RateLimit limit(100);
  RateLimit::Time now{std::chrono::seconds(1)};
  int taken = 0;
  while (limit.take(now)) taken++;
  CHECK(taken == 200);
  now += std::chrono::milliseconds(500);
  for (taken = 0; limit.take(now);) taken++;
  CHECK(taken >= 49 && taken <= 50);
}

static void garbage_is_refused_without_harm() {
  std::mt19937 random(2);
  const std::string seeds[] = {
      R"({"op":"block","pool":1,"slot":0,"shape":[2,4,5,3],"strides":[60,15,3,1],"meta":[{"a":[1]},null]})",
      R"({"op":"pool","id":3,"size":100,"slots":2,"seq":9})",
      R"({"op":"send","data":{"x":"\u00e9"},"to":"v"})",
      R"({"op":"hello","protocol":1,"name":"n"})"};
  static constexpr char kAlphabet[] = "{}[]\",:\\u0019aetrufnl.-+ \n\x80\xc3\xff";
  for (int round = 0; round < 100000; round++) {
    std::string text = seeds[random() % 4];
    for (unsigned k = 0; k <= random() % 3; k++) {
      const std::size_t at = random() % text.size();
      if (random() % 2)
        text[at] = kAlphabet[random() % (sizeof kAlphabet - 1)];
      else
        text.erase(at, 1 + random() % 3);
      if (text.empty()) text = "{";
    }
    const auto parsed = parse_model_packet(text);
    if (const auto* error = std::get_if<ModelError>(&parsed)) {
      if (!JsonValue::parse(write_error(*error))) FAIL("error for «%s» is no JSON", text.c_str());
    } else {
      lies_within(std::get<ModelPacket>(parsed), 1000);
    }
  }
}

int main() {
  every_op_is_understood();
  refusals_have_their_codes();
  blocks_lie_within_their_slot();
  what_the_source_writes_is_json();
  a_rate_limit_allows_a_burst_and_then_its_rate();
  garbage_is_refused_without_harm();
  return 0;
}
