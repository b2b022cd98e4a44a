//===- Reference.h - Programs run by the reference interpreter ------------===//

#ifndef AFT_RUNTIME_JIT_REFERENCE_H
#define AFT_RUNTIME_JIT_REFERENCE_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"
#include "runtime/core/Npy.h"

namespace aft {

/// What an entry computes, as far as the accuracy contract asks.
struct ReferenceFacts {
  /// The entry is one mixer on its own arguments: errors are relative to the
  /// largest entry of input `values`. Otherwise to the largest of the result.
  bool isMixer = false;
  int values = -1;
  /// The input whose relu gates the values: it has no bound, so its size counts.
  int gates = -1;
  /// Products of f32, those of aft.full included, may have rounded their factors to TF32.
  bool tf32 = false;
  int products = 0; ///< that the program has
};

/// The public functions of a program as they are written, without compiling it.
AFT_INTERNAL Status readEntries(const std::string &text, const std::string &name,
                                std::vector<EntryInfo> &entries);

/// Evaluates an entry in double precision. Results are f64 or i64 arrays.
AFT_INTERNAL Status runReference(const std::string &text, const std::string &name,
                                 const std::string &entry, const std::vector<Buffer> &inputs,
                                 std::vector<Array> &outputs, ReferenceFacts &facts);

/// One compiled result beside the reference's.
struct Comparison {
  double error = 0;  ///< largest, relative to the scale; infinite where NaNs or infinities differ
  double limit = 0;  ///< of the accuracy contract
  int64_t place = 0; ///< flat index of the largest error
  bool good() const { return error <= limit; }
};

/// Compares result `output`; `inputs` are those of both runs.
AFT_INTERNAL Comparison compareWithReference(const Array &found, const Array &expected,
                                             const std::vector<Buffer> &inputs,
                                             const ReferenceFacts &facts);

} // namespace aft

#endif // AFT_RUNTIME_JIT_REFERENCE_H
