//===- Data.h - The bytes a model is trained and measured on --------------===//

#ifndef AFT_EXAMPLES_CHARLM_DATA_H
#define AFT_EXAMPLES_CHARLM_DATA_H

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace charlm {

/// A file's bytes, the last tenth of them held out.
class Data {
public:
  using Batch = std::pair<at::Tensor, at::Tensor>;

  /// Reads `path`; throws std::runtime_error with a message that names the file
  /// when it cannot be read or is too short for one sequence of `context` + 1
  /// bytes in each part.
  Data(const std::string &path, int64_t context);

  /// The batch of a step: inputs and targets [batch, context] (int64), drawn
  /// from the training part. Depends on (seed, step) alone, so that a resumed
  /// run sees the batches that an uninterrupted one would.
  Batch batch(int64_t size, uint64_t seed, int64_t step) const;

  /// Held-out batch `index` of consecutive sequences; undefined tensors at the
  /// end. All batches but the last have `size` sequences.
  Batch heldOut(int64_t size, int64_t index) const;

  int64_t trainingBytes() const { return split; }
  int64_t heldOutBytes() const { return static_cast<int64_t>(bytes.size()) - split; }

private:
  Batch gather(const std::vector<int64_t> &starts) const;
  std::vector<char> bytes;
  int64_t split = 0, context;
};

} // namespace charlm

#endif // AFT_EXAMPLES_CHARLM_DATA_H
