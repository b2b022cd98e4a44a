//===- ManifestFuzz.cpp - What an artifact says of itself -----------------===//

#include "Target.h"

#include "runtime/artifact/Header.h"
#include "runtime/artifact/Manifest.h"

using namespace aft;
using namespace aft::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Manifest manifest, again;
  if (Status status = Manifest::parse(textOf(data, size), manifest); !status.ok()) {
    promiseMessage(status.message);
    promise(status.message.find(", found ") != std::string::npos, "an error says what was found");
    return 0;
  }
  std::string printed = manifest.print();
  promise(Manifest::parse(printed, again).ok(), "what is printed can be read");
  promise(again.print() == printed, "what is printed reads as it was");
  promise(!manifest.entries.empty(), "there is an entry");
  (void)headerText(manifest, "fuzz");
  return 0;
}
