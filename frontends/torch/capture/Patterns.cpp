//===- Patterns.cpp - Buffers whose numbers follow from their places -------===//

#include "frontends/torch/capture/Patterns.h"

#include "frontends/torch/capture/Translation.h"

#include <ATen/ATen.h>

#include <cmath>

using namespace aft;
using namespace aft::capture;
using at::Tensor;

/// Larger numbers are not told apart in a double.
static constexpr double kExact = 0x1p53;
/// So few numbers are as well read.
static constexpr int64_t kFew = 4;
/// A table by distance of fewer places could be any filter; one of more numbers is read.
static constexpr int64_t kPlaces = 8, kTable = 1 << 20;

/// The numbers as doubles, in rows; undefined where it is no matrix.
static Tensor matrixOf(const Tensor &tensor) {
  if (tensor.is_meta() || tensor.is_complex() || tensor.numel() <= kFew)
    return {};
  Tensor wide = tensor.detach().cpu().squeeze();
  if (wide.dim() > 2)
    return {};
  return (wide.dim() == 1 ? wide.unsqueeze(0) : wide).to(at::kDouble).contiguous();
}

static double numberOf(const Pattern &pattern, int64_t row, int64_t column) {
  if (pattern.kind == Pattern::Kind::Band) {
    bool inside = pattern.first <= column - row && column - row <= pattern.last;
    return inside ? pattern.inside : pattern.outside;
  }
  return pattern.perRow * static_cast<double>(row) +
         pattern.perColumn * static_cast<double>(column) + pattern.start;
}

static bool holds(const Pattern &pattern, const Tensor &matrix) {
  const double *numbers = matrix.const_data_ptr<double>();
  for (int64_t row = 0; row < matrix.size(0); ++row)
    for (int64_t column = 0; column < matrix.size(1); ++column)
      if (*numbers++ != numberOf(pattern, row, column))
        return false;
  return true;
}

/// The band that the first row and the first column allow.
static std::optional<Pattern> bandOf(const Tensor &matrix) {
  int64_t rows = matrix.size(0), columns = matrix.size(1);
  auto numbers = matrix.accessor<double, 2>();
  auto at = [&](int64_t distance) {
    return distance < 0 ? numbers[-distance][0] : numbers[0][distance];
  };
  // From the lowest distance to the highest: outside, inside, outside.
  Pattern pattern;
  pattern.inside = at(0);
  pattern.first = 0;
  while (pattern.first > 1 - rows && at(pattern.first - 1) == pattern.inside)
    --pattern.first;
  while (pattern.last < columns - 1 && at(pattern.last + 1) == pattern.inside)
    ++pattern.last;
  bool below = pattern.first > 1 - rows, above = pattern.last < columns - 1;
  if (rows == 1)
    return std::nullopt;
  // The same number everywhere is what statistics and memories begin with: only a bias or a mask
  // of pairs is square.
  if (!below && !above)
    return rows == columns ? std::optional(pattern) : std::nullopt;
  pattern.outside = below ? at(1 - rows) : at(columns - 1);
  return pattern;
}

/// Whether numbers stay the same one place further along two dimensions at once.
static bool isSameAlong(const Tensor &tensor, int64_t a, int64_t b) {
  int64_t length = tensor.size(a) - 1;
  return at::equal(tensor.narrow(a, 0, length).narrow(b, 0, length),
                   tensor.narrow(a, 1, length).narrow(b, 1, length));
}

/// Whether two dimensions run row by row over a grid, and numbers follow from how many rows and
/// columns their places are apart.
static bool isTableOfGrid(const Tensor &tensor, int64_t row, int64_t column) {
  int64_t length = tensor.size(row);
  for (int64_t width = 2; width <= length / 2; ++width) {
    if (length % width != 0)
      continue;
    std::vector<int64_t> grid = {length / width, width};
    Tensor parts = tensor.unflatten(column, grid).unflatten(row, grid);
    if (isSameAlong(parts, row, column + 1) && isSameAlong(parts, row + 1, column + 2))
      return true;
  }
  return false;
}

/// Whether the diagonals over two of its dimensions hold a number each, give or take what their
/// computation rounded, or two of them are places of a grid; but not the same number everywhere.
/// The program holds the numbers as they are.
static bool isTableOfDistances(const Tensor &tensor) {
  if (tensor.is_meta() || tensor.is_complex() || tensor.scalar_type() == at::kBool ||
      tensor.numel() < kPlaces * kPlaces || tensor.numel() > kTable)
    return false;
  Tensor wide = tensor.detach().cpu().to(at::kDouble);
  for (int64_t row = 0; row < wide.dim(); ++row)
    for (int64_t column = row + 1; column < wide.dim(); ++column) {
      int64_t length = wide.size(row) - 1;
      if (wide.size(column) != length + 1 || length + 1 < kPlaces)
        continue;
      Tensor from = wide.narrow(row, 0, length).narrow(column, 0, length),
             to = wide.narrow(row, 1, length).narrow(column, 1, length);
      if (at::allclose(to, from, /*rtol=*/1e-6, /*atol=*/0) || isTableOfGrid(wide, row, column))
        return !at::equal(wide, wide.flatten()[0].expand_as(wide));
    }
  return false;
}

