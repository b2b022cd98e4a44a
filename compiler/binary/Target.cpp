//===- Target.cpp - The CPU that code is generated for --------------------===//

#include "compiler/binary/Target.h"

#include "runtime/artifact/CpuFeatures.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"

#include <mutex>

using namespace aft;

static const llvm::Target *lookupTarget(std::string &error) {
  static std::once_flag once;
  std::call_once(once, [] { llvm::InitializeNativeTarget(); });
  return llvm::TargetRegistry::lookupTarget(llvm::sys::getDefaultTargetTriple(), error);
}

/// Where f16 is a type of the CPU, LLVM 19 builds vectors of bf16 from f16, but cannot
/// select the constants among them; no code computes in f16. And 256-bit vectors are its
/// preference on some CPUs that have wider ones.
static constexpr const char *kHalves = "avx512fp16", *kUnwanted = "-prefer-256-bit,-avx512fp16";

/// Whether this process may use a feature of which LLVM says that the CPU has it or not:
/// tiles have to be asked for.
static bool hasHere(const llvm::StringMapEntry<bool> &feature) {
  llvm::StringRef name = feature.first();
  return name.starts_with("amx-") ? cpuHas(name.str()) : feature.second;
}

template <typename Has> static void deduce(Target &target, Has has) {
  if (has("avx512f") && has("avx512vl") && has("avx512bw") && has("avx512dq"))
    target.vectorBits = 512;
  else if (has("avx2") && has("fma"))
    target.vectorBits = 256;
  target.bf16 = has("avx512bf16") && has("avx512vl");
  if (target.bf16 && target.vectorBits == 512)
    target.pairDots = PairDots::Hardware;
  target.tiles = target.pairDots == PairDots::Hardware && has("amx-tile") && has("amx-bf16");
}

Target Target::host() {
  Target target;
  target.cpu = llvm::sys::getHostCPUName().str();
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  for (auto &feature : features)
    feature.second = hasHere(feature) && feature.first() != kHalves;
  llvm::SmallVector<llvm::StringRef> names(features.keys().begin(), features.keys().end());
  llvm::sort(names);
  for (llvm::StringRef name : names)
    target.features +=
        (target.features.empty() ? "" : ",") + std::string(features[name] ? "+" : "-") + name.str();
  target.features += std::string(",") + kUnwanted;
  deduce(target, [&](llvm::StringRef name) { return features.lookup(name); });
  return target;
}

Target Target::named(const std::string &name, std::string &error) {
  if (name == "native" || name.empty())
    return host();
  Target target;
  target.cpu = name;
  const llvm::Target *backend = lookupTarget(error);
  if (!backend)
    return target;
  std::string triple = llvm::sys::getDefaultTargetTriple();
  std::unique_ptr<llvm::MCSubtargetInfo> info(backend->createMCSubtargetInfo(triple, "", ""));
  if (!info->isCPUStringValid(name)) {
    error = "unknown CPU '" + name + "', expected native or a CPU name of LLVM";
    return target;
  }
  info.reset(backend->createMCSubtargetInfo(triple, name, ""));
  deduce(target,
         [&](llvm::StringRef feature) { return info->checkFeatures(("+" + feature).str()); });
  target.features = kUnwanted;
  return target;
}

/// What LLVM 19 knows and has the instructions that kernels use, in order.
static constexpr llvm::StringLiteral kArchitectures[] = {"sm_80", "sm_86", "sm_87",
                                                         "sm_89", "sm_90", "sm_90a"};

void Target::setGpu(int capability) {
  device = Device::Cuda;
  for (llvm::StringRef known : kArchitectures) {
    bool own = known.ends_with("a");
    int number = 0;
    known.drop_front(3).drop_back(own).getAsInteger(10, number);
    if (own ? number == capability : number <= capability)
      gpu = known.str();
  }
}

std::string Target::setDevice(const std::string &name) {
  llvm::StringRef rest = name;
  if (rest == "cpu" || rest == "cuda-emulated") {
    device = rest == "cpu" ? Device::Cpu : Device::CudaEmulated;
    return "";
  }
  if (!rest.consume_front("cuda") || (!rest.empty() && !rest.consume_front(":")))
    return "unknown target '" + name + "', expected cpu, cuda, cuda:sm_XX or cuda-emulated";
  device = Device::Cuda;
  if (rest.empty() && name == "cuda")
    return "";
  if (!llvm::is_contained(kArchitectures, rest))
    return "unknown architecture '" + rest.str() +
           "' of target cuda, expected sm_80, sm_86, "
           "sm_87, sm_89, sm_90 or sm_90a";
  gpu = rest.str();
  return "";
}

std::string Target::missingHere() const {
  std::string error, missing;
  const llvm::Target *backend = lookupTarget(error);
  if (!backend)
    return missing;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      backend->createMCSubtargetInfo(llvm::sys::getDefaultTargetTriple(), cpu, features));
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    if (!hasHere(feature) && info->checkFeatures(("+" + feature.first()).str()))
      missing += (missing.empty() ? "" : ",") + feature.first().str();
  return missing;
}

std::vector<std::string> Target::enabled(const std::vector<std::string> &names) const {
  std::string error;
  std::vector<std::string> result;
  const llvm::Target *backend = lookupTarget(error);
  if (!backend)
    return result;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      backend->createMCSubtargetInfo(llvm::sys::getDefaultTargetTriple(), cpu, features));
  for (const std::string &name : names)
    if (info->checkFeatures("+" + name))
      result.push_back(name);
  return result;
}
