//===- Distances.cpp - Constants that hold a number per distance -----------===//

#include "compiler/graph/raise/Distances.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/PatternMatch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace aft::raise;

/// Larger tables are not looked at.
static constexpr int64_t kNumbers = 1 << 22;
/// Of fewer places nearly everything follows from distances.
static constexpr int64_t kPlaces = 3;
/// What is far below all exponents.
static constexpr double kHidden = -1e6;
/// Integers beyond are not told apart in a double.
static constexpr double kExact = 0x1p53;

//===----------------------------------------------------------------------===//
// Recognition
//===----------------------------------------------------------------------===//

namespace {
/// What is looked up: a number for each distance, column - row, in each of the slices that the
/// other dimensions make.
struct Numbers {
  RankedTensorType type; ///< of the table
  int64_t row = 0, column = 0;
  SmallVector<int64_t> slices; ///< extents
  std::vector<double> values;  ///< [slices..., distances]

  int64_t rows() const { return type.getDimSize(row); }
  int64_t columns() const { return type.getDimSize(column); }
  int64_t first() const { return 1 - rows(); }
  int64_t last() const { return columns() - 1; }
  int64_t distances() const { return rows() + columns() - 1; }
  int64_t sliceCount() const { return static_cast<int64_t>(values.size()) / distances(); }
  double at(int64_t slice, int64_t distance) const {
    return values[slice * distances() + distance - first()];
  }
  /// The number at a distance where it is that of all slices.
  std::optional<double> common(int64_t distance) const {
    for (int64_t slice = 1; slice < sliceCount(); ++slice)
      if (at(slice, distance) != at(0, distance))
        return std::nullopt;
    return at(0, distance);
  }
};

/// Distances beyond one of them, at all of which stands the same number.
struct Run {
  int64_t end = 0; ///< the nearest of them
  double number = 0;
};
} // namespace

std::optional<std::vector<double>> aft::raise::numbersOf(DenseElementsAttr table) {
  std::vector<double> numbers;
  if (table.isSplat() || table.getNumElements() > kNumbers)
    return std::nullopt;
  numbers.reserve(table.getNumElements());
  if (auto real = table.tryGetValues<float>(); succeeded(real))
    return std::vector<double>(real->begin(), real->end());
  if (isa<FloatType>(table.getElementType())) {
    for (const APFloat &number : table.getValues<APFloat>())
      numbers.push_back(FloatAttr::getValueAsDouble(number));
    return numbers;
  }
  bool isCondition = table.getElementType().isInteger(1);
  if (!isCondition && !table.getElementType().isInteger(32) &&
      !table.getElementType().isInteger(64))
    return std::nullopt;
  for (const APInt &number : table.getValues<APInt>()) {
    numbers.push_back(isCondition ? number.getZExtValue() : double(number.getSExtValue()));
    if (std::abs(numbers.back()) > kExact)
      return std::nullopt;
  }
  return numbers;
}

DenseElementsAttr aft::raise::tableOf(RankedTensorType type, ArrayRef<double> numbers) {
  Type element = type.getElementType();
  if (auto real = dyn_cast<FloatType>(element)) {
    bool loses = false;
    auto rounded = llvm::map_to_vector(numbers, [&](double value) {
      APFloat number(value);
      number.convert(real.getFloatSemantics(), APFloat::rmNearestTiesToEven, &loses);
      return number;
    });
    return DenseElementsAttr::get(type, rounded);
  }
  return DenseElementsAttr::get(type, llvm::map_to_vector(numbers, [&](double value) {
                                  return APInt(element.getIntOrFloatBitWidth(),
                                               static_cast<int64_t>(value), true);
                                }));
}

/// Equal but for the rounding of what both were computed by. Infinities and 0 are exact.
static bool isClose(double a, double b, double rounding) {
  return a == b ||
         (std::isfinite(a) && std::isfinite(b) && std::signbit(a) == std::signbit(b) && a != 0 &&
          b != 0 && std::abs(a - b) <= rounding * std::max(std::abs(a), std::abs(b)));
}

