//===- WriteBack.cpp - Changes in place, carried back through views -------===//
// What a view showed has a new value after the view was changed: the old one with
// the new part in its place.

#include "frontends/torch/capture/Indexing.h"
#include "frontends/torch/capture/Rules.h"

using namespace aft;
using namespace aft::capture;

/// What was viewed with its dimensions in another order, in the order it had.
static Value orderedBack(Operation &op, Value part) {
  auto dim = [&](const char *name) {
    return op.has(name) ? fromFront(dimOf(op, name), part.rank()) : -1;
  };
  if (op.view() == "aten::permute") {
    std::vector<int> dims = op.dims("dims"), back(dims.size());
    for (size_t i = 0; i < dims.size(); ++i)
      back[fromFront(dims[i], part.rank())] = static_cast<int>(i);
    return op.f.permute(part, back);
  }
  if (op.view() == "aten::t")
    return part.rank() < 2 ? part : op.f.transpose(part, 0, 1);
  return op.view() == "aten::swapaxes" ? op.f.transpose(part, dim("axis0"), dim("axis1"))
                                       : op.f.transpose(part, dim("dim0"), dim("dim1"));
}

/// x with every step-th element from `start` on replaced by those of `part`.
static Value everyStep(Operation &op, Value x, Value part, int dim, int64_t start, int64_t step) {
  Function &f = op.f;
  Value place = f.sub(f.arange(f.extent(x, dim), DType::i64), start);
  Value turn = f.div(place, step), rest = f.sub(place, f.mul(turn, step));
  Value hit = f.logicalAnd(f.compare(Compare::eq, rest, 0), f.compare(Compare::ge, place, 0));
  Value found = takeAlong(op, part, dim, f.where(hit, turn, 0));
  std::vector<Extent> column(x.rank(), 1);
  column[dim] = f.extent(x, dim);
  return f.where(f.reshape(hit, column), found, x);
}

/// x with `part` in the place of what a selection or a slice of it shows.
static Value replaced(Operation &op, Value x, Value part, bool selects, Extent length) {
  Function &f = op.f;
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  Extent start = op.extent(selects ? "index" : "start", 0);
  if (int64_t step = op.integer("step", 1); step != 1) {
    if (!start.isConstant() || start.constant() < 0)
      op.fail("a change in place through a slice with a step needs a fixed start");
    return everyStep(op, x, part, dim, start.constant(), step);
  }
  if (start.isConstant() && start.constant() < 0)
    start = f.extent(x, dim) + start;
  if (selects)
    part = f.unsqueeze(part, dim);
  Value before = f.slice(x, dim, 0, start), after = f.slice(x, dim, start + length);
  return f.concat({before, part, after}, dim);
}

/// x with `part` in the place of what a view showed.
static Results writeBack(Operation &op) {
  Value x = op.value("self"), part = op.source();
  for (const char *name : {"permute", "t", "transpose", "swapaxes", "swapdims"})
    if (op.view() == std::string("aten::") + name)
      return orderedBack(op, part);
  if (op.view() != "aten::select" && op.view() != "aten::slice" && op.view() != "aten::narrow")
    return op.f.reshape(part, op.shape());
  bool selects = op.view() == "aten::select";
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  return replaced(op, x, part, selects, selects ? Extent(1) : op.sourceExtent(dim));
}

/// The same as operators, which exported programs have in place of changes.
template <bool selects> static Results scatterPart(Operation &op) {
  Value part = op.as("src");
  int dim = fromFront(dimOf(op, "dim"), op.value("self").rank());
  return replaced(op, op.value("self"), part, selects,
                  selects ? Extent(1) : op.f.extent(part, dim));
}

void aft::capture::addWriteBackRules(Rules &rules) {
  rules[kWriteBack] = writeBack;
  rules["aten::select_scatter"] = scatterPart<true>;
  rules["aten::slice_scatter"] = scatterPart<false>;
}
