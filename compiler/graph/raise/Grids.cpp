//===- Grids.cpp - Biases by distances along rows and columns of a grid ----===//
// Who lays an image out row by row often keeps in a constant, for each pair of places, where a
// learned table has the number for how many rows and columns they are apart, or that number
// itself. Of such constants it is looked up whether they follow from distances on a grid; they are
// read once per distance then.

#include "compiler/graph/raise/Distances.h"
#include "compiler/graph/raise/Match.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

#include <algorithm>

using namespace mlir;
using namespace aft::raise;

/// More numbers are not looked at.
static constexpr int64_t kNumbers = 1 << 24;

namespace {
/// A constant that is read at keys and queries.
struct Table {
  Expr element = nullptr;
  arith::ConstantOp constant;
  std::vector<double> numbers;
  int64_t start = 0;
  llvm::SmallDenseMap<int, int64_t> strides; ///< by variable
  SmallVector<int> others;                   ///< variables beside key and query
};

class GridReader {
public:
  GridReader(Formulas &formulas, Normalizer &normalizer, const Filter::Axis &axis)
      : formulas(formulas), normalizer(normalizer), axis(axis),
        places(Vars(1) << axis.query | Vars(1) << axis.key),
        length(formulas.staticExtent(axis.key)) {}
  Expr run(Filter &filter, Expr e, SmallVectorImpl<Operation *> &made);

private:
  Expr walked(Expr e, llvm::function_ref<Expr(Expr)> leaf);
  bool add(Expr element);
  bool findStrides(Table &table) const;
  bool isInside(Expr place, int64_t extent);
  std::optional<std::vector<double>> onGrid(const Table &table, int64_t width) const;
  int64_t count(const Table &table) const;

  Formulas &formulas;
  Normalizer &normalizer;
  const Filter::Axis axis;
  Vars places;
  int64_t length;
  SmallVector<Table, 2> tables;
};
} // namespace

/// The formula with what `leaf` makes of the elements of constants; null where it depends on
/// places otherwise.
Expr GridReader::walked(Expr e, llvm::function_ref<Expr(Expr)> leaf) {
  if (!(e->vars & places))
    return e;
  if (e->kind == Kind::Element) {
    Expr origin = normalizer.originOf(e), definition = normalizer.definitionOf(e);
    if (origin->tensor.getDefiningOp<arith::ConstantOp>())
      return leaf(origin);
    return definition->kind == Kind::Element ? nullptr : walked(definition, leaf);
  }
  if (e->kind == Kind::Lookup) {
    auto type = cast<RankedTensorType>(e->tensor.getType());
    for (auto [dim, operand] : llvm::enumerate(e->operands))
      if (!isInside(operand, type.getDimSize(dim)))
        return nullptr;
  }
  return withOperands(formulas, e, [&](Expr operand) { return walked(operand, leaf); });
}

/// Whether constants name only places that a table has.
bool GridReader::isInside(Expr place, int64_t extent) {
  if (!(place->vars & places))
    return true;
  std::optional<Interval> range =
      rangeOf(normalizer, place, [&](Expr e) -> std::optional<Interval> {
        if (std::optional<double> number = normalizer.number(e))
          return Interval(int64_t(*number), int64_t(*number));
        Expr origin = e->kind == Kind::Element ? normalizer.originOf(e) : e;
        auto constant = origin->kind == Kind::Element
                            ? origin->tensor.getDefiningOp<arith::ConstantOp>()
                            : arith::ConstantOp();
        auto attribute = constant ? dyn_cast<DenseElementsAttr>(constant.getValue()) : nullptr;
        if (!attribute || !isa<IntegerType>(attribute.getElementType()))
          return std::nullopt;
        std::optional<std::vector<double>> numbers = numbersOf(attribute);
        if (!numbers)
          return std::nullopt;
        auto [least, most] = std::minmax_element(numbers->begin(), numbers->end());
        return Interval(int64_t(*least), int64_t(*most));
      });
  return range && range->first >= 0 && range->second < extent;
}

/// Where in the constant a place is, as a linear formula of the variables.
bool GridReader::findStrides(Table &table) const {
  auto type = cast<RankedTensorType>(table.constant.getType());
  SmallVector<int64_t> strides = computeStrides(type.getShape());
  auto take = [&](const Index &index, int64_t stride) {
    if (!index.parts.empty() || index.minus >= 0 || index.partial)
      return false;
    table.start += index.offset * stride;
    if (index.var >= 0)
      table.strides[index.var] += stride;
    return true;
  };
  for (auto [index, stride] : llvm::zip(table.element->place, strides)) {
    int64_t inner = stride;
    for (int64_t part = index.parts.size() - 1; part >= 0; --part) {
      if (!take(index.parts[part], inner) || !index.extents[part].isNumber())
        return false;
      inner *= index.extents[part].number;
    }
    if (index.parts.empty() && !take(index, stride))
      return false;
  }
  return true;
}

