//===- Log.cpp - Messages that AFT_LOG switches on ------------------------===//

#include "runtime/core/Log.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

using namespace aft;

static constexpr const char *kTopics[] = {"compile", "cache", "runtime"};

void aft::warn(const std::string &message) {
  std::fprintf(stderr, "aft: warning: %s\n", message.c_str());
}

/// The topics of AFT_LOG; warns about others.
static std::set<std::string> readTopics() {
  std::set<std::string> topics;
  const char *list = std::getenv("AFT_LOG");
  std::istringstream stream(list ? list : "");
  for (std::string topic; std::getline(stream, topic, ',');) {
    bool known = false;
    for (const char *name : kTopics)
      known |= topic == name;
    if (known)
      topics.insert(topic);
    else if (!topic.empty())
      warn("AFT_LOG: expected a comma-separated list of compile, cache and runtime, found '" +
           topic + "', which is ignored");
  }
  return topics;
}

bool aft::logs(const char *topic) {
  static const std::set<std::string> wanted = readTopics();
  return !wanted.empty() && wanted.count(topic) > 0;
}

void aft::log(const char *topic, const std::string &message) {
  if (logs(topic))
    std::fprintf(stderr, "aft: %s: %s\n", topic, message.c_str());
}
