//===- ProductForm.cpp - Kernels that a library's product can stand in for ===//

#include "compiler/kernels/ProductForm.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

/// Adds the leaves of a sum; false where it is another expression.
static bool collectTerms(Value value, SmallVectorImpl<BlockArgument> &terms) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    terms.push_back(argument);
    return true;
  }
  Operation *op = value.getDefiningOp();
  if (isa<arith::ExtFOp, arith::TruncFOp>(op))
    return collectTerms(op->getOperand(0), terms);
  return isa<arith::AddFOp>(op) && collectTerms(op->getOperand(0), terms) &&
         collectTerms(op->getOperand(1), terms);
}

/// Evaluates the body of an elementwise operation as a function of one value in it.
class ScalarFunction {
public:
  /// What `value` is where `input` is x; nothing where it depends on something else, or on
  /// operations that no activation is made of.
  static std::optional<double> evaluate(Value value, Value input, double x) {
    ScalarFunction function;
    function.known[input] = x;
    return function.at(value);
  }

private:
  std::optional<double> at(Value value) {
    auto [place, isNew] = known.try_emplace(value);
    if (!isNew)
      return place->second;
    std::optional<double> result = compute(value);
    known[value] = result;
    return result;
  }
  std::optional<double> compute(Value value);

  llvm::DenseMap<Value, std::optional<double>> known;
};

std::optional<double> ScalarFunction::compute(Value value) {
  FloatAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return constant.getValueAsDouble();
  Operation *op = value.getDefiningOp();
  if (!op || op->getNumOperands() < 1 || op->getNumOperands() > 2)
    return std::nullopt;
  std::optional<double> a = at(op->getOperand(0)), b = at(op->getOperands().back());
  if (!a || !b)
    return std::nullopt;
  using Result = std::optional<double>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<arith::ExtFOp, arith::TruncFOp>([&](auto) { return a; })
      .Case([&](arith::AddFOp) -> Result { return *a + *b; })
      .Case([&](arith::SubFOp) -> Result { return *a - *b; })
      .Case([&](arith::MulFOp) -> Result { return *a * *b; })
      .Case([&](arith::DivFOp) -> Result { return *a / *b; })
      .Case([&](arith::NegFOp) -> Result { return -*a; })
      .Case([&](math::PowFOp) -> Result { return std::pow(*a, *b); })
      .Case([&](math::TanhOp) -> Result { return std::tanh(*a); })
      .Default([](Operation *) -> Result { return std::nullopt; });
}

/// GELU by tanh; by erf it is up to 5e-4 away.
static double geluByTanh(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

/// The value of the body whose GELU is `value`; null where it is something else.
static Value argumentOfGelu(linalg::GenericOp op, Value value) {
  constexpr size_t mostOps = 40;
  Block *body = op.getBody();
  if (body->getOperations().size() > mostOps || body->getOps<math::TanhOp>().empty())
    return nullptr;
  auto isGeluOf = [&](Value input) {
    return llvm::all_of(ArrayRef<double>{-6, -3, -2, -1, -0.5, 0, 0.25, 1, 2, 3, 6}, [&](double x) {
      std::optional<double> found = ScalarFunction::evaluate(value, input, x);
      return found && std::abs(*found - geluByTanh(x)) < 1e-6;
    });
  };
  for (BlockArgument argument : body->getArguments())
    if (isGeluOf(argument))
      return argument;
  for (Operation &inner : body->without_terminator())
    if (inner.getNumResults() == 1 && isGeluOf(inner.getResult(0)))
      return inner.getResult(0);
  return nullptr;
}

/// Whether an operand is indexed by the last loop alone.
static bool isRow(linalg::GenericOp op, OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  return map.getNumResults() == 1 &&
         map.getResult(0) == getAffineDimExpr(op.getNumLoops() - 1, op.getContext());
}

std::optional<ProductEpilogue> aft::matchEpilogue(linalg::GenericOp op, Value product) {
  if (op.getNumDpsInits() != 1 || op.getNumParallelLoops() != op.getNumLoops() ||
      !op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity())
    return std::nullopt;
  SmallVector<BlockArgument> terms;
  Value yielded = op.getBody()->getTerminator()->getOperand(0);
  Type result = getElementTypeOrSelf(op.getResultTypes()[0]);
  ProductEpilogue epilogue;
  if (result.isBF16())
    if (Value argument = argumentOfGelu(op, yielded)) {
      epilogue.gelu = true;
      yielded = argument;
    }
  if (!collectTerms(yielded, terms))
    return std::nullopt;
  bool found = false;
  for (BlockArgument term : terms) {
    OpOperand &operand = *op.getMatchingOpOperand(term);
    bool isProduct = operand.get() == product, isBias = isRow(op, operand);
    if (!op.isDpsInput(&operand) || (isProduct ? found : term.getType() != result) ||
        (!isBias && !op.getMatchingIndexingMap(&operand).isIdentity()))
      return std::nullopt;
    if (isProduct) {
      found = true;
      continue;
    }
    OpOperand *&place = isBias ? epilogue.bias : epilogue.c;
    if (place)
      return std::nullopt;
    place = &operand;
  }
  return found ? std::optional(epilogue) : std::nullopt;
}

/// The number of an argument of the kernel; -1 for other values.
static int64_t numberOf(Value value, func::FuncOp kernel) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument && argument.getOwner() == &kernel.front() ? argument.getArgNumber() : -1;
}

int64_t aft::extentPlace(func::FuncOp kernel, int64_t operand, int64_t dim) {
  int64_t place = dim;
  for (Type type : kernel.getArgumentTypes().take_front(operand))
    place += cast<RankedTensorType>(type).getRank();
  return place;
}

