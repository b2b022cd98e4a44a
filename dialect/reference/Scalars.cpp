//===- Scalars.cpp - Scalar operations in double --------------------------===//

#include "dialect/reference/Interpreter.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// An integer as its type keeps it: sign-extended, i1 as 0 or 1.
static int64_t wrap(int64_t value, Type type) {
  if (!type.isIntOrIndex() || type.isIndex())
    return value;
  unsigned width = type.getIntOrFloatBitWidth();
  if (width == 1)
    return value & 1;
  return width >= 64 ? value : llvm::SignExtend64(static_cast<uint64_t>(value), width);
}

/// The same integer read as unsigned.
static uint64_t asUnsigned(int64_t value, Type type) {
  unsigned width = type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  return width >= 64 ? static_cast<uint64_t>(value)
                     : static_cast<uint64_t>(value) & ((uint64_t(1) << width) - 1);
}

static bool compareReals(arith::CmpFPredicate predicate, double a, double b) {
  bool unordered = std::isnan(a) || std::isnan(b);
  using P = arith::CmpFPredicate;
  switch (predicate) {
  case P::AlwaysFalse: return false;
  case P::AlwaysTrue: return true;
  case P::OEQ: return !unordered && a == b;
  case P::OGT: return !unordered && a > b;
  case P::OGE: return !unordered && a >= b;
  case P::OLT: return !unordered && a < b;
  case P::OLE: return !unordered && a <= b;
  case P::ONE: return !unordered && a != b;
  case P::ORD: return !unordered;
  case P::UEQ: return unordered || a == b;
  case P::UGT: return unordered || a > b;
  case P::UGE: return unordered || a >= b;
  case P::ULT: return unordered || a < b;
  case P::ULE: return unordered || a <= b;
  case P::UNE: return unordered || a != b;
  case P::UNO: return unordered;
  }
  return false;
}

static bool compareIntegers(arith::CmpIPredicate predicate, int64_t a, int64_t b, Type type) {
  using P = arith::CmpIPredicate;
  uint64_t ua = asUnsigned(a, type), ub = asUnsigned(b, type);
  switch (predicate) {
  case P::eq: return a == b;
  case P::ne: return a != b;
  case P::slt: return a < b;
  case P::sle: return a <= b;
  case P::sgt: return a > b;
  case P::sge: return a >= b;
  case P::ult: return ua < ub;
  case P::ule: return ua <= ub;
  case P::ugt: return ua > ub;
  case P::uge: return ua >= ub;
  }
  return false;
}

static double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
}

static double minimum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : std::min(a, b);
}

/// Of the smallest integer by -1 the machine makes an interrupt.
static int64_t divide(int64_t a, int64_t b) {
  return b == -1 ? int64_t(0 - uint64_t(a)) : a / b;
}

static int64_t remainder(int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }

static int64_t floorDivide(int64_t a, int64_t b) {
  return divide(a, b) - (remainder(a, b) != 0 && (a < 0) != (b < 0));
}

static int64_t ceilDivide(int64_t a, int64_t b) {
  return divide(a, b) + (remainder(a, b) != 0 && (a < 0) == (b < 0));
}

