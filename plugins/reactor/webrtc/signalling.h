// The border between signalling and transport inside reactorwebrtcsink.
//
// A *signaller* speaks one protocol (WHEP, the Reactor local protocol, the page's own) and knows no
// webrtcbin; the *host* owns the viewers and knows no HTTP. Everything here is bound to one thread,
// the sink's service thread, which runs the service GMainContext: calls are made there and
// callbacks arrive there. Nothing here blocks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reactor::webrtc {

// Why a request was refused: becomes the HTTP status and {"error":{"code","message"}}.
struct Refusal {
  int status = 400;     // HTTP status
  std::string code;     // stable, machine-readable: "no-common-codec"
  std::string message;  // what was wrong, what was expected
};

// Who asks, as far as the access rules know it. A view-only viewer may neither command nor stop the
// session.
enum class Role { kFull, kViewOnly };

struct Offer {
  std::string sdp;
  std::string protocol;  // "whep", "reactor": for /stats and for the log
  Role role = Role::kFull;
  std::string
      local_address;  // on which the HTTP request came in: ICE candidates are gathered there
  std::string
      remote_address;  // from which it came: stands in for candidates hidden behind .local names
  std::string media_name;        // name of the video track, "main_video"
  bool trickle = false;          // answer at once; candidates of the peer follow by add_candidate
  bool control_channel = false;  // expects a second data channel "control" (Reactor 2.12)
};

struct Answer {
  std::string viewer;  // id of the viewer, 128 random bits in hex; also its WHEP resource
  std::string sdp;     // complete: gathering is done
};

struct Candidate {
  std::string candidate;
  std::string mid;
  std::optional<unsigned> mline;
};

// Exactly one of the two is set.
struct OfferResult {
  std::optional<Answer> answer;
  std::optional<Refusal> refusal;
};

using OfferDone = std::function<void(OfferResult)>;

// What signallers may ask of the sink.
class ViewerHost {
 public:
  virtual ~ViewerHost() = default;

  // Checks the whole offer first: a refusal has touched nothing. `done` is called exactly once,
  // also when the sink stops in between.
  virtual void add_viewer(Offer offer, OfferDone done) = 0;
  // A new offer of a viewer that is there. The working connection stays until the new one is
  // accepted.
  virtual void replace_viewer(std::string_view viewer, Offer offer, OfferDone done) = 0;
  // False when there is no such viewer.
  virtual bool remove_viewer(std::string_view viewer, std::string_view reason) = 0;
  virtual bool add_candidate(std::string_view viewer, const Candidate& candidate) = 0;
  virtual bool has_viewer(std::string_view viewer) const = 0;
  // How many there are, of all protocols, connected or about to be.
  virtual unsigned viewers() const = 0;
  // Tracks of the Reactor protocol: media of a paused track is not sent.
  virtual bool set_track_paused(std::string_view viewer, bool paused) = 0;

  // A message from a viewer's data channel enters here too; signallers may inject one (tests,
  // HTTP).
  virtual std::optional<Refusal> command(std::string_view viewer, std::string_view json,
                                         Role role) = 0;

  // The session of all viewers of all protocols. `start_session` is idempotent and returns the id.
  virtual std::string start_session() = 0;
  virtual std::optional<std::string> session() const = 0;  // id of the running one
  virtual void stop_session(std::string_view reason) = 0;

  // {"commands":[{name,description,schema}]} of the model, "{}" before it said so.
  virtual std::string capabilities() const = 0;
  virtual std::string stats_json() const = 0;    // GET /stats
  virtual std::string metrics_text() const = 0;  // GET /metrics, Prometheus text format
  // GET /healthz: empty when a model can serve, otherwise why not.
  virtual std::string unhealthy() const = 0;
};

}  // namespace reactor::webrtc
