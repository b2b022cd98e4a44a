//===- Matmul.cpp - Matrix products of any rank ----------------------------===//

#include "frontends/builder/FunctionImpl.h"

#include <numeric>

using namespace aft;
using Impl = Function::Impl;

/// Both of rank 2, or both of rank 3 with equal batches; checked before.
Value Impl::matmul2or3(Value a, Value b, bool transposeA, bool transposeB) {
  if (!a || !b)
    return {};
  int rank = static_cast<int>(node(a).shape.size());
  std::vector<int> swapped = rank == 2 ? std::vector<int>{1, 0} : std::vector<int>{0, 2, 1};
  if (transposeA && transposeB) {
    a = permuted(a, swapped);
    if (!a)
      return {};
    transposeA = false;
  }
  a = refined(a);
  b = refined(b);
  Shape shape = shapeOf(a);
  shape[rank - 2] = extentOf(a, rank - (transposeA ? 1 : 2));
  shape[rank - 1] = extentOf(b, rank - (transposeB ? 2 : 1));
  DType dtype = node(a).type.dtype;
  Value init = filled(numberText(0, dtype), dtype, shape);
  if (!init)
    return {};
  std::string name = rank == 2 ? "linalg.matmul" : "linalg.batch_matmul";
  name += transposeA ? "_transpose_a" : transposeB ? "_transpose_b" : "";
  return define(name + " ins(" + nameOf(a) + ", " + nameOf(b) + " : " + typeTextOf(a) + ", " +
                    typeTextOf(b) + ") outs(" + nameOf(init) + " : " + typeTextOf(init) +
                    ") -> " + typeTextOf(init),
                dtype, shape);
}

static Polynomial product(const Shape &shape, size_t count) {
  Polynomial result = 1;
  for (size_t dim = 0; dim < count; ++dim)
    result = result * shape[dim];
  return result;
}

/// The matrices of `x` under the batch extents, as [batch, rows, columns].
static Value batched(Impl &impl, Value x, const Shape &batch) {
  if (!x)
    return {};
  Shape shape = impl.shapeOf(x), full = batch;
  full.insert(full.end(), shape.end() - 2, shape.end());
  x = impl.broadcastTo(x, full);
  return impl.viewAs(x, {product(batch, batch.size()), full[batch.size()], full.back()});
}

Value Function::matmul(Value a, Value b, bool transposeA, bool transposeB) {
  if (!impl->check("matmul", {a, b}) || !impl->checkFloat("matmul", a, "the left side") ||
      !impl->checkSameType("matmul", a, b, "the operands"))
    return {};
  if (a.rank() == 0 || b.rank() == 0)
    return impl->fail("matmul", "expected operands of rank 1 or more, found " +
                                    impl->typeTextOf(a) + " and " + impl->typeTextOf(b));
  bool vectorA = a.rank() == 1, vectorB = b.rank() == 1;
  std::string found = impl->typeTextOf(a) + " and " + impl->typeTextOf(b);
  a = vectorA ? unsqueeze(a, 0) : a;
  b = vectorB ? unsqueeze(b, 1) : b;
  if (!a || !b)
    return {};
  transposeA &= !vectorA;
  transposeB &= !vectorB;
  Polynomial inner = impl->extentOf(a, a.rank() - (transposeA ? 2 : 1));
  Polynomial other = impl->extentOf(b, b.rank() - (transposeB ? 1 : 2));
  if (!impl->unify(inner, other))
    return impl->fail("matmul", "the inner extents must be equal, found " +
                                    impl->describe(inner) + " and " + impl->describe(other) +
                                    " of " + found);
  Shape shapeA = impl->shapeOf(a), shapeB = impl->shapeOf(b), result;
  Value y;
  if (b.rank() == 2) {
    if (transposeA && a.rank() > 2) {
      a = transpose(a, -1, -2);
      if (!a)
        return {};
      shapeA = impl->shapeOf(a);
      transposeA = false;
    }
    result = shapeA;
    result[result.size() - 2] = impl->extentOf(a, a.rank() - (transposeA ? 1 : 2));
    result.back() = impl->extentOf(b, transposeB ? 0 : 1);
    if (a.rank() > 2)
      a = impl->viewAs(a, {product(shapeA, shapeA.size() - 1), shapeA.back()});
    y = impl->matmul2or3(a, b, transposeA, transposeB);
  } else {
    std::optional<Shape> batch = impl->broadcast(
        "matmul", {Shape(shapeA.begin(), shapeA.end() - 2), Shape(shapeB.begin(), shapeB.end() - 2)});
    if (!batch)
      return {};
    result = *batch;
    result.push_back(impl->extentOf(a, a.rank() - (transposeA ? 1 : 2)));
    result.push_back(impl->extentOf(b, b.rank() - (transposeB ? 2 : 1)));
    a = batched(*impl, a, *batch);
    b = batched(*impl, b, *batch);
    y = impl->matmul2or3(a, b, transposeA, transposeB);
  }
  if (vectorA)
    result.erase(result.end() - 2);
  if (vectorB)
    result.pop_back();
  return y ? impl->viewAs(y, result) : y;
}

Value Function::linear(Value x, Value weight, Value bias) {
  if (!impl->check("linear", {x, weight}) || (bias && !impl->check("linear", {bias})))
    return {};
  if (x.rank() == 0 || weight.rank() != 2 || (bias && bias.rank() != 1))
    return impl->fail("linear", "expected x [..., in], weight [out, in] and bias [out], found " +
                                    impl->typeTextOf(x) + ", " + impl->typeTextOf(weight) +
                                    (bias ? " and " + impl->typeTextOf(bias) : ""));
  Impl::Letters letters;
  std::string leading;
  for (int dim = 0; dim + 1 < x.rank(); ++dim)
    leading += static_cast<char>('A' + dim);
  std::vector<Impl::Named> operands = {{"x", x, leading + "i"}, {"weight", weight, "oi"}};
  if (bias)
    operands.push_back({"bias", bias, "o"});
  if (!impl->checkFloat("linear", x, "x") ||
      !impl->checkSameType("linear", x, weight, "x and weight") ||
      !impl->bind("linear", operands, letters))
    return {};
  // The bias is added to the rows, where it is part of the product's kernel.
  Shape shape = impl->shapeOf(x);
  Value rows = impl->viewAs(x, {product(shape, shape.size() - 1), shape.back()});
  Value y = matmul(rows, weight, false, true);
  if (bias)
    y = add(y, bias);
  shape.back() = impl->extentOf(weight, 0);
  return y ? impl->viewAs(y, shape) : y;
}