static std::optional<double> evaluateReal(Operation *op, double a, double b, double c) {
  return llvm::TypeSwitch<Operation *, std::optional<double>>(op)
      .Case<arith::AddFOp>([&](auto) { return a + b; })
      .Case<arith::SubFOp>([&](auto) { return a - b; })
      .Case<arith::MulFOp>([&](auto) { return a * b; })
      .Case<arith::DivFOp>([&](auto) { return a / b; })
      .Case<arith::RemFOp>([&](auto) { return std::fmod(a, b); })
      .Case<arith::NegFOp>([&](auto) { return -a; })
      .Case<arith::MaximumFOp>([&](auto) { return maximum(a, b); })
      .Case<arith::MinimumFOp>([&](auto) { return minimum(a, b); })
      .Case<arith::MaxNumFOp>([&](auto) { return std::fmax(a, b); })
      .Case<arith::MinNumFOp>([&](auto) { return std::fmin(a, b); })
      .Case<arith::ExtFOp, arith::TruncFOp>([&](auto) { return a; })
      .Case<math::AbsFOp>([&](auto) { return std::fabs(a); })
      .Case<math::ExpOp>([&](auto) { return std::exp(a); })
      .Case<math::Exp2Op>([&](auto) { return std::exp2(a); })
      .Case<math::ExpM1Op>([&](auto) { return std::expm1(a); })
      .Case<math::LogOp>([&](auto) { return std::log(a); })
      .Case<math::Log2Op>([&](auto) { return std::log2(a); })
      .Case<math::Log10Op>([&](auto) { return std::log10(a); })
      .Case<math::Log1pOp>([&](auto) { return std::log1p(a); })
      .Case<math::SqrtOp>([&](auto) { return std::sqrt(a); })
      .Case<math::RsqrtOp>([&](auto) { return 1 / std::sqrt(a); })
      .Case<math::TanhOp>([&](auto) { return std::tanh(a); })
      .Case<math::SinOp>([&](auto) { return std::sin(a); })
      .Case<math::CosOp>([&](auto) { return std::cos(a); })
      .Case<math::ErfOp>([&](auto) { return std::erf(a); })
      .Case<math::FloorOp>([&](auto) { return std::floor(a); })
      .Case<math::CeilOp>([&](auto) { return std::ceil(a); })
      .Case<math::RoundOp>([&](auto) { return std::round(a); })
      .Case<math::RoundEvenOp>([&](auto) { return std::nearbyint(a); })
      .Case<math::TruncOp>([&](auto) { return std::trunc(a); })
      .Case<math::PowFOp>([&](auto) { return std::pow(a, b); })
      .Case<math::CopySignOp>([&](auto) { return std::copysign(a, b); })
      .Case<math::FmaOp>([&](auto) { return std::fma(a, b, c); })
      .Default([](Operation *) { return std::nullopt; });
}

static std::optional<int64_t> evaluateInteger(Operation *op, int64_t a, int64_t b) {
  Type type = op->getOperand(0).getType();
  type = getElementTypeOrSelf(type);
  auto ua = [&] { return asUnsigned(a, type); };
  auto ub = [&] { return asUnsigned(b, type); };
  auto zero = [&] { return b == 0; };
  return llvm::TypeSwitch<Operation *, std::optional<int64_t>>(op)
      .Case<arith::AddIOp>([&](auto) { return int64_t(uint64_t(a) + uint64_t(b)); })
      .Case<arith::SubIOp>([&](auto) { return int64_t(uint64_t(a) - uint64_t(b)); })
      .Case<arith::MulIOp>([&](auto) { return int64_t(uint64_t(a) * uint64_t(b)); })
      .Case<arith::DivSIOp>([&](auto) { return zero() ? 0 : divide(a, b); })
      .Case<arith::DivUIOp>([&](auto) { return zero() ? 0 : int64_t(ua() / ub()); })
      .Case<arith::FloorDivSIOp>([&](auto) { return zero() ? 0 : floorDivide(a, b); })
      .Case<arith::CeilDivSIOp>([&](auto) { return zero() ? 0 : ceilDivide(a, b); })
      .Case<arith::RemSIOp>([&](auto) { return zero() ? 0 : remainder(a, b); })
      .Case<arith::RemUIOp>([&](auto) { return zero() ? 0 : int64_t(ua() % ub()); })
      .Case<arith::MaxSIOp>([&](auto) { return std::max(a, b); })
      .Case<arith::MinSIOp>([&](auto) { return std::min(a, b); })
      .Case<arith::MaxUIOp>([&](auto) { return ua() > ub() ? a : b; })
      .Case<arith::MinUIOp>([&](auto) { return ua() < ub() ? a : b; })
      .Case<arith::AndIOp>([&](auto) { return a & b; })
      .Case<arith::OrIOp>([&](auto) { return a | b; })
      .Case<arith::XOrIOp>([&](auto) { return a ^ b; })
      .Case<arith::ShLIOp>([&](auto) { return ub() > 63 ? 0 : int64_t(ua() << ub()); })
      .Case<arith::ShRUIOp>([&](auto) { return ub() > 63 ? 0 : int64_t(ua() >> ub()); })
      .Case<arith::ShRSIOp>([&](auto) { return a >> std::min<uint64_t>(ub(), 63); })
      .Case<arith::ExtSIOp>([&](auto) { return type.isInteger(1) ? -a : a; })
      .Case<arith::ExtUIOp>([&](auto) { return int64_t(ua()); })
      .Case<arith::TruncIOp>([&](auto) { return a; })
      .Case<arith::IndexCastOp>([&](auto) { return type.isInteger(1) ? -a : a; })
      .Case<arith::IndexCastUIOp>([&](auto) { return int64_t(ua()); })
      .Case<math::AbsIOp>([&](auto) { return a < 0 ? -a : a; })
      .Default([](Operation *) { return std::nullopt; });
}