static bool startsAtZero(linalg::LinalgOp product) {
  auto fill = product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.value(), m_AnyZeroFloat());
}

/// The product of a kernel and the elementwise operation after it, which may be null.
static std::pair<linalg::LinalgOp, linalg::GenericOp> partsOf(func::FuncOp kernel) {
  linalg::LinalgOp product;
  linalg::GenericOp after;
  int others = 0;
  kernel.walk([&](linalg::LinalgOp op) {
    if (isMatmul(op))
      product = product ? (++others, product) : op;
    else if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation()))
      after = after ? (++others, after) : generic;
    else if (!isa<linalg::FillOp>(op))
      ++others;
  });
  return others ? std::pair<linalg::LinalgOp, linalg::GenericOp>() : std::pair(product, after);
}

std::optional<ProductForm> aft::matchProduct(func::FuncOp kernel) {
  auto [product, after] = partsOf(kernel);
  if (!product || !startsAtZero(product))
    return std::nullopt;
  Value result = product->getResult(0), written = product.getDpsInits()[0];
  ProductEpilogue epilogue;
  if (after) {
    std::optional<ProductEpilogue> matched = matchEpilogue(after, result);
    if (!matched)
      return std::nullopt;
    epilogue = *matched;
    result = after->getResult(0);
    written = after.getDpsInits()[0];
  }
  while (auto fill = written.getDefiningOp<linalg::FillOp>())
    written = fill.getDpsInits()[0];
  Operation *last = kernel.front().getTerminator();
  if (last->getNumOperands() != 1 || last->getOperand(0) != result)
    return std::nullopt;
  ProductForm form;
  form.a = numberOf(product->getOperand(0), kernel);
  form.b = numberOf(product->getOperand(1), kernel);
  form.d = numberOf(written, kernel);
  form.gelu = epilogue.gelu;
  form.c = epilogue.c ? numberOf(epilogue.c->get(), kernel) : -1;
  form.bias = epilogue.bias ? numberOf(epilogue.bias->get(), kernel) : -1;
  if (form.a < 0 || form.b < 0 || form.d < 0 || (epilogue.c && form.c < 0) ||
      (epilogue.bias && form.bias < 0))
    return std::nullopt;
  form.type = getElementTypeOrSelf(product->getOperand(0).getType());
  form.resultType = getElementTypeOrSelf(result.getType());
  Operation *op = product;
  form.transposedA = isa<linalg::MatmulTransposeAOp, linalg::BatchMatmulTransposeAOp>(op);
  form.transposedB = isa<linalg::MatmulTransposeBOp, linalg::BatchMatmulTransposeBOp>(op);
  int64_t rank = cast<RankedTensorType>(result.getType()).getRank();
  form.m = extentPlace(kernel, form.d, rank - 2);
  form.n = extentPlace(kernel, form.d, rank - 1);
  form.k = extentPlace(kernel, form.a, form.transposedA ? rank - 2 : rank - 1);
  form.batch = rank == 3 ? extentPlace(kernel, form.d, 0) : -1;
  bool sameType = form.type == getElementTypeOrSelf(product->getOperand(1).getType());
  bool narrows = form.type.isBF16() && form.resultType.isF32();
  return sameType && (form.type == form.resultType || narrows) ? std::optional(form) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// The attribute
//===----------------------------------------------------------------------===//

DictionaryAttr aft::attributeOf(const ProductForm &form, MLIRContext *context) {
  Builder b(context);
  auto numbers = [&](ArrayRef<int64_t> values) { return b.getDenseI64ArrayAttr(values); };
  SmallVector<NamedAttribute> attributes(
      {b.getNamedAttr("operands", numbers({form.a, form.b, form.d, form.c, form.bias})),
       b.getNamedAttr("extents", numbers({form.m, form.n, form.k, form.batch})),
       b.getNamedAttr("transposed", b.getDenseBoolArrayAttr({form.transposedA, form.transposedB})),
       b.getNamedAttr("type", TypeAttr::get(form.type)),
       b.getNamedAttr("result_type", TypeAttr::get(form.resultType))});
  if (form.gelu)
    attributes.push_back(b.getNamedAttr("gelu", b.getUnitAttr()));
  if (form.tf32)
    attributes.push_back(b.getNamedAttr("tf32", b.getUnitAttr()));
  return b.getDictionaryAttr(attributes);
}

std::optional<ProductForm> aft::productOf(Operation *kernel) {
  auto attribute = kernel->getAttrOfType<DictionaryAttr>(productAttrName);
  if (!attribute)
    return std::nullopt;
  auto operands = attribute.getAs<DenseI64ArrayAttr>("operands"),
       extents = attribute.getAs<DenseI64ArrayAttr>("extents");
  auto transposed = attribute.getAs<DenseBoolArrayAttr>("transposed");
  auto type = attribute.getAs<TypeAttr>("type"),
       resultType = attribute.getAs<TypeAttr>("result_type");
  if (!operands || operands.size() != 5 || !extents || extents.size() != 4 || !transposed ||
      transposed.size() != 2 || !type || !resultType)
    return std::nullopt;
  ProductForm form;
  form.a = operands[0], form.b = operands[1], form.d = operands[2];
  form.c = operands[3], form.bias = operands[4];
  form.m = extents[0], form.n = extents[1], form.k = extents[2], form.batch = extents[3];
  form.transposedA = transposed[0], form.transposedB = transposed[1];
  form.type = type.getValue(), form.resultType = resultType.getValue();
  form.gelu = attribute.contains("gelu");
  form.tf32 = attribute.contains("tf32");
  return form;
}
