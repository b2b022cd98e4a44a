//===- Context.cpp - A context, its messages and parsing ------------------===//

#include "runtime/jit/Context.h"

#include "compiler/Register.h"
#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Parser/Parser.h"
#include "runtime/jit/TextLimits.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace aft;

/// "file:line:column: " where there is one; a module has no line.
static void print(Location loc, llvm::raw_ostream &stream) {
  if (auto file = dyn_cast<FileLineColLoc>(loc)) {
    stream << file.getFilename().getValue() << ':';
    if (file.getLine() > 0)
      stream << file.getLine() << ':' << file.getColumn() << ':';
    stream << ' ';
  } else if (auto name = dyn_cast<NameLoc>(loc))
    stream << name.getName().getValue() << ": ";
  else if (auto fused = dyn_cast<FusedLoc>(loc); fused && !fused.getLocations().empty())
    print(fused.getLocations().front(), stream);
  else if (auto call = dyn_cast<CallSiteLoc>(loc))
    print(call.getCallee(), stream);
}

Messages::Messages(MLIRContext &context)
    : handler(&context, [this](Diagnostic &diagnostic) { take(diagnostic); }) {}

void Messages::take(Diagnostic &diagnostic) {
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
}

Status Messages::status(bool succeeded) const {
  if (succeeded && !failed)
    return {};
  return {text.empty() ? kNoMessage : text};
}

Context::Context() {
  registerCompilerDialects(registry);
  context = std::make_unique<MLIRContext>(registry);
  context->loadAllAvailableDialects();
}

/// What a file that is no text is; "" for others.
static const char *knownKind(const std::string &text, const std::string &name) {
  if (isBytecode(llvm::MemoryBufferRef(text, name)))
    return "MLIR bytecode, whose reader does not withstand damage";
  if (StringRef(text).starts_with("\177ELF"))
    return "an ELF file; the names of artifacts end in .so";
  if (StringRef(text).starts_with("PK\3\4"))
    return "a zip file; the names of models that PyTorch wrote end in .pt2 or .pt";
  return "";
}

OwningOpRef<ModuleOp> aft::parseProgram(const std::string &text, const std::string &name,
                                        MLIRContext &context) {
  if (StringRef kind = knownKind(text, name); !kind.empty()) {
    emitError(FileLineColLoc::get(&context, name, 0, 0)) << "expected MLIR text, found " << kind;
    return {};
  }
  if (std::optional<TextProblem> problem = checkTextLimits(text)) {
    emitError(FileLineColLoc::get(&context, name, problem->line, problem->column))
        << problem->message;
    return {};
  }
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, name), llvm::SMLoc());
  // Some of MLIR 19's parsers go on with a null attribute after an error
  // (linalg.reduce with `dimensions = x`), and crash.
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext recovery;
  OwningOpRef<ModuleOp> module;
  bool reported = false;
  ScopedDiagnosticHandler watch(&context, [&](Diagnostic &diagnostic) {
    reported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return failure();
  });
  if (!recovery.RunSafely([&] { module = parseSourceFile<ModuleOp>(sources, &context); }) &&
      !reported)
    emitError(FileLineColLoc::get(&context, name, 0, 0)) << "MLIR's parser crashed on this text";
  return module;
}

std::optional<DType> aft::dtypeOf(Type element) {
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
