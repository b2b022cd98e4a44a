//===- OpChecks.cpp - Running a single operation, checking what it gives --===//

#include "frontends/torch/bench/OpChecks.h"

#include "runtime/jit/Reference.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

using namespace aft::bench;

/// Elements of an operand that LibTorch computes with in f64 at once: it keeps a
/// dozen such arrays.
static constexpr int64_t kMostPart = int64_t(1) << 22;

/// What the interpreter may be asked to do: exponentials, or multiply-adds of a
/// matmul. About a second.
static constexpr double kMostReferenceTerms = 2e7;

void aft::bench::expectOk(const aft::Status &status) {
  if (!status.ok())
    throw std::runtime_error(status.message);
}

//===----------------------------------------------------------------------===//
// Running
//===----------------------------------------------------------------------===//

static aft::DType dtypeOf(const at::Tensor &tensor) {
  switch (tensor.scalar_type()) {
  case at::kBFloat16:
    return aft::DType::bf16;
  case at::kDouble:
    return aft::DType::f64;
  default:
    return aft::DType::f32;
  }
}

static aft::Buffer bufferOf(const at::Tensor &tensor) {
  return {tensor.data_ptr(), dtypeOf(tensor), tensor.sizes().vec()};
}

std::vector<aft::Buffer> aft::bench::buffersOf(const Tensors &tensors) {
  std::vector<aft::Buffer> buffers;
  for (const at::Tensor &tensor : tensors)
    buffers.push_back(bufferOf(tensor));
  return buffers;
}

static aft::Array arrayOf(const at::Tensor &tensor) {
  at::Tensor dense = tensor.contiguous();
  aft::Array array{dtypeOf(dense), dense.sizes().vec(), std::vector<char>(dense.nbytes())};
  std::copy_n(static_cast<const char *>(dense.data_ptr()), dense.nbytes(), array.bytes.data());
  return array;
}

Tensors aft::bench::runCompiled(const aft::Program &program, const Tensors &inputs) {
  std::vector<std::vector<int64_t>> shapes;
  expectOk(program.outputShapes("main", buffersOf(inputs), shapes));
  Tensors outputs;
  for (const std::vector<int64_t> &shape : shapes)
    outputs.push_back(at::empty(shape, inputs[0].options()));
  expectOk(program.run("main", buffersOf(inputs), buffersOf(outputs)));
  return outputs;
}

//===----------------------------------------------------------------------===//
// Comparing
//===----------------------------------------------------------------------===//

/// Compares result `index`: that of a mixer against the contract relative to v,
/// all others as gradients are.
static void compare(const Options &o, const Tensors &inputs, size_t index, const at::Tensor &found,
                    const aft::Array &expected, Check &check) {
  bool mixer = !o.isProduct();
  Tensors operands(inputs.begin(), inputs.end() - (o.backward() ? 1 : 0));
  aft::ReferenceFacts facts;
  std::vector<aft::Buffer> sizes;
  // The limit depends on the keys and the bias alone.
  for (size_t input = mixer ? 1 : 0; input < operands.size(); ++input)
    if (!mixer || input != 2)
      sizes.push_back(bufferOf(operands[input]));
  if (mixer && index == 0) {
    facts = {/*isMixer=*/true, /*values=*/2};
    sizes = buffersOf(operands);
  }
  facts.tf32 = o.tf32();
  // The gradients of aft.full follow from results of its own.
  facts.products = o.isProduct() ? 1 : o.op == "full" ? 1 + (index > 0) : 0;
  aft::Comparison comparison = aft::compareWithReference(arrayOf(found), expected, sizes, facts);
  check.add(comparison.error, comparison.limit);
}

static void checkByReference(const Options &o, const std::string &text, const Tensors &inputs,
                             const Tensors &outputs, Check &check) {
  aft::ReferenceFacts facts;
  std::vector<aft::Array> expected;
  expectOk(aft::runReference(text, o.op, "main", buffersOf(inputs), expected, facts));
  for (size_t i = 0; i < outputs.size(); ++i)
    compare(o, inputs, i, outputs[i], expected[i], check);
}

//===----------------------------------------------------------------------===//
// LibTorch in f64, by parts
//===----------------------------------------------------------------------===//

