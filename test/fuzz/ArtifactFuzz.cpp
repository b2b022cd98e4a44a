//===- ArtifactFuzz.cpp - The verification of artifacts -------------------===//
// A changed byte hardly ever has the right hash. So that more than the hashes is
// tried, each input gets the seal that fits it; nothing of it is run.

#include "Target.h"

#include "runtime/artifact/ArtifactFile.h"

#include <cstring>

using namespace aft;
using namespace aft::fuzz;

static void check(const std::string &path, bool trustWeights) {
  LoadOptions options;
  options.trustWeights = trustWeights;
  VerifiedArtifact artifact;
  Failure failure = readArtifact(path, options, /*anyCPU=*/true, artifact);
  promise(failure.ok() == failure.message.empty(), "a failure has a message");
  if (!failure.ok())
    return promiseMessage(failure.message);
  promise(!artifact.manifest.entries.empty() &&
              artifact.code.size() == static_cast<size_t>(artifact.manifest.codeBytes),
          "what is verified is whole");
  for (const ManifestEntry &entry : artifact.manifest.entries)
    for (const ManifestValue &value : entry.arguments)
      promise(value.tensor.empty() || artifact.weights.find(value.tensor),
              "every weight has its tensor");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static InputFile file;
  std::string bytes(textOf(data, size));
  check(file.put(bytes), /*trustWeights=*/false);
  ArtifactSections sections;
  if (findSections(bytes, sections).ok() || sections.sealOffset == 0)
    return 0;
  auto digest = sealDigest(bytes, sections);
  std::memcpy(bytes.data() + sections.sealOffset + offsetof(Seal, digest), digest.data(),
              digest.size());
  check(file.put(bytes), /*trustWeights=*/true);
  return 0;
}
