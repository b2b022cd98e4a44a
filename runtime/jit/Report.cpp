//===- Report.cpp - The data of reports -----------------------------------===//

#include "runtime/jit/Report.h"

#include "aft/report.h"
#include "compiler/report/Page.h"
#include "runtime/core/File.h"
#include "runtime/core/Roof.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"

#include <cmath>
#include <fstream>
#include <map>

using namespace aft;

using llvm::json::Array;
using llvm::json::Object;
using llvm::json::Value;

//===----------------------------------------------------------------------===//
// The compilation
//===----------------------------------------------------------------------===//

static Object optionsOf(const PipelineOptions &options) {
  Object result{{"training", options.training.has_value()}};
  if (const auto &training = options.training) {
    result["loss"] = training->lossEntry;
    result["beta1"] = training->beta1;
    result["beta2"] = training->beta2;
    result["eps"] = training->eps;
    result["weight decay"] = training->weightDecay;
    result["clip norm"] = training->clipNorm;
  }
  return result;
}

static std::string textOf(Value value) {
  std::string text;
  llvm::raw_string_ostream(text) << value;
  return text;
}

/// What the factors of a kernel's products are on a GPU: those of tensor cores, else of f32.
static std::string precisionOf(const Target &target, const CompileReport::Kernel &kernel) {
  llvm::StringRef kind = kernel.kind;
  bool multiplies = kind == "matmul" || kind == "full" || kind == "full_grad";
  if (multiplies && kernel.element == "f32" && target.tf32)
    return "tf32";
  return (multiplies && kernel.element == "bf16") || kernel.element == "f64" ? kernel.element
                                                                             : "f32";
}

static Object targetOf(const Target &target) {
  Object result{{"cpu", target.cpu},
                {"features", target.features},
                {"vectorBits", target.vectorBits},
                {"bf16", target.bf16}};
  if (!target.threadBlocks())
    return result;
  result["device"] = target.device == Device::Cuda ? "cuda" : "cuda-emulated";
  if (target.device == Device::Cuda)
    result["gpu"] = target.gpu;
  result["f32Products"] = target.tf32 ? "tf32" : "exact";
  return result;
}

std::string aft::compilationText(const std::string &program, const PipelineOptions &options,
                                 const CompileReport &report) {
  Object result = report.toJSON();
  result["program"] = program;
  result["compiler"] = Object{{"version", AFT_VERSION}, {"llvm", LLVM_VERSION_STRING}};
  result["target"] = targetOf(options.target);
  if (options.target.threadBlocks())
    for (auto [kernel, value] : llvm::zip(report.kernels, *result.getArray("kernels")))
      (*value.getAsObject())["precision"] = precisionOf(options.target, kernel);
  result["options"] = optionsOf(options);
  return textOf(std::move(result));
}

/// The text as an object; an empty one where it is none.
static Object parse(const std::string &text) {
  llvm::Expected<Value> value = llvm::json::parse(text);
  if (!value) {
    llvm::consumeError(value.takeError());
    return {};
  }
  Object *object = value->getAsObject();
  return object ? std::move(*object) : Object();
}

static Object roofOf(const Roof &roof) {
  Array bandwidths;
  for (const Roof::Bandwidth &bandwidth : roof.bandwidths)
    bandwidths.push_back(Object{{"bytes", bandwidth.bytes}, {"perSecond", bandwidth.perSecond}});
  Object result{{"vectors", roof.vectors},
                {"peak", roof.flopsPerSecond},
                {"bandwidths", std::move(bandwidths)}};
  if (!roof.source.empty())
    result["source"] = roof.source;
  Object peaks;
  for (const Roof::Peak &peak : roof.peaks)
    peaks[peak.precision] = peak.flopsPerSecond;
  if (!peaks.empty())
    result["peaks"] = std::move(peaks);
  return result;
}

