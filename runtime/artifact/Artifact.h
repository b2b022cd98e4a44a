//===- Artifact.h - A program from an artifact ----------------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_ARTIFACT_H
#define AFT_RUNTIME_ARTIFACT_ARTIFACT_H

#include "runtime/artifact/ArtifactFile.h"
#include "runtime/core/CompiledProgram.h"
#include "runtime/core/InternalApi.h"

namespace aft {

class Artifact : public CompiledProgram {
public:
  /// Verifies and loads.
  static Failure open(const std::string &path, const LoadOptions &options,
                      std::shared_ptr<Artifact> &artifact);

  Artifact(ProgramCode code, int threads, std::shared_ptr<VerifiedArtifact> file);

  const CompileStats &stats() const override { return compileStats; }
  std::string report() const override { return "{}"; }
  Status save(const std::string &path, const SaveOptions &options) const override;

  const Manifest &manifest() const { return file->manifest; }
  const std::string &manifestText() const { return file->manifestText; }
  const Safetensors &weights() const { return file->weights; }

  /// The values of an entry as callers see them: without the weights, and counted so.
  /// Aliases and partners are numbers of these.
  struct Signature {
    std::vector<ManifestValue> arguments, results;
  };
  const Signature &signature(size_t entry) const { return signatures[entry]; }

private:
  std::shared_ptr<VerifiedArtifact> file;
  std::vector<Signature> signatures;
  CompileStats compileStats;
};

/// The entry that a caller means who names none: `main`, else `forward`, else the only
/// one; -1 where that leaves a choice.
AFT_INTERNAL int defaultEntry(const std::vector<EntryInfo> &entries);

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_ARTIFACT_H
