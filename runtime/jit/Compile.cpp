//===- Compile.cpp - From program text to a package -----------------------===//

#include "runtime/jit/Compile.h"

#include "compiler/binary/Codegen.h"
#include "compiler/binary/PairRate.h"
#include "compiler/binary/Ptxas.h"
#include "compiler/kernels/Interface.h"
#include "compiler/nvvm/Device.h"
#include "compiler/report/PassTimer.h"
#include "dialect/ir/AFT.h"
#include "runtime/core/Log.h"
#include "runtime/cuda/Device.h"
#include "runtime/jit/Cache.h"
#include "runtime/jit/Context.h"
#include "runtime/jit/Tune.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"

#include <atomic>
#include <cmath>

using namespace mlir;
using namespace aft;

static LogicalResult convert(ArrayRef<InterfaceValue> values, std::vector<ValueInfo> &result,
                             func::FuncOp entry) {
  for (const InterfaceValue &value : values) {
    std::optional<DType> dtype = dtypeOf(value.type.getElementType());
    if (!dtype)
      return entry.emitError() << "entry '" << entry.getName() << "' has a value of type "
                               << value.type << ", whose element type is not supported";
    ValueInfo info;
    info.name = value.name;
    info.alias = static_cast<int>(value.alias);
    info.type.dtype = *dtype;
    for (int64_t extent : value.type.getShape())
      info.type.shape.push_back(ShapedType::isDynamic(extent) ? kDynamic : extent);
    for (int64_t i = 0; value.limits && i < value.limits.size(); i += 2)
      info.limits.push_back({value.limits[i], value.limits[i + 1]});
    result.push_back(std::move(info));
  }
  return success();
}

/// The operands of a kernel in the form that the vector phase leaves: memrefs,
/// then the range of its grid.
static KernelInfo describeKernel(func::FuncOp kernel) {
  KernelInfo info;
  info.name = kernel.getName().str();
  for (Type type : kernel.getArgumentTypes())
    if (auto memref = dyn_cast<MemRefType>(type))
      info.operands.push_back({static_cast<int>(memref.getRank()),
                               std::max<int64_t>(1, memref.getElementTypeBitWidth() / 8)});
  return info;
}

/// Reads the entries after the kernels phase, before their types are lost.
static LogicalResult describe(ModuleOp module, Package &package) {
  for (func::FuncOp entry : entriesOf(module)) {
    FailureOr<EntryInterface> interface = readInterface(entry);
    EntryInfo info;
    info.name = entry.getName().str();
    if (failed(interface) || failed(convert(interface->inputs, info.inputs, entry)) ||
        failed(convert(interface->outputs, info.outputs, entry)))
      return failure();
    package.entries.push_back(std::move(info));
    entry.walk([&](LaunchOp) { ++package.launches; });
  }
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kernelAttrName))
      package.kernels.push_back(describeKernel(function));
  for (std::string &check : readChecks(module))
    package.checks.push_back(std::move(check));
  if (package.entries.empty())
    return module.emitError() << "the program has no public function to compile";
  return success();
}

/// Per kernel, the places in the program that its launches come from, each once.
static llvm::StringMap<std::vector<std::string>> placesOfKernels(ModuleOp module) {
  llvm::StringMap<std::vector<std::string>> places;
  module.walk([&](LaunchOp launch) {
    std::vector<std::string> &known = places[launch.getKernel()];
    for (std::string &place : placesOf(launch.getLoc()))
      if (!llvm::is_contained(known, place))
        known.push_back(std::move(place));
  });
  return places;
}

/// Products whose types the runtime does not know are left to their kernels.
static std::optional<cuda::ProductCode> convert(const std::optional<ProductForm> &form) {
  std::optional<DType> type = form ? dtypeOf(form->type) : std::nullopt,
                       result = form ? dtypeOf(form->resultType) : std::nullopt;
  if (!type || !result)
    return std::nullopt;
  cuda::ProductCode code{*type, *result, form->transposedA, form->transposedB};
  auto number = [](int64_t value) { return static_cast<int>(value); };
  code.a = number(form->a), code.b = number(form->b), code.d = number(form->d);
  code.c = number(form->c), code.bias = number(form->bias);
  code.m = number(form->m), code.n = number(form->n), code.k = number(form->k);
  code.batch = number(form->batch);
  code.gelu = form->gelu;
  code.tf32 = form->tf32;
  return code;
}

