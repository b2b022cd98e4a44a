//===- Mixer.h - What the operators know of a mixer -----------------------===//

#ifndef AFT_TORCH_OPS_MIXER_H
#define AFT_TORCH_OPS_MIXER_H

#include "frontends/torch/ops/Kernels.h"

#include <optional>

namespace aft::ops {

/// A mixer's name ("full", "local", "simple", "conv") and attributes.
struct MixerKind {
  std::string name;
  bool causal = false;
  std::string gate = "sigmoid";
  int64_t window = 0;
  std::vector<int64_t> grid;

  bool hasBias() const { return name != "simple"; }
  const char *biasName() const;
};

/// Operands; bias is undefined for simple, lengths where all keys count.
struct MixerOperands {
  Tensor q, k, v, bias, lengths;
};

/// Dimension letters of a mixer's operands, see Operation.
struct MixerLayout {
  std::string query = "BTd", key = "BSd", value = "BSd", bias, logz = "BTd";
};

/// Checks element types and shapes (those that are concrete) and returns the
/// letters; throws c10::Error with the operand, what was expected and found.
MixerLayout checkMixer(const MixerKind &kind, const MixerOperands &operands, Extents &extents);

/// Throws c10::Error unless the name is that of a gate.
void checkGate(const std::string &op, const std::string &gate);

/// (y, ratio, logz); only y unless `saved`.
std::vector<Tensor> mixerForward(const MixerKind &kind, const MixerOperands &operands,
                                 bool saved);
/// (dq, dk, dv, dbias), without dbias for simple.
std::vector<Tensor> mixerBackward(const MixerKind &kind, const MixerOperands &operands,
                                  const Tensor &dy, const Tensor &ratio, const Tensor &logz);

} // namespace aft::ops

#endif // AFT_TORCH_OPS_MIXER_H