/// Division by zero is 0, as it is for the operations of arith.
static int64_t evaluateAffine(AffineExpr expression, unsigned dims, ArrayRef<Cell> in) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return constant.getValue();
  if (auto dim = dyn_cast<AffineDimExpr>(expression))
    return in[dim.getPosition()].integer;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(expression))
    return in[dims + symbol.getPosition()].integer;
  auto binary = cast<AffineBinaryOpExpr>(expression);
  int64_t a = evaluateAffine(binary.getLHS(), dims, in);
  int64_t b = evaluateAffine(binary.getRHS(), dims, in);
  switch (expression.getKind()) {
  case AffineExprKind::Add: return int64_t(uint64_t(a) + uint64_t(b));
  case AffineExprKind::Mul: return int64_t(uint64_t(a) * uint64_t(b));
  case AffineExprKind::FloorDiv: return b ? floorDivide(a, b) : 0;
  case AffineExprKind::CeilDiv: return b ? ceilDivide(a, b) : 0;
  default: return b ? a - b * floorDivide(a, b) : 0; // Mod
  }
}

/// apply, min and max: the one, the least or the largest result of a map.
static std::optional<int64_t> evaluateAffine(Operation *op, ArrayRef<Cell> in) {
  AffineMap map;
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    map = apply.getAffineMap();
  else if (auto least = dyn_cast<affine::AffineMinOp>(op))
    map = least.getMap();
  else if (auto largest = dyn_cast<affine::AffineMaxOp>(op))
    map = largest.getMap();
  else
    return std::nullopt;
  SmallVector<int64_t> values;
  for (AffineExpr expression : map.getResults())
    values.push_back(evaluateAffine(expression, map.getNumDims(), in));
  return isa<affine::AffineMaxOp>(op) ? *llvm::max_element(values) : *llvm::min_element(values);
}