static std::optional<cuda::ColumnSumsCode> convert(const std::optional<ColumnSumsForm> &form) {
  std::optional<DType> type = form ? dtypeOf(form->type) : std::nullopt,
                       result = form ? dtypeOf(form->resultType) : std::nullopt;
  if (!type || !result)
    return std::nullopt;
  return cuda::ColumnSumsCode{*type,
                              *result,
                              static_cast<int>(form->matrix),
                              static_cast<int>(form->sums),
                              static_cast<int>(form->rows),
                              static_cast<int>(form->columns)};
}

static LogicalResult compileForGpu(ModuleOp module, const PipelineOptions &options,
                                   Package &package) {
  PhaseTimer timer(options.report, deviceModuleName);
  FailureOr<DeviceCode> code = compileDevice(module, options.target, options.dumpDir);
  if (failed(code))
    return failure();
  if (std::string problem = assembleDevice(*code); !problem.empty())
    return module.emitError(problem);
  if (!options.dumpDir.empty() && !code->cubin.empty())
    writeDumpFile(module, options.dumpDir, "06-binary-device.cubin", code->cubin);
  package.device.ptx = {code->ptxArch, std::move(code->ptx)};
  if (!code->cubin.empty())
    package.device.cubins.push_back({code->gpu, std::move(code->cubin)});
  else
    log("compile", ptxasMissing() + ": the driver compiles the PTX when the program is loaded");
  for (DeviceKernel &kernel : code->kernels) {
    package.device.kernels.push_back(
        {std::move(kernel.name), kernel.threads, kernel.buffers, kernel.extents});
    package.device.kernels.back().staticSharedBytes = kernel.sharedBytes;
    package.device.kernels.back().registers = kernel.registers;
    package.device.kernels.back().product = convert(kernel.product);
    package.device.kernels.back().columnSums = convert(kernel.columnSums);
  }
  return success();
}

/// From the module that the vector phase leaves.
static LogicalResult compileVectors(ModuleOp module, const PipelineOptions &options,
                                    Package &package) {
  if (failed(describe(module, package)))
    return failure();
  bool isForGpu = options.target.device == Device::Cuda;
  auto places = isForGpu ? placesOfKernels(module) : decltype(placesOfKernels(module))();
  if (failed(runPhase(module, mlirPhases(options.target).back(), options)) ||
      (isForGpu && failed(compileForGpu(module, options, package))))
    return failure();
  for (cuda::KernelCode &kernel : package.device.kernels)
    kernel.places = std::move(places[kernel.name]);
  FailureOr<std::vector<NamedObject>> objects = compileObjects(module, options);
  if (failed(objects))
    return failure();
  package.objects = std::move(*objects);
  return success();
}

LogicalResult aft::compileKernels(ModuleOp module, const PipelineOptions &options,
                                  Package &package) {
  return failure(failed(runPhase(module, Phase::Tile, options)) ||
                 failed(runPhase(module, Phase::Vector, options)) ||
                 failed(compileVectors(module, options, package)));
}

static LogicalResult compile(ModuleOp module, const PipelineOptions &options, Package &package) {
  return failure(failed(runPhases(module, Phase::Vector, options)) ||
                 failed(compileVectors(module, options, package)));
}

Status aft::compilePackage(const std::string &text, const std::string &name,
                           const PipelineOptions &options, Package &package) {
  Context context;
  Messages messages(*context.context);
  OwningOpRef<ModuleOp> module;
  {
    PhaseTimer timer(options.report, "parse");
    module = parseProgram(text, name, *context.context);
  }
  return messages.status(module && succeeded(compile(*module, options, package)));
}

Status aft::compileToText(const std::string &text, const std::string &name, Phase last,
                          const PipelineOptions &options, std::string &result) {
  Context context;
  Messages messages(*context.context);
  OwningOpRef<ModuleOp> module = parseProgram(text, name, *context.context);
  bool good = module && succeeded(runPhases(*module, last, options));
  if (good && last == Phase::Binary && options.target.device != Device::Cuda) {
    good = succeeded(compileObjects(*module, options, &result));
  } else if (good && last == Phase::Binary) {
    FailureOr<DeviceCode> code = compileDevice(*module, options.target, options.dumpDir);
    good = succeeded(code);
    if (good)
      result = std::move(code->ptx);
  } else if (good) {
    llvm::raw_string_ostream stream(result);
    module->print(stream);
  }
  return messages.status(good);
}

