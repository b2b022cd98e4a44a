//===- ShapeCheck.cpp - Checks operands against named dimensions ----------===//

#include "dialect/ir/ShapeCheck.h"

using namespace mlir;
using namespace aft;

static Type elementOf(Value value) { return cast<ShapedType>(value.getType()).getElementType(); }

Type aft::accumulationType(Type element) {
  return element.isF64() ? element : Float32Type::get(element.getContext());
}

void ShapeCheck::bind(char letter, int64_t extent, StringRef source) {
  if (!ShapedType::isDynamic(extent))
    bound.try_emplace(letter, extent, source.str());
}

int64_t ShapeCheck::extent(char letter) const {
  auto it = bound.find(letter);
  return it == bound.end() ? ShapedType::kDynamic : it->second.first;
}

LogicalResult ShapeCheck::shape(StringRef name, Value value, StringRef dims) {
  auto type = cast<ShapedType>(value.getType());
  if (type.getRank() != static_cast<int64_t>(dims.size()))
    return op->emitOpError()
           << "'" << name << "' must have rank " << dims.size() << " ["
           << llvm::join(llvm::map_range(dims, [](char c) { return std::string(1, c); }), ", ")
           << "], found rank " << type.getRank() << " (" << value.getType() << ")";
  for (auto [index, letter] : llvm::enumerate(dims)) {
    int64_t found = type.getDimSize(index);
    bool isDynamic = ShapedType::isDynamic(found);
    if (llvm::is_contained(fixed, letter) && (isDynamic || found == 0))
      return op->emitOpError() << "'" << name << "' dimension " << index << " (" << letter
                               << ") must be static and at least 1, found "
                               << (isDynamic ? "?" : "0");
    if (isDynamic)
      continue;
    auto [it, isNew] = bound.try_emplace(letter, found, ("'" + name + "'").str());
    if (!isNew && it->second.first != found)
      return op->emitOpError() << "'" << name << "' dimension " << index << " (" << letter
                               << ") must be " << it->second.first << " as in " << it->second.second
                               << ", found " << found;
  }
  return success();
}

LogicalResult ShapeCheck::results(ArrayRef<std::pair<StringRef, StringRef>> shapes) {
  bool onMemory = op->getNumResults() == 0;
  SmallVector<Value> values =
      onMemory ? llvm::to_vector(inits) : llvm::to_vector_of<Value>(op->getResults());
  if (values.size() != shapes.size())
    return op->emitOpError() << "must have " << shapes.size()
                             << (onMemory ? " destinations" : " results") << ", found "
                             << values.size();
  for (auto [value, expected] : llvm::zip_equal(values, shapes))
    if (failed(shape(expected.first, value, expected.second)))
      return failure();
  if (onMemory || inits.empty())
    return success();
  if (inits.size() != values.size())
    return op->emitOpError() << "must have one destination for each of its " << values.size()
                             << " results, found " << inits.size();
  for (auto [index, init, value] : llvm::enumerate(inits, values))
    if (init.getType() != value.getType())
      return op->emitOpError() << "destination " << index << " must have type " << value.getType()
                               << ", found " << init.getType();
  return success();
}

Value ShapeCheck::result(unsigned index) const {
  return op->getNumResults() > 0 ? Value(op->getResult(index)) : inits[index];
}

LogicalResult ShapeCheck::sameElement(ArrayRef<std::pair<StringRef, Value>> values) {
  Type first = elementOf(values.front().second);
  for (auto [name, value] : values.drop_front())
    if (elementOf(value) != first)
      return op->emitOpError() << "'" << name << "' must have element type " << first << " as '"
                               << values.front().first << "', found " << elementOf(value);
  return success();
}

LogicalResult ShapeCheck::floating(StringRef name, Value value) {
  Type element = elementOf(value);
  if (element.isF32() || element.isF64() || element.isBF16())
    return success();
  return op->emitOpError() << "'" << name << "' must have element type f32, f64 or bf16, found "
                           << element;
}

LogicalResult ShapeCheck::accumulation(StringRef name, Value value, Value like) {
  Type expected = accumulationType(elementOf(like));
  if (elementOf(value) == expected)
    return success();
  return op->emitOpError() << "'" << name << "' must have the accumulation type " << expected
                           << ", found " << elementOf(value);
}

LogicalResult ShapeCheck::bias(StringRef name, Value bias, Value like) {
  Type element = elementOf(bias), first = elementOf(like);
  if (element == first || element == accumulationType(first))
    return success();
  InFlightDiagnostic diag = op->emitOpError()
                            << "'" << name << "' must have element type " << first;
  if (first != accumulationType(first))
    diag << " or " << accumulationType(first);
  return diag << ", found " << element;
}

LogicalResult ShapeCheck::rank(StringRef name, Value value, int64_t least) {
  int64_t found = cast<ShapedType>(value.getType()).getRank();
  if (found >= least && found <= kMostRank)
    return success();
  return op->emitOpError() << "'" << name << "' must have rank " << least << " to " << kMostRank
                           << ", found rank " << found;
}

LogicalResult ShapeCheck::integer(StringRef name, Value value, ArrayRef<unsigned> widths) {
  Type element = elementOf(value);
  for (unsigned width : widths)
    if (element.isSignlessInteger(width))
      return success();
  InFlightDiagnostic diag = op->emitOpError() << "'" << name << "' must have element type ";
  llvm::interleave(widths, [&](unsigned width) { diag << "i" << width; }, [&] { diag << " or "; });
  return diag << ", found " << element;
}
