//===- Log.cpp - Messages that AFT_LOG switches on ------------------------===//

#include "runtime/core/Log.h"

#include <cstdio>
#include <cstdlib>

bool aft::logs(const char *topic) {
  static const std::string wanted = [] {
    const char *list = std::getenv("AFT_LOG");
    return list ? "," + std::string(list) + "," : std::string();
  }();
  return !wanted.empty() && wanted.find("," + std::string(topic) + ",") != std::string::npos;
}

void aft::log(const char *topic, const std::string &message) {
  if (logs(topic))
    std::fprintf(stderr, "aft: %s: %s\n", topic, message.c_str());
}