static double roundingOf(Type type) {
  if (type.isF64())
    return 4 * std::numeric_limits<double>::epsilon();
  return type.isF32() ? 4 * std::numeric_limits<float>::epsilon() : 0;
}

static std::optional<Numbers> alongDistances(RankedTensorType type, ArrayRef<double> all,
                                             int64_t row, int64_t column) {
  Numbers numbers = {type, row, column, {}, {}};
  if (numbers.rows() < kPlaces || numbers.columns() < kPlaces)
    return std::nullopt;
  SmallVector<int64_t> strides = computeStrides(type.getShape());
  int64_t diagonal = strides[row] + strides[column];
  double rounding = roundingOf(type.getElementType());
  SmallVector<int64_t> others;
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    if (dim != row && dim != column) {
      others.push_back(strides[dim]);
      numbers.slices.push_back(type.getDimSize(dim));
    }
  int64_t count = ShapedType::getNumElements(numbers.slices);
  for (int64_t slice = 0; slice < count; ++slice) {
    int64_t start = 0, rest = slice;
    for (int64_t dim = others.size() - 1; dim >= 0; --dim) {
      start += rest % numbers.slices[dim] * others[dim];
      rest /= numbers.slices[dim];
    }
    for (int64_t distance = numbers.first(); distance <= numbers.last(); ++distance) {
      int64_t y = std::max<int64_t>(-distance, 0), x = std::max<int64_t>(distance, 0);
      const double *number = all.data() + start + y * strides[row] + x * strides[column];
      numbers.values.push_back(*number);
      for (double first = *number; ++y < numbers.rows() && ++x < numbers.columns();)
        if (!isClose(*(number += diagonal), first, rounding))
          return std::nullopt;
    }
  }
  // One number along all distances, but for its rounding or sign, is no table of them.
  std::optional<double> common = numbers.common(numbers.first());
  bool differs = false;
  for (int64_t distance = numbers.first(); distance <= numbers.last() && !differs; ++distance)
    differs = !common || numbers.common(distance) != common;
  if (!differs)
    return std::nullopt;
  return numbers;
}

static std::optional<Numbers> alongDistances(DenseElementsAttr table) {
  auto type = dyn_cast<RankedTensorType>(table.getType());
  if (!type || type.getRank() < 2)
    return std::nullopt;
  std::optional<std::vector<double>> all = numbersOf(table);
  for (int64_t row = 0; all && row < type.getRank(); ++row)
    for (int64_t column = row + 1; column < type.getRank(); ++column)
      if (std::optional<Numbers> numbers = alongDistances(type, *all, row, column))
        return numbers;
  return std::nullopt;
}

static Run lowRun(const Numbers &numbers) {
  std::optional<double> number = numbers.common(numbers.first());
  Run run = {numbers.first() - 1, number.value_or(0)};
  while (number && run.end < numbers.last() && numbers.common(run.end + 1) == number)
    ++run.end;
  return run;
}

static Run highRun(const Numbers &numbers) {
  std::optional<double> number = numbers.common(numbers.last());
  Run run = {numbers.last() + 1, number.value_or(0)};
  while (number && run.end > numbers.first() && numbers.common(run.end - 1) == number)
    --run.end;
  return run;
}

//===----------------------------------------------------------------------===//
// As computations
//===----------------------------------------------------------------------===//

struct DistanceTables::Table {
  Table(arith::ConstantOp constant, Numbers numbers)
      : constant(constant), numbers(std::move(numbers)), builder(constant), last(constant) {}
  void write();
  Value lookUp(ArrayRef<double> values, Type element);