int64_t GridReader::count(const Table &table) const {
  int64_t count = length * length;
  for (int var : table.others)
    if (__builtin_mul_overflow(count, std::max<int64_t>(formulas.staticExtent(var), 0), &count))
      return kNumbers + 1;
  return count;
}

bool GridReader::add(Expr element) {
  if (llvm::any_of(tables, [&](const Table &known) { return same(known.element, element); }))
    return true;
  Table table;
  table.element = element;
  table.constant = element->tensor.getDefiningOp<arith::ConstantOp>();
  auto attribute = dyn_cast<DenseElementsAttr>(table.constant.getValue());
  std::optional<std::vector<double>> numbers = attribute ? numbersOf(attribute) : std::nullopt;
  if (!numbers || !findStrides(table))
    return false;
  table.numbers = std::move(*numbers);
  for (auto [var, stride] : table.strides)
    if (!(places >> var & 1)) {
      if (ShapedType::isDynamic(formulas.staticExtent(var)))
        return false;
      table.others.push_back(var);
    }
  llvm::sort(table.others);
  if (count(table) > kNumbers)
    return false;
  tables.push_back(std::move(table));
  return true;
}

/// The numbers by [others..., rows apart, columns apart], where they follow from these.
std::optional<std::vector<double>> GridReader::onGrid(const Table &table, int64_t width) const {
  int64_t height = length / width, wide = 2 * width - 1, distances = (2 * height - 1) * wide;
  int64_t slices = count(table) / (length * length);
  std::vector<double> found(slices * distances);
  std::vector<char> isKnown(found.size());
  int64_t ofKey = table.strides.lookup(axis.key), ofQuery = table.strides.lookup(axis.query);
  for (int64_t slice = 0; slice < slices; ++slice) {
    int64_t start = table.start, rest = slice;
    for (int var : llvm::reverse(table.others)) {
      start += rest % formulas.staticExtent(var) * table.strides.lookup(var);
      rest /= formulas.staticExtent(var);
    }
    for (int64_t query = 0; query < length; ++query)
      for (int64_t key = 0; key < length; ++key) {
        int64_t rows = key / width - query / width + height - 1,
                columns = key % width - query % width + width - 1,
                slot = slice * distances + rows * wide + columns;
        double number = table.numbers[start + key * ofKey + query * ofQuery];
        if (isKnown[slot] && found[slot] != number)
          return std::nullopt;
        found[slot] = number;
        isKnown[slot] = 1;
      }
  }
  return found;
}

Expr GridReader::run(Filter &filter, Expr e, SmallVectorImpl<Operation *> &made) {
  if (ShapedType::isDynamic(length) ||
      !walked(e, [&](Expr element) { return add(element) ? element : nullptr; }) || tables.empty())
    return nullptr;
  std::vector<std::vector<double>> numbers;
  int64_t width = 2;
  for (; width < length; ++width) {
    numbers.clear();
    for (const Table &table : tables)
      if (std::optional<std::vector<double>> found =
              length % width == 0 ? onGrid(table, width) : std::nullopt)
        numbers.push_back(std::move(*found));
      else
        break;
    if (numbers.size() == tables.size())
      break;
  }
  if (width >= length)
    return nullptr;
  filter.grid = {length / width, width};
  filter.axes.clear();
  for (int64_t extent : filter.grid)
    filter.axes.push_back(
        {axis.query, axis.key, formulas.newVariable(2 * extent - 1), 1 - extent, extent - 1});
  return walked(e, [&](Expr element) {
    auto *table = llvm::find_if(tables, [&](auto &known) { return same(known.element, element); });
    SmallVector<int64_t> shape;
    Place place;
    for (int var : table->others) {
      shape.push_back(formulas.staticExtent(var));
      place.push_back(Index::variable(var));
    }
    for (const Filter::Axis &own : filter.axes) {
      shape.push_back(own.last - own.first + 1);
      place.push_back(Index::variable(own.tap));
    }
    OpBuilder b(table->constant);
    auto type = RankedTensorType::get(
        shape, cast<RankedTensorType>(table->constant.getType()).getElementType());
    auto constant = b.create<arith::ConstantOp>(table->constant.getLoc(),
                                                tableOf(type, numbers[table - tables.begin()]));
    made.push_back(constant);
    return formulas.element(constant, place);
  });
}

Expr aft::raise::atGridTaps(Formulas &formulas, Normalizer &normalizer, Filter &filter, Expr e,
                            SmallVectorImpl<Operation *> &made) {
  if (filter.axes.size() != 1)
    return nullptr;
  return GridReader(formulas, normalizer, filter.axes[0]).run(filter, e, made);
}
