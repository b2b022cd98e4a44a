//===- Npy.h - Reading and writing NumPy's array files --------------------===//

#ifndef AFT_RUNTIME_CORE_NPY_H
#define AFT_RUNTIME_CORE_NPY_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

#include <string>
#include <vector>

namespace aft {

/// An array that owns its memory: row-major, element type as in `dtype`.
struct AFT_INTERNAL Array {
  DType dtype = DType::f32;
  std::vector<int64_t> shape;
  std::vector<char> bytes;

  Buffer buffer() { return {bytes.data(), dtype, shape}; }
  int64_t elements() const;
  /// Element `i` as a double.
  double at(int64_t i) const;
  void set(int64_t i, double value);
};

/// An array of zeros; fails when its size does not fit memory.
AFT_INTERNAL Status makeArray(DType dtype, const std::vector<int64_t> &shape, Array &array);

/// Reads a .npy file (versions 1 to 3; bool, i8, i32, i64, f32, f64, little
/// endian, C order). The error names the file, what was expected and found.
AFT_INTERNAL Status readNpy(const std::string &path, Array &array);

/// Writes a .npy file under a temporary name and renames it, so that a failure
/// leaves no half file. bf16 is written as f32.
AFT_INTERNAL Status writeNpy(const std::string &path, const Array &array);

/// The array with another element type; numbers are rounded to nearest.
AFT_INTERNAL Status convertArray(const Array &from, DType dtype, Array &to);

} // namespace aft

#endif // AFT_RUNTIME_CORE_NPY_H