bool aft::evaluateScalar(Operation *op, ArrayRef<Cell> in, Cell &result) {
  if (std::optional<int64_t> integer = evaluateAffine(op, in)) {
    result.integer = *integer;
    return true;
  }
  if (in.empty() || op->getNumResults() != 1)
    return false;
  Type from = getElementTypeOrSelf(op->getOperand(0).getType()),
       to = getElementTypeOrSelf(op->getResult(0).getType());
  Cell b = in.size() > 1 ? in[1] : Cell(), c = in.size() > 2 ? in[2] : Cell();
  if (auto compare = dyn_cast<arith::CmpFOp>(op)) {
    result.integer = compareReals(compare.getPredicate(), in[0].real, b.real);
    return true;
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(op)) {
    result.integer = compareIntegers(compare.getPredicate(), in[0].integer, b.integer, from);
    return true;
  }
  if (isa<arith::SelectOp>(op)) {
    result = in[0].integer ? b : c;
    return true;
  }
  if (isa<arith::SIToFPOp>(op)) {
    result.real = static_cast<double>(from.isInteger(1) ? -in[0].integer : in[0].integer);
    return true;
  }
  if (isa<arith::UIToFPOp>(op)) {
    result.real = static_cast<double>(asUnsigned(in[0].integer, from));
    return true;
  }
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op)) {
    result.integer = wrap(static_cast<int64_t>(in[0].real), to);
    return true;
  }
  if (isa<math::FPowIOp>(op)) {
    result.real = std::pow(in[0].real, static_cast<double>(b.integer));
    return true;
  }
  if (std::optional<double> real = evaluateReal(op, in[0].real, b.real, c.real)) {
    result.real = *real;
    return true;
  }
  if (std::optional<int64_t> integer = evaluateInteger(op, in[0].integer, b.integer)) {
    result.integer = wrap(*integer, to);
    return true;
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

LogicalResult ScalarProgram::build(Block &block, const Frame &frame) {
  DenseMap<Value, unsigned> numbers;
  auto numberOf = [&](Value value) {
    auto [it, isNew] = numbers.try_emplace(value, registers.size());
    if (isNew)
      registers.emplace_back();
    return it->second;
  };
  for (BlockArgument argument : block.getArguments())
    numberOf(argument);
  arguments = block.getNumArguments();
  auto isOuter = [&](Value value) { return value.getParentBlock() != &block; };
  for (Operation &op : block.without_terminator()) {
    Step step{&op, 0, {}};
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      Cell cell;
      if (auto real = dyn_cast<FloatAttr>(constant.getValue()))
        cell.real = real.getValueAsDouble();
      else if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
        cell.integer = integer.getType().isInteger(1) ? integer.getValue().getZExtValue()
                                                      : integer.getValue().getSExtValue();
      registers[numberOf(constant)] = cell;
      continue;
    }
    for (Value operand : op.getOperands()) {
      if (isa<TensorType>(operand.getType())) {
        if (!isOuter(operand))
          return op.emitError("a tensor inside of a body is not supported by the reference "
                              "interpreter");
        step.tensor = &frame.get(operand);
        continue;
      }
      bool known = numbers.contains(operand);
      step.operands.push_back(numberOf(operand));
      if (!known && isOuter(operand))
        registers[step.operands.back()] = frame.cell(operand);
    }
    bool special = isa<linalg::IndexOp, tensor::ExtractOp, tensor::DimOp>(op);
    Cell ignored;
    SmallVector<Cell> probe(step.operands.size(), Cell{1, 1});
    if (!special && !evaluateScalar(&op, probe, ignored))
      return op.emitError() << "'" << op.getName()
                            << "' is not supported by the reference interpreter";
    step.result = numberOf(op.getResult(0));
    steps.push_back(std::move(step));
  }
  for (Value value : block.getTerminator()->getOperands()) {
    bool known = numbers.contains(value);
    results.push_back(numberOf(value));
    if (!known && isOuter(value))
      registers[results.back()] = frame.cell(value);
  }
  return success();
}

void ScalarProgram::run(ArrayRef<Cell> in, ArrayRef<int64_t> loops, MutableArrayRef<Cell> out) {
  for (unsigned i = 0; i < arguments; ++i)
    registers[i] = in[i];
  SmallVector<Cell, 3> operands;
  for (const Step &step : steps) {
    Cell &result = registers[step.result];
    if (auto index = dyn_cast<linalg::IndexOp>(step.op)) {
      result.integer = loops[index.getDim()];
      continue;
    }
    if (step.tensor && isa<tensor::DimOp>(step.op)) {
      result.integer = step.tensor->shape[registers[step.operands[0]].integer];
      continue;
    }
    if (step.tensor) {
      int64_t offset = 0;
      for (auto [dim, place] : llvm::enumerate(step.operands))
        offset = offset * step.tensor->shape[dim] + registers[place].integer;
      if (step.tensor->isFloat)
        result.real = step.tensor->reals[offset];
      else
        result.integer = step.tensor->integers[offset];
      continue;
    }
    operands.clear();
    for (unsigned place : step.operands)
      operands.push_back(registers[place]);
    evaluateScalar(step.op, operands, result);
  }
  for (auto [cell, place] : llvm::zip_equal(out, results))
    cell = registers[place];
}
