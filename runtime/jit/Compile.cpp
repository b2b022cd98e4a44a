//===- Compile.cpp - From program text to a package -----------------------===//

#include "runtime/jit/Compile.h"

#include "compiler/Register.h"
#include "compiler/kernels/Interface.h"
#include "dialect/ir/AFT.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/SourceMgr.h"

#include <mutex>

using namespace mlir;
using namespace aft;

namespace {

/// Collects what a compilation has to say; an error fails it whatever the
/// passes return.
class Messages {
public:
  explicit Messages(MLIRContext &context)
      : handler(&context, [this](Diagnostic &diagnostic) {
          std::lock_guard<std::mutex> lock(mutex);
          if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
            failed = true;
          else if (diagnostic.getSeverity() != DiagnosticSeverity::Note)
            return;
          // MLIR's own summary says nothing that the errors before it do not.
          std::string message = diagnostic.str();
          if (StringRef(message).starts_with("Failures have been detected"))
            return;
          llvm::raw_string_ostream stream(text);
          if (!text.empty())
            stream << '\n';
          if (!isa<UnknownLoc>(diagnostic.getLocation()))
            print(diagnostic.getLocation(), stream);
          stream << message;
        }) {}

  Status status(bool succeeded) const {
    if (succeeded && !failed)
      return {};
    return {text.empty() ? "the compilation failed without a message" : text};
  }

private:
  /// "file:line:column: " where there is one; a module has no line.
  static void print(Location loc, llvm::raw_ostream &stream) {
    if (auto file = dyn_cast<FileLineColLoc>(loc)) {
      stream << file.getFilename().getValue() << ':';
      if (file.getLine() > 0)
        stream << file.getLine() << ':' << file.getColumn() << ':';
      stream << ' ';
    }
    else if (auto name = dyn_cast<NameLoc>(loc))
      stream << name.getName().getValue() << ": ";
    else if (auto fused = dyn_cast<FusedLoc>(loc); fused && !fused.getLocations().empty())
      print(fused.getLocations().front(), stream);
    else if (auto call = dyn_cast<CallSiteLoc>(loc))
      print(call.getCallee(), stream);
  }

  std::mutex mutex;
  bool failed = false;
  std::string text;
  ScopedDiagnosticHandler handler;
};

/// A context with everything loaded: passes run on several threads, where
/// loading is not allowed.
struct Context {
  DialectRegistry registry;
  std::unique_ptr<MLIRContext> context;
  Context() {
    registerCompilerDialects(registry);
    context = std::make_unique<MLIRContext>(registry);
    context->loadAllAvailableDialects();
  }
};

} // namespace

static OwningOpRef<ModuleOp> parse(const std::string &text, const std::string &name,
                                   MLIRContext &context) {
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, name), llvm::SMLoc());
  return parseSourceFile<ModuleOp>(sources, &context);
}

static std::optional<DType> dtypeOf(Type element) {
  if (element.isF32())
    return DType::f32;
  if (element.isF64())
    return DType::f64;
  if (element.isBF16())
    return DType::bf16;
  if (element.isInteger(1))
    return DType::i1;
  if (element.isInteger(8))
    return DType::i8;
  if (element.isInteger(32))
    return DType::i32;
  if (element.isInteger(64))
    return DType::i64;
  return std::nullopt;
}

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
    result.push_back(std::move(info));
  }
  return success();
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
    package.kernels += function->hasAttr(kernelAttrName);
  for (std::string &check : readChecks(module))
    package.checks.push_back(std::move(check));
  if (package.entries.empty())
    return module.emitError() << "the program has no public function to compile";
  return success();
}

static LogicalResult compile(ModuleOp module, const PipelineOptions &options,
                             Package &package) {
  if (failed(runPhases(module, Phase::Vector, options)) || failed(describe(module, package)) ||
      failed(runPhase(module, Phase::LLVM, options)))
    return failure();
  FailureOr<std::vector<NamedObject>> objects = compileObjects(module, options);
  if (failed(objects))
    return failure();
  package.objects = std::move(*objects);
  return success();
}

Status aft::compilePackage(const std::string &text, const std::string &name,
                           const PipelineOptions &options, Package &package) {
  Context context;
  Messages messages(*context.context);
  OwningOpRef<ModuleOp> module = parse(text, name, *context.context);
  return messages.status(module && succeeded(compile(*module, options, package)));
}

Status aft::compileToText(const std::string &text, const std::string &name, Phase last,
                          const PipelineOptions &options, std::string &result) {
  Context context;
  Messages messages(*context.context);
  OwningOpRef<ModuleOp> module = parse(text, name, *context.context);
  bool good = module && succeeded(runPhases(*module, last, options));
  if (good) {
    llvm::raw_string_ostream stream(result);
    module->print(stream);
  }
  return messages.status(good);
}

Status aft::pipelineOptions(const CompileOptions &options, PipelineOptions &result) {
  std::string error;
  result.target = Target::named(options.cpu, error);
  if (!error.empty())
    return {error};
  result.dumpDir = options.dumpDir;
  if (result.dumpDir.empty())
    if (const char *folder = std::getenv("AFT_DUMP_DIR"))
      result.dumpDir = folder;
  if (const TrainingOptions *training = options.training.get())
    result.training = AdamWOptions{training->lossEntry, training->beta1,       training->beta2,
                                   training->eps,       training->weightDecay, training->clipNorm};
  return {};
}
