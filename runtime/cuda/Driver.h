//===- Driver.h - NVIDIA's driver, loaded when it is needed ---------------===//

#ifndef AFT_RUNTIME_CUDA_DRIVER_H
#define AFT_RUNTIME_CUDA_DRIVER_H

#include "aft/program.h"
#include "runtime/cuda/DriverApi.h"

#include <memory>
#include <string>

namespace aft::cuda {

/// The functions of a driver that has been initialised. It stays in the process.
class Driver {
public:
  /// What CUDA 12.0 brought: PTX 8.0 and updates of graphs.
  static constexpr int kLeastVersion = 12000;

  /// The system's libcuda.so.1, which the linker finds; loaded once. No variable of ours
  /// names another library: it would be run with the rights of the process.
  static Status shared(std::shared_ptr<const Driver> &driver);

  /// The same from a file.
  static Status open(const std::string &path, std::shared_ptr<const Driver> &driver);

  /// Empty for Success; else `what` and the driver's name and text of the error.
  Status check(Result result, const std::string &what) const;
  /// "CUDA_ERROR_OUT_OF_MEMORY (out of memory)"
  std::string nameOf(Result result) const;

  int version() const { return found; }

#define AFT_CUDA_MEMBER(name, symbol, parameters) Result(*name) parameters = nullptr;
  AFT_CUDA_FUNCTIONS(AFT_CUDA_MEMBER)
#undef AFT_CUDA_MEMBER

private:
  Status load(const std::string &path);
  Status initialize(const std::string &path);

  int found = 0;
};

/// "12.4" of 12040.
std::string versionText(int version);

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_DRIVER_H