static std::optional<Pattern> matrixPatternOf(const Tensor &tensor) {
  Tensor matrix = matrixOf(tensor);
  if (!matrix.defined())
    return std::nullopt;
  std::optional<Pattern> band = bandOf(matrix);
  if (band && holds(*band, matrix))
    return band;
  bool isVector = matrix.size(0) == 1;
  if (tensor.scalar_type() == at::kBool || matrix.size(1) < 2 ||
      (isVector && at::isFloatingType(tensor.scalar_type())))
    return std::nullopt;
  auto numbers = matrix.accessor<double, 2>();
  Pattern linear;
  linear.kind = Pattern::Kind::Linear;
  linear.start = numbers[0][0];
  linear.perColumn = numbers[0][1] - linear.start;
  linear.perRow = isVector ? 0 : numbers[1][0] - linear.start;
  if (linear.perColumn == 0)
    return std::nullopt;
  // Only whole numbers are the same in whatever order they are computed.
  for (double number : {linear.start, linear.perColumn, linear.perRow})
    if (number != std::trunc(number) || std::abs(number) * 2 * matrix.numel() > kExact)
      return std::nullopt;
  return holds(linear, matrix) ? std::optional(linear) : std::nullopt;
}

std::optional<Pattern> capture::patternOf(const Tensor &tensor) {
  std::optional<Pattern> pattern = matrixPatternOf(tensor);
  if (!pattern && isTableOfDistances(tensor)) {
    pattern.emplace();
    pattern->kind = Pattern::Kind::Distances;
    pattern->numbers =
        tensor.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous();
  }
  return pattern;
}

Value capture::buildPattern(Function &f, const Pattern &pattern, const Tensor &tensor) {
  TensorType type = typeOf(tensor);
  if (pattern.kind == Pattern::Kind::Distances)
    return f.constant(type, pattern.numbers.const_data_ptr());
  std::vector<Extent> shape(type.shape.begin(), type.shape.end());
  std::vector<int64_t> wide = tensor.squeeze().sizes().vec();
  int64_t columns = wide.back(), rows = wide.size() > 1 ? wide[0] : 1;
  Value row = f.unsqueeze(f.arange(rows, DType::i64), 1), column = f.arange(columns, DType::i64);
  Value result;
  if (pattern.kind == Pattern::Kind::Linear) {
    result = column;
    if (pattern.perColumn != 1)
      result = f.mul(result, pattern.perColumn);
    if (pattern.perRow != 0)
      result = f.add(result, f.mul(row, pattern.perRow));
    if (pattern.start != 0)
      result = f.add(result, pattern.start);
    return f.reshape(f.cast(result, type.dtype), shape);
  }
  if (pattern.first == 1 - rows && pattern.last == columns - 1)
    return f.splat(pattern.inside, type.dtype, shape);
  Value distance = f.sub(column, row), inside;
  if (pattern.first > 1 - rows)
    inside = f.compare(Compare::ge, distance, pattern.first);
  if (pattern.last < columns - 1) {
    Value upper = f.compare(Compare::le, distance, pattern.last);
    inside = inside ? f.logicalAnd(inside, upper) : upper;
  }
  if (type.dtype == DType::i1)
    result = pattern.inside != 0 ? inside : f.logicalNot(inside);
  else
    result = f.where(inside, f.splat(pattern.inside, type.dtype, {}), pattern.outside);
  return f.reshape(result, shape);
}

KnownBuffer::KnownBuffer(const TracedState &state, const Pattern &pattern)
    : name(state.name), tensor(state.tensor), pattern(pattern), version(state.tensor._version()) {}

bool capture::isNotNegative(const Tensor &tensor) {
  return !tensor.is_meta() && at::isFloatingType(tensor.scalar_type()) &&
         at::all(at::ge(tensor.detach(), 0)).item<bool>();
}

void KnownBuffer::check() const {
  if (tensor._version() == version)
    return;
  if (pattern.kind == Pattern::Kind::NotNegative) {
    TORCH_CHECK(isNotNegative(tensor), "the buffer '", name,
                "' was changed; the program was compiled for numbers that are not negative. "
                "Compile the module again");
    return;
  }
  bool same = pattern.kind == Pattern::Kind::Distances && at::equal(tensor.cpu(), pattern.numbers);
  if (pattern.kind != Pattern::Kind::Distances) {
    Tensor matrix = matrixOf(tensor);
    same = matrix.defined() && holds(pattern, matrix);
  }
  TORCH_CHECK(same, "the buffer '", name,
              "' was changed; the program was compiled for the numbers that it held then, which "
              "follow from their places. Compile the module again");
}