namespace {

/// Channels of one sequence (of all, for a product); they depend on no others.
struct Part {
  int64_t batch, first, count;
};

} // namespace

/// Parts of at most kMostPart elements, of whole heads.
static std::vector<Part> partsOf(const Options &o) {
  if (o.isProduct())
    return {{0, 0, o.dim}};
  int64_t head = o.op == "conv" ? o.dim / o.heads : 1;
  int64_t count = std::clamp<int64_t>(kMostPart / o.length / head, 1, o.dim / head) * head;
  std::vector<Part> parts;
  for (int64_t batch = 0; batch < o.batch; ++batch)
    for (int64_t first = 0; first < o.dim; first += count)
      parts.push_back({batch, first, std::min(count, o.dim - first)});
  return parts;
}

/// The part of operand `index` or of its gradient; a bias belongs to all parts.
static at::Tensor partOf(const Options &o, const Part &part, size_t index, const at::Tensor &all) {
  if (o.isProduct() || (index == 3 && o.op != "conv"))
    return all;
  int64_t head = o.op == "conv" && (index == 1 || index == 3) ? o.dim / o.heads : 1;
  int64_t first = part.first / head, count = part.count / head;
  if (index == 3 && o.op == "conv")
    return all.narrow(0, first, count);
  return all.narrow(0, part.batch, 1).narrow(2, first, count).contiguous();
}

/// dy stands where a fourth operand may; it has the shape of q.
static size_t operandOf(const Options &o, const Tensors &inputs, size_t index) {
  return o.backward() && index + 1 == inputs.size() ? 0 : index;
}

static void checkByLibTorch(const Options &o, const Tensors &inputs, const Tensors &outputs,
                            Check &check) {
  at::Tensor bias; // the sum of its gradient over the parts
  for (const Part &part : partsOf(o)) {
    Tensors own, wide;
    for (size_t i = 0; i < inputs.size(); ++i) {
      own.push_back(partOf(o, part, operandOf(o, inputs, i), inputs[i]));
      wide.push_back(own.back().to(at::kDouble));
    }
    Tensors expected = eagerResults(o, wide);
    for (size_t i = 0; i < outputs.size(); ++i) {
      size_t operand = i == 0 ? 0 : i - 1;
      if (o.isProduct() || operand != 3) {
        compare(o, own, i, partOf(o, part, operand, outputs[i]), arrayOf(expected[i]), check);
        continue;
      }
      if (!bias.defined())
        bias = at::zeros_like(outputs[i], at::kDouble);
      partOf(o, part, operand, bias) += expected[i];
    }
  }
  if (bias.defined())
    compare(o, inputs, 4, outputs[4], arrayOf(bias), check);
}

/// What the interpreter does for one sequence of this length.
static double referenceTerms(const Options &o, double length) {
  double dim = static_cast<double>(o.dim), passes = o.backward() ? 3 : 1;
  double pairs = o.isProduct() ? length * dim * (o.op == "mlp" ? 4 : 1) : length * length;
  return pairs * dim * passes;
}

Check aft::bench::checkOp(const Options &o, const std::string &text, const aft::Program &program,
                          const Tensors &inputs, const Tensors &outputs) {
  Check check;
  check.cap = o.maxError;
  double length = static_cast<double>(o.length);
  if (referenceTerms(o, length) * static_cast<double>(o.batch) <= kMostReferenceTerms) {
    check.against = "reference";
    checkByReference(o, text, inputs, outputs, check);
    return check;
  }
  double share = kMostReferenceTerms / referenceTerms(o, length);
  double most = length * (o.isProduct() ? share : std::sqrt(share));
  int64_t cut = std::clamp<int64_t>(static_cast<int64_t>(most), 1, o.length);
  check.against = "libtorch-f64";
  if (o.grid.empty() || share >= 1) {
    check.against = "reference+libtorch-f64";
    Tensors shorter = shortened(o, inputs, o.grid.empty() ? cut : o.length);
    checkByReference(o, text, shorter, runCompiled(program, shorter), check);
  }
  checkByLibTorch(o, inputs, outputs, check);
  return check;
}