/// Makes the target compute products as the options say, or says why it cannot.
/// Code for another CPU goes by its features: its speed is not known here.
static std::string chooseProducts(const CompileOptions &options, Target &target) {
  target.tf32 = options.f32Products == F32Products::tf32;
  if (target.tf32 && !target.threadBlocks())
    return "products of f32 in TF32 need target cuda[:sm_XX] or cuda-emulated, found target '" +
           options.target + "'";
  bool native = options.cpu.empty() || options.cpu == "native";
  Bf16Products wanted = options.bf16Products;
  if (wanted == Bf16Products::tiles && !target.tiles)
    return "products of bf16 in tiles need a CPU with amx-tile, amx-bf16 and avx512bf16, found '" +
           target.cpu + "'";
  bool best = wanted == Bf16Products::automatic || wanted == Bf16Products::tiles;
  target.tiles &= best;
  if (wanted == Bf16Products::f32 ||
      (best && native && target.pairDots == PairDots::Hardware && !pairDotsPay(pairDotCost())))
    target.pairDots = PairDots::None;
  if (wanted == Bf16Products::pairs && target.pairDots == PairDots::None)
    target.pairDots = PairDots::Expanded;
  return "";
}

std::string aft::makeDumpFolder(const std::string &path) {
  std::error_code error = llvm::sys::fs::create_directories(path);
  if (!error && !llvm::sys::fs::is_directory(path))
    error = std::make_error_code(std::errc::not_a_directory);
  if (!error)
    error = llvm::sys::fs::access(path, llvm::sys::fs::AccessMode::Write);
  return error ? error.message() : "";
}

/// Where the next compilation of this process leaves its phases: AFT_DUMP_DIR, then its
/// subfolders 2, 3, …; empty: nowhere.
static std::string nextDumpFolder() {
  const char *folder = std::getenv("AFT_DUMP_DIR");
  if (!folder || !*folder)
    return "";
  static std::atomic<int> count{0};
  int number = ++count;
  std::string path = folder;
  if (number > 1)
    path += "/" + std::to_string(number);
  std::string problem = makeDumpFolder(path);
  if (problem.empty())
    return path;
  if (number == 1)
    warn("AFT_DUMP_DIR: expected a folder to write to, found '" + path + "' (" + problem +
         "), which is ignored");
  return "";
}

Status aft::useDeviceHere(const CompileOptions &options, PipelineOptions &pipeline) {
  cuda::DeviceProperties properties;
  if (pipeline.target.device != Device::Cuda)
    return {};
  if (Status status = cuda::readDevice(options.device, properties); !status.ok())
    return status;
  if (options.target == "cuda")
    pipeline.target.setGpu(properties.major * 10 + properties.minor);
  return {};
}

/// What AdamW cannot compute with; NaN is nowhere allowed.
static std::string problemOf(const TrainingOptions &training) {
  auto text = [](double value) {
    std::string digits;
    llvm::raw_string_ostream(digits) << llvm::format("%g", value);
    return digits;
  };
  for (auto [name, value] : {std::pair("beta1", training.beta1), {"beta2", training.beta2}})
    if (!(value >= 0 && value < 1))
      return std::string("training: ") + name + " must be at least 0 and less than 1, found " +
             text(value);
  for (auto [name, value] : {std::pair("eps", training.eps),
                             {"weightDecay", training.weightDecay},
                             {"clipNorm", training.clipNorm}})
    if (!(value >= 0 && std::isfinite(value)))
      return std::string("training: ") + name + " must be finite and at least 0, found " +
             text(value);
  return "";
}

Status aft::pipelineOptions(const CompileOptions &options, PipelineOptions &result) {
  std::string error = options.training ? problemOf(*options.training) : "";
  if (!error.empty())
    return {error};
  result.target = Target::named(options.cpu, error);
  if (error.empty())
    error = result.target.setDevice(options.target);
  if (!error.empty())
    return {error};
  if (options.tune && result.target.threadBlocks())
    return {"tile sizes are measured for target cpu alone, found target '" + options.target + "'"};
  if (std::string problem = chooseProducts(options, result.target); !problem.empty())
    return {problem};
  result.dumpDir = options.dumpDir;
  if (result.dumpDir.empty())
    result.dumpDir = nextDumpFolder();
  else if (std::string problem = makeDumpFolder(result.dumpDir); !problem.empty())
    return {"the folder for dumps " + result.dumpDir + ": " + problem};
  if (options.tune)
    result.tune = [cacheDir = options.cacheDir,
                   shapes = options.tuneShapes](ModuleOp module, const PipelineOptions &pipeline) {
      tuneKernels(module, pipeline, Cache(cacheDir), shapes);
    };
  result.lowMemory = options.memory == Memory::low;
  result.fast = options.fast;
  if (const TrainingOptions *training = options.training.get())
    result.training = AdamWOptions{training->lossEntry, training->beta1,       training->beta2,
                                   training->eps,       training->weightDecay, training->clipNorm};
  return {};
}
