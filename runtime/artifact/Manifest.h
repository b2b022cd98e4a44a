//===- Manifest.h - What an artifact says of itself -----------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_MANIFEST_H
#define AFT_RUNTIME_ARTIFACT_MANIFEST_H

#include "runtime/artifact/Failure.h"
#include "runtime/core/Json.h"
#include "runtime/core/RunRecord.h"
#include "runtime/cuda/DeviceCode.h"

namespace aft {

/// The latest version of the format, which has code for a GPU. It rises with every change
/// that an earlier loader would misread.
constexpr int kArtifactFormat = 2;
/// The oldest that is read, and what is written where there is nothing that it lacks.
constexpr int kOldestArtifactFormat = 1;

/// Where an argument's value comes from and where a result goes.
enum class ArgumentRole {
  Caller,
  Weight, ///< `tensor` of the weights; no argument that callers see
  State,  ///< the `partner`'th result of the last call; `tensor`, if any, at first
  Step,   ///< a session's count
  Seed,   ///< of dropout
};

struct ManifestValue {
  ValueInfo info; ///< `alias` counts all arguments
  ArgumentRole role = ArgumentRole::Caller;
  int partner = -1;   ///< state: the result of an argument, the argument of a result
  std::string tensor; ///< in the weights
};

struct ManifestEntry {
  std::string name;
  std::vector<ManifestValue> arguments, results;
};

struct ManifestWeights {
  std::string file;   ///< beside the artifact; "": inside, or none
  int64_t bytes = 0;  ///< 0: none
  std::string sha256; ///< of all of them
};

/// The part of a program that runs on a GPU: its images stand one after the other.
struct ManifestDevice {
  struct Image {
    bool isPtx = false; ///< else a cubin
    std::string arch;   ///< "sm_90a"
    int64_t bytes = 0;
  };
  std::vector<Image> images; ///< empty: the program is for the CPU alone
  std::vector<cuda::KernelCode> kernels;
  int64_t bytes = 0;  ///< of all images
  std::string sha256; ///< of all of them

  /// "sm_90a, sm_90 (PTX)"
  AFT_INTERNAL std::string architectures() const;
};

struct Manifest {
  int format = kOldestArtifactFormat;
  std::string compiler, llvm;
  std::string arch, cpu; ///< the CPU's name chose how code is scheduled, no more
  std::vector<std::string> features;
  Json options = Json::object();
  std::vector<ManifestEntry> entries;
  std::vector<std::string> checks;
  std::vector<KernelInfo> kernels;
  int launches = 0;
  int64_t steps = 0; ///< that training had done when it was saved
  ManifestWeights weights;
  ManifestDevice device;
  std::string codeId;     ///< SHA-256 of what the code was made of; the code has it, too
  int64_t codeBytes = 0;  ///< the first of the file
  std::string codeSha256; ///< of these bytes

  std::string print() const;
  /// Reads the text and checks that what it says is consistent.
  static Status parse(std::string_view text, Manifest &manifest);
};

/// "f32 [?, 8]", for messages.
std::string typeText(DType dtype, const std::vector<int64_t> &shape);

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_MANIFEST_H
