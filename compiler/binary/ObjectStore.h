//===- ObjectStore.h - Object code of kernels that were compiled before ---===//

#ifndef AFT_COMPILER_BINARY_OBJECTSTORE_H
#define AFT_COMPILER_BINARY_OBJECTSTORE_H

#include <optional>
#include <string>

namespace aft {

/// Keeps object files by a hash (64 hexadecimal digits) of everything that they depend on but
/// this build of the compiler. Several threads use it at once.
class ObjectStore {
public:
  virtual ~ObjectStore() = default;
  virtual std::optional<std::string> load(const std::string &key) = 0;
  virtual void store(const std::string &key, const std::string &object) = 0;
};

} // namespace aft

#endif // AFT_COMPILER_BINARY_OBJECTSTORE_H
