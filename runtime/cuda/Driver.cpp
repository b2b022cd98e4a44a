//===- Driver.cpp - NVIDIA's driver, loaded when it is needed -------------===//

#include "runtime/cuda/Driver.h"

#include "runtime/core/Log.h"

#include <dlfcn.h>

using namespace aft;
using namespace aft::cuda;

static constexpr const char *kLibrary = "libcuda.so.1";

std::string cuda::versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string Driver::nameOf(Result result) const {
  const char *name = nullptr, *text = nullptr;
  if (getErrorName(result, &name) != Result::Success || !name)
    return "error " + std::to_string(static_cast<int>(result));
  if (getErrorString(result, &text) != Result::Success || !text)
    return name;
  return std::string(name) + " (" + text + ")";
}

Status Driver::check(Result result, const std::string &what) const {
  if (result == Result::Success)
    return {};
  return {what + ": " + nameOf(result)};
}

Status Driver::load(const std::string &path) {
  // Drivers do not bear being unloaded.
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char *reason = dlerror();
    return {"no CUDA driver: the system does not load '" + path + "' (" +
            (reason ? reason : "no reason given") +
            "); it comes with NVIDIA's driver for the GPU, a CUDA toolkit is not needed"};
  }
  std::string missing; // the first, and how many more
  int others = -1;
#define AFT_CUDA_LOOK_UP(name, symbol, parameters)                                                 \
  name = reinterpret_cast<Result(*) parameters>(dlsym(library, symbol));                           \
  if (!name && ++others == 0)                                                                      \
    missing = symbol;
  AFT_CUDA_FUNCTIONS(AFT_CUDA_LOOK_UP)
#undef AFT_CUDA_LOOK_UP
  if (others > 0)
    missing += " and " + std::to_string(others) + " more functions";
  // An old driver says its version itself.
  if (!missing.empty() && !driverGetVersion)
    return {"'" + path + "' is no CUDA driver: it lacks " + missing};
  int version = 0;
  if (driverGetVersion(&version) != Result::Success || version < kLeastVersion)
    return {"the CUDA driver is too old: '" + path + "' is for CUDA " + versionText(version) +
            ", needed is " + versionText(kLeastVersion) + " or later (NVIDIA driver 525 or later)"};
  found = version;
  if (!missing.empty())
    return {"the CUDA driver '" + path + "' for CUDA " + versionText(version) + " lacks " +
            missing};
  return {};
}

Status Driver::initialize(const std::string &path) {
  Result result = init(0);
  if (result == Result::NoDevice)
    return {"no GPU: the CUDA driver '" + path +
            "' finds no device that this process may use "
            "(CUDA_VISIBLE_DEVICES may hide some)"};
  return check(result, "the CUDA driver '" + path + "' cannot be used");
}

Status Driver::open(const std::string &path, std::shared_ptr<const Driver> &driver) {
  auto made = std::make_shared<Driver>();
  if (Status status = made->load(path); !status.ok())
    return status;
  if (Status status = made->initialize(path); !status.ok())
    return status;
  log("runtime", "CUDA driver '" + path + "' for CUDA " + versionText(made->version()));
  driver = std::move(made);
  return {};
}

Status Driver::shared(std::shared_ptr<const Driver> &driver) {
  struct Once {
    std::shared_ptr<const Driver> driver;
    Status status = Driver::open(kLibrary, driver);
  };
  // Never destroyed: programs may still run while the process exits.
  static const Once &once = *new Once;
  driver = once.driver;
  return once.status;
}