std::string aft::withStats(const std::string &compilation, const CompileStats &stats,
                           bool cacheEnabled, const MachineFacts *machine) {
  Object report = parse(compilation);
  if (machine)
    report["machine"] = Object{{"name", machine->name}, {"roof", roofOf(machine->roof)}};
  report["cache"] = stats.fromCache ? "hit" : cacheEnabled ? "miss" : "off";
  report["milliseconds"] = stats.milliseconds;
  return textOf(std::move(report));
}

Status aft::writeReportText(const std::string &path, const std::string &text) {
  Value report = parse(text);
  std::string content =
      llvm::StringRef(path).ends_with(".json") ? printReport(report) : renderPage(report);
  return writeFile(path, {content});
}

//===----------------------------------------------------------------------===//
// The runs
//===----------------------------------------------------------------------===//

std::string aft::processorName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (llvm::StringRef(line).starts_with("model name"))
      return llvm::StringRef(line).split(':').second.trim().str();
  return llvm::sys::getHostCPUName().str();
}

/// What the launches of a kernel by an entry do in one run, at its extents.
static std::pair<double, double> workOf(const Object &report, llvm::StringRef entry,
                                        llvm::StringRef kernel, llvm::ArrayRef<double> extents) {
  double flops = 0, bytes = 0;
  const Array *entries = report.getArray("entries");
  for (const Value &candidate : entries ? *entries : Array()) {
    const Object &described = *candidate.getAsObject();
    const Array *launches = described.getArray("launches");
    if (described.getString("name") != entry || !launches)
      continue;
    for (const Value &value : *launches) {
      const Object &launch = *value.getAsObject();
      if (launch.getString("kernel") != kernel)
        continue;
      flops += Expression::fromJSON(*launch.get("flops")).evaluate(extents).value_or(NAN);
      bytes += Expression::fromJSON(*launch.get("bytes")).evaluate(extents).value_or(NAN);
    }
  }
  return {flops, bytes};
}

/// JSON has no NaN.
static Value known(double value) { return std::isfinite(value) ? Value(value) : Value(nullptr); }

static Object runOf(const Object &report, const Profile &profile, Value machine, Value roof) {
  Array entries, kernels;
  int threads = 1;
  std::map<std::string, std::vector<double>> extents;
  for (const EntryTotal &total : profile.entries()) {
    threads = std::max(threads, total.threads);
    extents[total.entry].assign(total.extents.begin(), total.extents.end());
    entries.push_back(Object{{"entry", total.entry},
                             {"runs", total.runs},
                             {"ms", total.milliseconds},
                             {"kernelMs", total.kernelMilliseconds},
                             {"arenaBytes", total.arenaBytes},
                             {"threads", total.threads},
                             {"extents", Array(total.extents)}});
  }
  for (const KernelTotal &total : profile.kernels()) {
    auto [flops, bytes] = workOf(report, total.entry, total.kernel, extents[total.entry]);
    kernels.push_back(Object{{"entry", total.entry},
                             {"kernel", total.kernel},
                             {"launches", total.launches},
                             {"ms", total.milliseconds},
                             {"threadMs", total.threadMilliseconds},
                             {"flops", known(flops)},
                             {"bytes", known(bytes)}});
  }
  return Object{{"threads", threads},
                {"machine", std::move(machine)},
                {"entries", std::move(entries)},
                {"kernels", std::move(kernels)},
                {"roof", std::move(roof)}};
}

Status aft::writeReport(const std::string &path, const Program &program, const Profile *profile) {
  std::string text = program.report();
  if (!profile || profile->entries().empty())
    return writeReportText(path, text);
  Object report = parse(text);
  int threads = profile->entries().front().threads;
  if (const Object *gpu = report.getObject("machine"))
    report["run"] = runOf(report, *profile, *gpu->get("name"), *gpu->get("roof"));
  else
    report["run"] =
        runOf(report, *profile, processorName(), roofOf(measureRoof(ThreadPool::shared(threads))));
  return writeReportText(path, textOf(std::move(report)));
}