  arith::ConstantOp constant;
  Numbers numbers;
  Value found;     ///< the numbers by distance
  Value asBias;    ///< within a window around them where they are 0 or hide outside of it
  Value asWeights; ///< masked where they are 0 behind the query
  Value logarithms;
  SmallVector<Operation *> made;

private:
  using Body = function_ref<Value(OpBuilder &, Value distance, ValueRange slice)>;
  Value generic(Type element, Body body);
  Value number(OpBuilder &b, double value, Type type);
  Value inner(int64_t first, int64_t last);
  Value linear(double perDistance, double start, bool absolute);
  Value masked(Value value, arith::CmpIPredicate seen, int64_t limit, double otherwise);
  OpBuilder &after(Operation *op) {
    builder.setInsertionPointAfter(op);
    return builder;
  }

  OpBuilder builder;
  Operation *last;
};

Value DistanceTables::Table::number(OpBuilder &b, double value, Type type) {
  TypedAttr attribute = isa<FloatType>(type) ? TypedAttr(b.getFloatAttr(type, value))
                                             : b.getIntegerAttr(type, static_cast<int64_t>(value));
  return b.create<arith::ConstantOp>(constant.getLoc(), attribute);
}

/// A tensor of the table's shape of what `body` yields.
Value DistanceTables::Table::generic(Type element, Body body) {
  OpBuilder &b = after(last);
  Location loc = constant.getLoc();
  int64_t rank = numbers.type.getRank();
  Value empty = b.create<tensor::EmptyOp>(loc, numbers.type.getShape(), element);
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto op = b.create<linalg::GenericOp>(
      loc, empty.getType(), ValueRange(), empty, b.getMultiDimIdentityMap(rank), loops,
      [&](OpBuilder &b, Location, ValueRange) {
        SmallVector<Value> places, slice;
        for (int64_t dim = 0; dim < rank; ++dim) {
          places.push_back(b.create<linalg::IndexOp>(loc, dim));
          if (dim != numbers.row && dim != numbers.column)
            slice.push_back(places.back());
        }
        Value distance = b.create<arith::SubIOp>(loc, places[numbers.column], places[numbers.row]);
        b.create<linalg::YieldOp>(loc, body(b, distance, slice));
      });
  made.append({empty.getDefiningOp(), op});
  last = op;
  return op.getResult(0);
}

Value DistanceTables::Table::lookUp(ArrayRef<double> values, Type element) {
  SmallVector<int64_t> shape(numbers.slices);
  shape.push_back(numbers.distances());
  auto type = RankedTensorType::get(shape, element);
  Location loc = constant.getLoc();
  auto table = after(last).create<arith::ConstantOp>(loc, tableOf(type, values));
  made.push_back(table);
  last = table;
  return generic(element, [&](OpBuilder &b, Value distance, ValueRange slice) -> Value {
    Value start = b.create<arith::ConstantIndexOp>(loc, -numbers.first());
    SmallVector<Value> place(slice);
    place.push_back(b.create<arith::AddIOp>(loc, distance, start));
    return b.create<tensor::ExtractOp>(loc, table, place);
  });
}

/// perDistance * distance + start
Value DistanceTables::Table::linear(double perDistance, double start, bool absolute) {
  Location loc = constant.getLoc();
  Type element = numbers.type.getElementType();
  return generic(element, [&](OpBuilder &b, Value distance, ValueRange) -> Value {
    Value x = b.create<arith::IndexCastOp>(loc, b.getI64Type(), distance);
    if (absolute)
      x = b.create<math::AbsIOp>(loc, x);
    x = b.create<arith::MulIOp>(loc, x, number(b, perDistance, b.getI64Type()));
    x = b.create<arith::AddIOp>(loc, x, number(b, start, b.getI64Type()));
    if (isa<FloatType>(element))
      return b.create<arith::SIToFPOp>(loc, element, x);
    return element.isInteger(64) ? x : b.create<arith::TruncIOp>(loc, element, x);
  });
}

