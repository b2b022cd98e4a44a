//===- DeviceCode.cpp - What a compiler gives for a GPU -------------------===//

#include "runtime/cuda/DeviceCode.h"

using namespace aft;
using namespace aft::cuda;

/// Whether an operand has as many extents, and elements of a type's size.
static bool isOperand(const std::vector<KernelInfo::Operand> &operands, int number, int rank,
                      DType type) {
  if (number < 0 || static_cast<size_t>(number) >= operands.size())
    return false;
  const KernelInfo::Operand &operand = operands[static_cast<size_t>(number)];
  return operand.rank == rank && operand.elementBytes == sizeOf(type);
}

static std::string expectOperand(const char *name, int rank, DType type) {
  return std::string(name) + " to be an operand with " + std::to_string(rank) +
         " extents and elements of " + std::to_string(sizeOf(type)) + " bytes";
}

static bool isFloat(DType type) {
  return type == DType::f32 || type == DType::bf16 || type == DType::f64;
}

/// Where an extent of an operand stands among all of them.
static int placeOf(const std::vector<KernelInfo::Operand> &operands, int operand, int dim) {
  for (int i = 0; i < operand; ++i)
    dim += operands[static_cast<size_t>(i)].rank;
  return dim;
}

namespace {

/// Checks a product against the operands of its kernel; `expected` is the first that is wrong.
class ProductCheck {
public:
  ProductCheck(const ProductCode &product, const std::vector<KernelInfo::Operand> &operands)
      : product(product), operands(operands), rank(product.batch < 0 ? 2 : 3) {}

  std::string run() {
    checkTypes();
    checkOperand("A", product.a, rank, product.type);
    checkOperand("B", product.b, rank, product.type);
    checkOperand("D", product.d, rank, product.result);
    if (product.c != -1)
      checkOperand("C", product.c, rank, product.result);
    if (product.bias != -1)
      checkOperand("the bias", product.bias, 1, product.result);
    if (expected.empty() && (product.d == product.a || product.d == product.b))
      expected = "D to be another operand than A and B";
    if (expected.empty())
      checkExtents();
    return expected;
  }

private:
  void checkTypes() {
    bool widens = product.type == DType::bf16 && product.result == DType::f32;
    if (!isFloat(product.type) || (product.result != product.type && !widens))
      expected = "f32, bf16 or f64 as type, and the same, or f32 for bf16, as type of the result";
    else if (product.gelu && product.result != DType::bf16)
      expected = "bf16 as type of the result of GELU";
    else if (product.tf32 && product.type != DType::f32)
      expected = "f32 as type of a product in TF32";
  }

  void checkOperand(const char *name, int number, int wanted, DType type) {
    if (expected.empty() && !isOperand(operands, number, wanted, type))
      expected = expectOperand(name, wanted, type);
  }

  void checkExtents() {
    int m = placeOf(operands, product.d, rank - 2), n = placeOf(operands, product.d, rank - 1),
        k = placeOf(operands, product.a, product.transposedA ? rank - 2 : rank - 1),
        batch = rank == 3 ? placeOf(operands, product.d, 0) : -1;
    if (product.m != m || product.n != n || product.k != k || product.batch != batch)
      expected = "extents of its operands: m " + std::to_string(m) + ", n " + std::to_string(n) +
                 ", k " + std::to_string(k) +
                 (rank == 3 ? ", batch " + std::to_string(batch) : std::string());
  }

  const ProductCode &product;
  const std::vector<KernelInfo::Operand> &operands;
  const int rank;
  std::string expected;
};

} // namespace

std::string cuda::expectationOf(const ProductCode &product,
                                const std::vector<KernelInfo::Operand> &operands) {
  return ProductCheck(product, operands).run();
}

std::string cuda::expectationOf(const ColumnSumsCode &sums,
                                const std::vector<KernelInfo::Operand> &operands) {
  if (!isFloat(sums.type) || !isFloat(sums.result))
    return "f32, bf16 or f64 as types";
  if (!isOperand(operands, sums.matrix, 2, sums.type))
    return expectOperand("the matrix", 2, sums.type);
  if (!isOperand(operands, sums.sums, 1, sums.result))
    return expectOperand("the sums", 1, sums.result);
  int rows = placeOf(operands, sums.matrix, 0);
  if (sums.rows != rows || sums.columns != rows + 1)
    return "extents of the matrix: rows " + std::to_string(rows) + ", columns " +
           std::to_string(rows + 1);
  return "";
}
