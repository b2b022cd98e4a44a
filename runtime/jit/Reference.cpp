//===- Reference.cpp - Programs run by the reference interpreter ----------===//

#include "runtime/jit/Reference.h"

#include "dialect/ir/AFT.h"
#include "dialect/reference/Reference.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "runtime/jit/Context.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace aft;

static bool isFloat(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

static ReferenceTensor toReference(const Buffer &buffer) {
  ReferenceTensor tensor = ReferenceTensor::zeros(buffer.shape, isFloat(buffer.dtype));
  Array view{buffer.dtype, buffer.shape, {}};
  size_t bytes = static_cast<size_t>(tensor.size() * sizeOf(buffer.dtype));
  const char *data = static_cast<const char *>(buffer.data);
  view.bytes.assign(data, data + bytes);
  for (int64_t i = 0, count = tensor.size(); i < count; ++i) {
    if (tensor.isFloat)
      tensor.reals[i] = view.at(i);
    else if (buffer.dtype == DType::i64)
      tensor.integers[i] = reinterpret_cast<const int64_t *>(data)[i];
    else
      tensor.integers[i] = static_cast<int64_t>(view.at(i));
  }
  return tensor;
}

static Array toArray(const ReferenceTensor &tensor) {
  Array array{
      tensor.isFloat ? DType::f64 : DType::i64, {tensor.shape.begin(), tensor.shape.end()}, {}};
  const char *data = tensor.isFloat ? reinterpret_cast<const char *>(tensor.reals.data())
                                    : reinterpret_cast<const char *>(tensor.integers.data());
  array.bytes.assign(data, data + tensor.size() * 8);
  return array;
}

static LogicalResult describe(func::FuncOp function, TypeRange types,
                              std::vector<ValueInfo> &values) {
  for (Type type : types) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    std::optional<DType> dtype = tensor ? dtypeOf(tensor.getElementType()) : std::optional<DType>();
    if (!dtype)
      return function.emitError() << "'" << function.getName() << "' has a value of type " << type
                                  << ", expected a tensor of a supported element type";
    ValueInfo info;
    info.type.dtype = *dtype;
    for (int64_t extent : tensor.getShape())
      info.type.shape.push_back(ShapedType::isDynamic(extent) ? kDynamic : extent);
    values.push_back(std::move(info));
  }
  return success();
}

Status aft::readEntries(const std::string &text, const std::string &name,
                        std::vector<EntryInfo> &entries) {
  Context context;
  Messages messages(*context.context);
  OwningOpRef<ModuleOp> module = parseProgram(text, name, *context.context);
  if (!module)
    return messages.status(false);
  for (auto function : module->getOps<func::FuncOp>()) {
    if (function.isPrivate() || function.isExternal())
      continue;
    EntryInfo entry;
    entry.name = function.getName().str();
    if (failed(describe(function, function.getArgumentTypes(), entry.inputs)) ||
        failed(describe(function, function.getResultTypes(), entry.outputs)))
      return messages.status(false);
    entries.push_back(std::move(entry));
  }
  return messages.status(true);
}

/// Recognises an entry whose only operation is a mixer on its arguments; counts products.
static ReferenceFacts factsOf(func::FuncOp function) {
  ReferenceFacts facts;
  function->getParentOp()->walk([&](Operation *op) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    facts.products += isa<FullOp>(op) || (linalgOp && linalg::isaContractionOpInterface(linalgOp));
    // Those of keys and of biases.
    facts.products += isa<FullGradOp>(op) ? 2 : 0;
  });
  auto ops = function.getBody().front().without_terminator();
  if (!llvm::hasSingleElement(ops))
    return facts;
  Value values = llvm::TypeSwitch<Operation *, Value>(&*ops.begin())
                     .Case<FullOp, LocalOp, SimpleOp, ConvOp>([](auto op) { return op.getV(); })
                     .Default([](Operation *) { return Value(); });
  if (auto argument = dyn_cast_or_null<BlockArgument>(values)) {
    facts.isMixer = true;
    facts.values = static_cast<int>(argument.getArgNumber());
  }
  Value gates = llvm::TypeSwitch<Operation *, Value>(&*ops.begin())
                    .Case<FullOp, LocalOp, SimpleOp, ConvOp>(
                        [](auto op) { return op.getGate() == Gate::relu ? op.getQ() : Value(); })
                    .Default([](Operation *) { return Value(); });
  if (auto argument = dyn_cast_or_null<BlockArgument>(gates))
    facts.gates = static_cast<int>(argument.getArgNumber());
  return facts;
}