/// As simple as the numbers at these distances allow; what stands at others does not matter.
Value DistanceTables::Table::inner(int64_t first, int64_t last) {
  Type element = numbers.type.getElementType();
  auto follows = [&](auto expected) {
    for (int64_t distance = first; distance <= last; ++distance)
      if (numbers.common(distance) != expected(distance))
        return false;
    return true;
  };
  std::optional<double> one = numbers.common(first), two = numbers.common(last);
  if (one && follows([&](int64_t) { return *one; }))
    return generic(element,
                   [&](OpBuilder &b, Value, ValueRange) { return number(b, *one, element); });
  // Only whole numbers are the same however they are computed.
  double step = last > first ? numbers.common(last - 1).value_or(NAN) : NAN;
  step = two.value_or(NAN) - step;
  bool isWhole = one && two && step == std::trunc(step) && *two == std::trunc(*two) &&
                 std::abs(step) * numbers.distances() < 0x1p24 && !element.isInteger(1);
  for (bool absolute : {false, true}) {
    double start = two.value_or(0) - step * last;
    auto expected = [&](int64_t distance) {
      return start + step * static_cast<double>(absolute ? std::abs(distance) : distance);
    };
    if (isWhole && (!absolute || last > 0) && std::abs(start) < 0x1p24 && follows(expected))
      return linear(step, start, absolute);
  }
  return lookUp(numbers.values, element);
}

