//===- Kernels.cpp - Single operations compiled on demand -----------------===//

#include "frontends/torch/ops/Kernels.h"

#include "frontends/torch/ops/Placement.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cctype>
#include <cstdlib>
#include <mutex>
#include <unordered_map>

using namespace aft;
using namespace aft::ops;

DType aft::ops::dtypeOf(at::ScalarType type, const std::string &owner) {
  switch (type) {
  case at::kFloat:
    return DType::f32;
  case at::kDouble:
    return DType::f64;
  case at::kBFloat16:
    return DType::bf16;
  case at::kBool:
    return DType::i1;
  case at::kChar:
    return DType::i8;
  case at::kInt:
    return DType::i32;
  case at::kLong:
    return DType::i64;
  default:
    TORCH_CHECK(false, "aft: element type", owner.empty() ? "" : " of '" + owner + "'",
                " must be float, double, bfloat16, bool, int8, int32 or int64, found ", type);
  }
}

at::ScalarType aft::ops::scalarTypeOf(DType type) {
  static constexpr at::ScalarType types[] = {at::kFloat, at::kDouble, at::kBFloat16, at::kBool,
                                             at::kChar,  at::kInt,    at::kLong};
  return types[static_cast<int>(type)];
}

at::ScalarType aft::ops::accumulationOf(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

int aft::ops::threads() {
  return std::getenv("AFT_NUM_THREADS") ? 0 : at::get_num_threads();
}

Tensor aft::ops::inMemory(const Tensor &tensor) {
  return tensor.resolve_neg().contiguous();
}

Buffer aft::ops::bufferOf(const Tensor &tensor) {
  TORCH_INTERNAL_ASSERT(tensor.is_contiguous());
  return {tensor.data_ptr(), dtypeOf(tensor.scalar_type()), tensor.sizes().vec()};
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

void Extents::check(const char *name, const Tensor &tensor, const std::string &letters) {
  bool fits = tensor.dim() == static_cast<int64_t>(letters.size());
  for (size_t dim = 0; fits && dim < letters.size(); ++dim) {
    auto bound = extents.find(letters[dim]);
    fits = bound == extents.end() || bound->second == tensor.size(static_cast<int64_t>(dim));
  }
  if (!fits) {
    std::string expected;
    for (char letter : letters) {
      auto bound = extents.find(letter);
      expected += (expected.empty() ? "" : ", ") +
                  (bound == extents.end() ? std::string(1, letter)
                                          : std::to_string(bound->second));
    }
    TORCH_CHECK(false, op, ": '", name, "' must have shape [", expected, "], found ",
                tensor.sizes());
  }
  for (size_t dim = 0; dim < letters.size(); ++dim)
    extents[letters[dim]] = tensor.size(static_cast<int64_t>(dim));
}

std::vector<int64_t> Extents::shapeOf(const std::string &letters) const {
  std::vector<int64_t> shape;
  for (char letter : letters)
    shape.push_back(extents.at(letter));
  return shape;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

static std::string typeOf(const Extents &extents, const std::string &letters,
                          at::ScalarType type) {
  std::string text = "tensor<";
  for (char letter : letters)
    text += (std::isupper(letter) ? "?" : std::to_string(extents.at(letter))) + "x";
  return text + nameOf(dtypeOf(type)) + ">";
}

static std::string listed(const std::vector<std::string> &parts) {
  std::string text;
  for (const std::string &part : parts)
    text += (text.empty() ? "" : ", ") + part;
  return text;
}

static std::string textOf(const Operation &operation, const Extents &extents) {
  std::vector<std::string> arguments, operands, results, values;
  for (const auto &[tensor, letters] : operation.operands) {
    operands.push_back(typeOf(extents, letters, tensor.scalar_type()));
    arguments.push_back("%" + std::to_string(arguments.size()) + ": " + operands.back());
  }
  for (const auto &[type, letters] : operation.results) {
    values.push_back("%r#" + std::to_string(results.size()));
    results.push_back(typeOf(extents, letters, type));
  }
  std::string form = operation.form;
  for (char &c : form)
    c = c == '$' ? '%' : c;
  std::string types = "(" + listed(results) + ")";
  return "func.func @main(" + listed(arguments) + ") -> " + types + " {\n  %r:" +
         std::to_string(results.size()) + " = aft." + operation.mnemonic + " " + form + " : (" +
         listed(operands) + ") -> " + types + "\n  return " + listed(values) + " : " +
         listed(results) + "\n}\n";
}

//===----------------------------------------------------------------------===//
// Execution
//===----------------------------------------------------------------------===//

/// Programs live as long as the process: there are only as many as different
/// layers, on each device.
static std::shared_ptr<Program> compiled(const std::string &mnemonic, const std::string &text,
                                         const Placement &place) {
  static std::mutex mutex;
  static auto &programs = *new std::unordered_map<std::string, std::shared_ptr<Program>>();
  CompileOptions options;
  options.threads = threads();
  options.target = place.target(options.target);
  options.device = place.isGpu() ? place.device().index() : 0;
  std::string key = place.device().str() + " " + std::to_string(options.threads) + " " + text;
  std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<Program> &program = programs[key];
  if (!program) {
    Status status = Program::compile(text, "aft::" + mnemonic, options, program);
    TORCH_CHECK(status.ok(), "aft::", mnemonic, ": ", status.message);
  }
  return program;
}

std::vector<Tensor> aft::ops::run(const Operation &operation, const Extents &extents) {
  std::vector<Tensor> inputs, results;
  std::vector<Buffer> in, out;
  auto name = [&](size_t i) {
    return "aft::" + operation.mnemonic + ": operand " + std::to_string(i);
  };
  Placement place(operation.operands[0].tensor, name(0));
  for (const auto &operand : operation.operands) {
    place.check(operand.tensor, name(inputs.size()));
    inputs.push_back(place.ready(operand.tensor));
    in.push_back(bufferOf(inputs.back()));
  }
  for (const auto &[type, letters] : operation.results) {
    results.push_back(place.empty(dtypeOf(type), extents.shapeOf(letters)));
    out.push_back(bufferOf(results.back()));
  }
  Status status =
      place.run(*compiled(operation.mnemonic, textOf(operation, extents), place), "main", in, out);
  TORCH_CHECK(status.ok(), "aft::", operation.mnemonic, ": ", status.message);
  return results;
}