Status aft::runReference(const std::string &text, const std::string &name, const std::string &entry,
                         const std::vector<Buffer> &inputs, std::vector<Array> &outputs,
                         ReferenceFacts &facts) {
  Context context;
  Messages messages(*context.context);
  OwningOpRef<ModuleOp> module = parseProgram(text, name, *context.context);
  if (!module)
    return messages.status(false);
  SmallVector<ReferenceTensor> in, out;
  for (const Buffer &input : inputs)
    in.push_back(toReference(input));
  if (failed(evaluateReference(*module, entry, in, out)))
    return messages.status(false);
  facts = factsOf(module->lookupSymbol<func::FuncOp>(entry));
  for (const ReferenceTensor &tensor : out)
    outputs.push_back(toArray(tensor));
  return messages.status(true);
}

//===----------------------------------------------------------------------===//
// The accuracy contract
//===----------------------------------------------------------------------===//

/// The largest finite magnitude of a buffer's numbers.
static double largest(const Buffer &buffer) {
  double most = 0;
  if (!isFloat(buffer.dtype))
    return 0;
  ReferenceTensor tensor = toReference(buffer);
  for (double number : tensor.reals)
    if (std::isfinite(number))
      most = std::max(most, std::fabs(number));
  return most;
}

/// Of a product whose factors are rounded to 10 bits of mantissa.
static constexpr double kTF32Limit = 1e-3;

static double limitFor(DType dtype, double size) {
  switch (dtype) {
  case DType::f32:
    return 2e-6 + 3e-7 * size;
  case DType::f64:
    return 1e-12 + 1e-15 * size;
  case DType::bf16:
    return 1e-2;
  default:
    return 0;
  }
}

Comparison aft::compareWithReference(const Array &found, const Array &expected,
                                     const std::vector<Buffer> &inputs,
                                     const ReferenceFacts &facts) {
  Comparison result;
  double size = 0, scale = 0;
  // A program with bf16 inputs has their accuracy, whatever its result is.
  DType dtype = found.dtype;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (facts.isMixer && static_cast<int>(i) == facts.values)
      scale = largest(inputs[i]);
    else if (!facts.isMixer || i > 0)
      size = std::max(size, largest(inputs[i]));
    if (inputs[i].dtype == DType::bf16 && isFloat(dtype))
      dtype = DType::bf16;
  }
  // Everything but a mixer's result is measured as a gradient is.
  result.limit = limitFor(dtype, size) * (facts.isMixer ? 1 : 50);
  // What several of them make is measured as a gradient is.
  if (facts.tf32 && dtype == DType::f32 && facts.products > 0)
    result.limit = std::max(result.limit, kTF32Limit * (facts.products == 1 ? 1 : 50));
  int64_t count = found.elements();
  if (!facts.isMixer)
    for (int64_t i = 0; i < count; ++i)
      if (double number = expected.at(i); std::isfinite(number))
        scale = std::max(scale, std::fabs(number));
  if (facts.gates >= 0)
    scale *= std::max(1.0, largest(inputs[facts.gates]));
  if (scale == 0)
    scale = 1;
  for (int64_t i = 0; i < count; ++i) {
    double a = found.at(i), b = expected.at(i), error = std::fabs(a - b) / scale;
    if (a == b || (std::isnan(a) && std::isnan(b)))
      continue;
    if (!std::isfinite(error))
      error = std::numeric_limits<double>::infinity();
    if (error > result.error) {
      result.error = error;
      result.place = i;
    }
  }
  if (!isFloat(found.dtype))
    result.limit = 0;
  return result;
}