Value DistanceTables::Table::masked(Value value, arith::CmpIPredicate seen, int64_t limit,
                                    double otherwise) {
  Location loc = constant.getLoc();
  Type element = numbers.type.getElementType();
  int64_t rank = numbers.type.getRank();
  OpBuilder &b = after(last);
  Value empty = b.create<tensor::EmptyOp>(loc, numbers.type.getShape(), element);
  SmallVector<AffineMap> maps(2, b.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto op = b.create<linalg::GenericOp>(
      loc, empty.getType(), value, empty, maps, loops,
      [&](OpBuilder &b, Location, ValueRange arguments) {
        Value row = b.create<linalg::IndexOp>(loc, numbers.row),
              column = b.create<linalg::IndexOp>(loc, numbers.column),
              distance = b.create<arith::SubIOp>(loc, column, row),
              bound = b.create<arith::ConstantIndexOp>(loc, limit),
              inside = b.create<arith::CmpIOp>(loc, seen, distance, bound);
        Value result =
            b.create<arith::SelectOp>(loc, inside, arguments[0], number(b, otherwise, element));
        b.create<linalg::YieldOp>(loc, result);
      });
  made.append({empty.getDefiningOp(), op});
  last = op;
  return op.getResult(0);
}

/// Which numbers at the ends are outside of a mask: where there are two numbers in all, or where
/// they are 0 or hide. Keys that are hidden elsewhere than behind all queries, or before them,
/// are told by numbers alone.
void DistanceTables::Table::write() {
  Run low = lowRun(numbers), high = highRun(numbers);
  auto isOrder = [&](const Run &run) { return &run == &high ? run.end == 1 : run.end == -1; };
  auto isMask = [&](const Run &run) {
    return run.number == 0 || (run.number <= kHidden && isOrder(run));
  };
  std::optional<double> middle = numbers.common(low.end + 1);
  bool isTwoNumbers = middle.has_value();
  for (int64_t distance = low.end + 1; isTwoNumbers && distance < high.end; ++distance)
    isTwoNumbers = numbers.common(distance) == middle;
  // Of two halves the one with distance 0 is inside.
  bool halves = low.end + 1 == high.end;
  bool hasLow = low.end >= numbers.first() && (isTwoNumbers || isMask(low)) &&
                (!halves || high.end <= 0),
       hasHigh = high.end <= numbers.last() && (isTwoNumbers || isMask(high)) &&
                 (!halves || high.end > 0);
  bool orderHigh = hasHigh && isOrder(high), orderLow = hasLow && isOrder(low) && !orderHigh;
  bool isComplete = isTwoNumbers || (hasHigh == orderHigh && hasLow == orderLow);
  found = isComplete ? inner(hasLow ? low.end + 1 : numbers.first(),
                             hasHigh ? high.end - 1 : numbers.last())
                     : lookUp(numbers.values, numbers.type.getElementType());
  auto ordered = [&](const Run &run, Value value) {
    return &run == &high ? masked(value, arith::CmpIPredicate::slt, high.end, high.number)
                         : masked(value, arith::CmpIPredicate::sgt, low.end, low.number);
  };
  asBias = asWeights = found;
  if (orderHigh || orderLow)
    asBias = asWeights = ordered(orderHigh ? high : low, found);
  if (hasLow && !orderLow)
    asBias = ordered(low, asBias);
  if (hasHigh && !orderHigh)
    asBias = ordered(high, asBias);
  if (isTwoNumbers)
    asWeights = asBias;
}

DistanceTables::DistanceTables(func::FuncOp function) {
  SmallVector<arith::ConstantOp> constants(function.getOps<arith::ConstantOp>());
  for (arith::ConstantOp constant : constants) {
    auto attribute = dyn_cast<DenseElementsAttr>(constant.getValue());
    std::optional<Numbers> numbers = attribute ? alongDistances(attribute) : std::nullopt;
    if (!numbers)
      continue;
    Table &table = *tables.emplace_back(std::make_unique<Table>(constant, std::move(*numbers)));
    table.write();
    constant.getResult().replaceAllUsesWith(table.asBias);
  }
}

DistanceTables::~DistanceTables() = default;

Value DistanceTables::asWeights(Value value) const {
  for (const std::unique_ptr<Table> &table : tables)
    if (table->asBias == value && table->asWeights != value)
      return table->asWeights;
  return {};
}

Value DistanceTables::logarithms(Value value) {
  for (const std::unique_ptr<Table> &table : tables) {
    Type element = table->numbers.type.getElementType();
    if (table->found != value || !isa<FloatType>(element))
      continue;
    bool hasAll = llvm::all_of(table->numbers.values,
                               [](double number) { return number >= 0 && std::isfinite(number); });
    if (hasAll && !table->logarithms)
      table->logarithms =
          table->lookUp(llvm::map_to_vector(table->numbers.values,
                                            [](double number) { return std::log(number); }),
                        element.isF64() ? element : Float32Type::get(value.getContext()));
    return table->logarithms;
  }
  return {};
}

/// The logarithms of a constant as one, too.
static Value logarithmsOf(RewriterBase &rewriter, arith::ConstantOp constant, Type element) {
  auto numbers = cast<DenseElementsAttr>(constant.getValue());
  auto real = cast<FloatType>(element);
  SmallVector<APFloat> logarithms;
  for (const APFloat &number : numbers.getValues<APFloat>()) {
    bool loses = false;
    logarithms.emplace_back(std::log(FloatAttr::getValueAsDouble(number)));
    logarithms.back().convert(real.getFloatSemantics(), APFloat::rmNearestTiesToEven, &loses);
  }
  auto type = RankedTensorType::get(numbers.getType().getShape(), element);
  rewriter.setInsertionPointAfter(constant);
  return rewriter.create<arith::ConstantOp>(constant.getLoc(),
                                            DenseElementsAttr::get(type, logarithms));
}

void DistanceTables::restore(RewriterBase &rewriter) {
  for (const std::unique_ptr<Table> &table : tables) {
    if (table->logarithms && !table->logarithms.use_empty()) {
      Type element = getElementTypeOrSelf(table->logarithms.getType());
      table->logarithms.replaceAllUsesWith(logarithmsOf(rewriter, table->constant, element));
    }
    for (Operation *op : table->made)
      if (isa<linalg::GenericOp>(op))
        rewriter.replaceAllUsesWith(op->getResult(0), table->constant.getResult());
    for (Operation *op : llvm::reverse(table->made))
      if (op->use_empty())
        rewriter.eraseOp(op);
  }
  tables.clear();
}
