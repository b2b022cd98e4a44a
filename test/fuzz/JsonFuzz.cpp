//===- JsonFuzz.cpp - Texts in JSON ---------------------------------------===//

#include "Target.h"

#include "runtime/core/Json.h"

using namespace aft;
using namespace aft::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text = textOf(data, size);
  Json value, again;
  Status status = Json::parse(text, value);
  if (status.ok()) {
    std::string printed = value.print();
    promise(Json::parse(printed, again).ok(), "what is printed can be read");
    promise(again.print() == printed, "what is printed reads as it was");
  } else {
    promiseMessage(status.message);
    promise(status.message.find(" at byte ") != std::string::npos, "an error has a place");
  }
  JsonLimits python;
  python.python = true;
  bool good = Json::parse(text, again, python).ok();
  promise(good || !status.ok(), "Python's texts are a superset");
  JsonLimits small;
  small.nesting = 2;
  small.values = 8;
  (void)Json::parse(text, again, small);
  return 0;
}
