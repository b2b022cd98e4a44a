//===- Recurrence.cpp - Mixers written step by step --------------------------===//

#include "compiler/graph/raise/Recurrence.h"

#include "compiler/graph/raise/Emitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include <cmath>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// So few rows are written out for other reasons; of so many each depends on all before.
static constexpr int64_t kLeastSteps = 3, kMostSteps = 1024;
/// Definitions that are opened per step.
static constexpr int kStepsPerRow = 200;

namespace {

/// One attempt.
class Recurrence {
public:
  Recurrence(Operation *root, Miss &miss)
      : formulas(root->getBlock()), root(root), miss(miss), reader(formulas) {}
  bool match();
  Value emit(RewriterBase &rewriter, Operation *&mixer);
  Formulas formulas;
  DenseSet<Operation *> joins;

private:
  bool refuse(const Twine &reason) {
    miss = {"a recurrence over time: " + reason.str(), true};
    return false;
  }
  bool readRow(int64_t row);
  bool takeRow(int64_t row, ArrayRef<WeightedValue> above, ArrayRef<WeightedValue> below);
  std::optional<int64_t> rowOf(int atom) const;
  std::optional<int64_t> splitExponent(const Exponent &all, Exponent &rest);
  bool takeTemplate(std::map<int, double> &own, int64_t row);
  Expr atKey(int atom) const;
  bool takeSteady();
  bool takeRoles();
  bool leavesNothing();
  SmallVector<Power, 2> powersOf(const Exponent &exponent) const;

  Operation *root;
  Miss &miss;
  RecurrenceReader reader;
  SmallVector<Expr> rows;
  int64_t steps = 0;
  int query = -1, key = -1;
  SmallVector<SmallVector<int>> dims; ///< variables of the dimensions that are not 1
  Place place;                        ///< of the result, at a variable query
  SmallVector<int> batch, channels;
  int64_t sums = 0; ///< rows that are a quotient of sums of several terms
  std::optional<std::map<int, double>> keyAtoms; ///< at row 0
  int valueAtom = -1;
  std::vector<std::optional<Exponent>> weights; ///< by distance, relative to distance 0
  Exponent first, step;
};

} // namespace

/// The row of a sequence that an atom is of.
std::optional<int64_t> Recurrence::rowOf(int atom) const {
  Expr e = reader.atom(atom);
  std::optional<int64_t> row;
  if (e->kind != Kind::Element || !isa<RankedTensorType>(e->tensor.getType()))
    return std::nullopt;
  auto type = cast<RankedTensorType>(e->tensor.getType());
  for (auto [dim, index] : llvm::enumerate(e->place))
    if (index.var < 0 && index.parts.empty() && type.getDimSize(dim) == steps) {
      if (row)
        return std::nullopt;
      row = index.offset;
    }
  return row;
}

/// The same element at the place of a key.
Expr Recurrence::atKey(int atom) const {
  Expr e = reader.atom(atom);
  auto type = cast<RankedTensorType>(e->tensor.getType());
  Place at = e->place;
  for (auto [dim, index] : llvm::enumerate(at))
    if (index.var < 0 && index.parts.empty() && type.getDimSize(dim) == steps)
      index = Index::variable(key);
  return const_cast<Formulas &>(formulas).element(e->tensor, at);
}

/// Takes what is of one row out of an exponent: the key.
std::optional<int64_t> Recurrence::splitExponent(const Exponent &all, Exponent &rest) {
  std::optional<int64_t> row;
  std::map<int, double> own;
  rest = all;
  for (auto [atom, coefficient] : all.atoms) {
    std::optional<int64_t> at = rowOf(atom);
    if (!at)
      continue;
    if (row && row != at)
      return std::nullopt;
    row = at;
    own[atom] = coefficient;
    rest.atoms.erase(atom);
  }
  return row && takeTemplate(own, *row) ? row : std::nullopt;
}

/// Whether keys are rows of the same tensors at all steps.
bool Recurrence::takeTemplate(std::map<int, double> &own, int64_t row) {
  if (!keyAtoms) {
    keyAtoms = own;
    return true;
  }
  return own.size() == keyAtoms->size() && llvm::all_of(own, [&](auto &each) {
           return llvm::any_of(*keyAtoms, [&](auto &known) {
             return known.second == each.second && same(atKey(known.first), atKey(each.first));
           });
         });
}

bool Recurrence::takeRow(int64_t row, ArrayRef<WeightedValue> above,
                         ArrayRef<WeightedValue> below) {
  if (static_cast<int64_t>(above.size()) != row + 1 || above.size() != below.size())
    return refuse("it begins with a state, or a step adds more than one key");
  std::vector<std::optional<Exponent>> own(row + 1), total(row + 1), other(row + 1);
  for (auto [list, isAbove] : {std::pair(above, true), std::pair(below, false)})
    for (const WeightedValue &each : list) {
      Exponent rest;
      std::optional<int64_t> at = splitExponent(each.exponent, rest);
      if (!at || *at > row)
        return refuse("a weight depends on more than its own key, such as on a decay that follows "
                      "the data; aft.conv needs one decay per channel");
      auto &slot = (isAbove ? total : other)[*at];
      if (slot || each.number != 1 || isAbove != (each.value >= 0))
        return refuse("weights are not exponentials alone");
      slot = each.exponent;
      own[*at] = rest;
      if (!isAbove)
        continue;
      if (valueAtom < 0)
        valueAtom = each.value;
      if (rowOf(each.value) != at || !same(atKey(each.value), atKey(valueAtom)))
        return refuse("values are not the rows of one sequence");
    }
  if (!llvm::all_of(llvm::zip(total, other), [](auto pair) {
        const std::optional<Exponent> &a = std::get<0>(pair), &b = std::get<1>(pair);
        return a && b && a->isClose(*b);
      }))
    return refuse("numerator and denominator have different weights");
  for (int64_t at = 0; at <= row; ++at) {
    Exponent weight = own[at]->plus(*own[row], -1);
    std::optional<Exponent> &known = weights[row - at];
    if (known && !known->isClose(weight))
      return refuse("weights depend on more than the distance; aft.conv needs one decay per "
                    "channel, the same at all steps");
    known = weight;
  }
  return true;
}

bool Recurrence::readRow(int64_t row) {
  if (!rows[row] || rows[row]->kind != Kind::Element)
    return false;
  const Form &form = reader.read(rows[row]);
  if (!form.ratio) {
    miss = {"rows are not quotients of sums", false};
    return false;
  }
  SmallVector<WeightedValue> above, below;
  reader.flatten(form.ratio->first, above, /*isDenominator=*/false);
  reader.flatten(form.ratio->second, below, /*isDenominator=*/true);
  sums += above.size() > 1 || below.size() > 1;
  return takeRow(row, above, below);
}

/// Weights that are the same from step to step but for the number of steps.
bool Recurrence::takeSteady() {
  first = *weights[1];
  step = weights[2]->plus(first, -1);
  for (int64_t distance = 1; distance < steps; ++distance)
    if (!weights[distance]->isClose(first.plus(step, static_cast<double>(distance - 1))))
      return refuse("the decay differs from step to step");
  return true;
}

/// Which dimensions are channels: the last one, and those that decays depend on.
bool Recurrence::takeRoles() {
  Vars ofWeights = 0;
  for (const Exponent *part : {&first, &step})
    for (auto [atom, coefficient] : part->atoms)
      ofWeights |= reader.atom(atom)->vars;
  SmallVector<int> others;
  for (ArrayRef<int> dim : dims)
    if (dim[0] != query)
      others.push_back(dim[0]);
  if (others.empty())
    return refuse("there are no channels");
  for (int var : others) {
    bool isChannel = var == others.back() || ofWeights >> var & 1;
    (isChannel ? channels : batch).push_back(var);
    ofWeights &= ~(Vars(1) << var);
  }
  for (int var : channels)
    if (ShapedType::isDynamic(formulas.staticExtent(var)))
      return refuse("the number of channels is not known");
  return ofWeights == 0 || refuse("decays depend on another dimension");
}

/// Whether nobody needs the states when the rows are gone.
bool Recurrence::leavesNothing() {
  DenseSet<Operation *> gone = {root};
  for (Operation &op : llvm::reverse(*root->getBlock()))
    if (wouldOpBeTriviallyDead(&op) &&
        llvm::all_of(op.getUsers(), [&](Operation *user) { return gone.contains(user); }))
      gone.insert(&op);
  return llvm::all_of(reader.states, [&](Operation *op) { return gone.contains(op); });
}

bool Recurrence::match() {
  auto type = dyn_cast<RankedTensorType>(root->getResult(0).getType());
  std::optional<int64_t> time = rowsAlong(root);
  if (!type || !time)
    return false;
  steps = type.getDimSize(*time);
  Type element = type.getElementType();
  bool isFloat = element.isF32() || element.isF64() || element.isBF16();
  if (!isFloat || ShapedType::isDynamic(steps) || steps < kLeastSteps || steps > kMostSteps ||
      type.getRank() > 8)
    return false;
  formulas.allow(static_cast<int>(steps * (kStepsPerRow + 2 * steps)));
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    bool isTime = dim == *time;
    if (type.getDimSize(dim) == 1 && !isTime) {
      place.push_back({});
      continue;
    }
    int var = formulas.newVariable(type.getDimSize(dim));
    dims.push_back({var});
    place.push_back(Index::variable(var));
    if (isTime)
      query = var;
  }
  key = formulas.newVariable(steps);
  weights.resize(steps);
  rows = findRows(formulas, root, place, *time, joins);
  for (int64_t row = 0; row < steps; ++row)
    if (!readRow(row)) {
      // One that is like no other says nothing of the rest.
      miss.near &= sums > 0;
      return false;
    }
  if (!takeSteady() || !takeRoles())
    return false;
  return leavesNothing() || refuse("a state has another use");
}

SmallVector<Power, 2> Recurrence::powersOf(const Exponent &exponent) const {
  SmallVector<Power, 2> powers;
  for (auto [atom, coefficient] : exponent.atoms) {
    Expr e = reader.atom(atom);
    if (coefficient != 1)
      e = const_cast<Formulas &>(formulas).scaled(e, coefficient);
    powers.push_back({e, 1});
  }
  return powers;
}

/// [channels, steps]: 0 at the last tap, `first` before it, and `step` more for each before.
static Value filterOf(Emitter &emitter, Value first, Value step, int64_t steps) {
  OpBuilder &builder = emitter.rewriter;
  Location loc = emitter.loc;
  auto type = cast<RankedTensorType>(first.getType());
  Value init = builder.create<tensor::EmptyOp>(loc, ArrayRef<int64_t>{type.getDimSize(0), steps},
                                               emitter.element);
  MLIRContext *context = builder.getContext();
  AffineMap channel = AffineMap::get(2, 0, builder.getAffineDimExpr(0)),
            both = AffineMap::getMultiDimIdentityMap(2, context);
  SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
  auto body = [&](OpBuilder &b, Location loc, ValueRange args) {
    Value tap = b.create<linalg::IndexOp>(loc, 1);
    Value last = b.create<arith::ConstantIndexOp>(loc, steps - 1);
    Value before = b.create<arith::ConstantIndexOp>(loc, steps - 2);
    Value count = b.create<arith::IndexCastOp>(loc, b.getI64Type(),
                                               b.create<arith::SubIOp>(loc, before, tap));
    Value times = b.create<arith::SIToFPOp>(loc, emitter.element, count);
    Value faded =
        b.create<arith::AddFOp>(loc, args[0], b.create<arith::MulFOp>(loc, args[1], times));
    Value own = b.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, tap, last);
    Value zero = b.create<arith::ConstantOp>(loc, b.getFloatAttr(emitter.element, 0));
    b.create<linalg::YieldOp>(loc, b.create<arith::SelectOp>(loc, own, zero, faded).getResult());
  };
  return builder
      .create<linalg::GenericOp>(loc, TypeRange{init.getType()}, ValueRange{first, step}, init,
                                 ArrayRef<AffineMap>{channel, channel, both}, loops, body)
      .getResult(0);
}

/// Null where an operand cannot be written.
Value Recurrence::emit(RewriterBase &rewriter, Operation *&mixer) {
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPoint(root);
  Emitter emitter(formulas, rewriter, root);
  MixerMatch match;
  for (auto [atom, coefficient] : *keyAtoms) {
    Expr e = atKey(atom);
    match.keys.push_back({coefficient == 1 ? e : formulas.scaled(e, coefficient), 1});
  }
  match.values.push_back({atKey(valueAtom), 1});
  SmallVector<Power, 2> firsts = powersOf(first), steady = powersOf(step);
  for (ArrayRef<Power> powers : {ArrayRef<Power>(match.keys), ArrayRef<Power>(match.values),
                                 ArrayRef<Power>(firsts), ArrayRef<Power>(steady)})
    if (!emitter.canWrite(powers))
      return {};
  formulas.unify(key, query);
  match.bias.append(firsts);
  match.bias.append(steady);
  emitter.chooseElement(match);
  if (emitter.element.isBF16())
    emitter.element = rewriter.getF32Type();
  SmallVector<SmallVector<int>> groups = {batch, {key}, channels},
                                results = {batch, {query}, channels};
  SmallVector<int> order(batch);
  order.push_back(key);
  order.append(channels);
  Value k = emitter.grouped(emitter.tensor(match.keys, /*adds=*/true, 0, order), groups);
  Value v = emitter.grouped(emitter.tensor(match.values, /*adds=*/false, 1, order), groups);
  auto perChannel = [&](ArrayRef<Power> powers, double number) {
    return emitter.grouped(emitter.tensor(powers, /*adds=*/true, number, channels), {channels});
  };
  Value filter =
      filterOf(emitter, perChannel(firsts, first.number), perChannel(steady, step.number), steps);
  mixer = rewriter.create<ConvOp>(emitter.loc, TypeRange{v.getType()}, v, k, v, filter, Value(),
                                  ValueRange(), DenseI64ArrayAttr(), /*causal=*/true, Gate::none);
  Place at;
  for (const SmallVector<int> &group : results)
    for (int var : group)
      at.push_back(Index::variable(var));
  Power y = {formulas.element(emitter.ungrouped(mixer->getResult(0), results), at), 1};
  emitter.element = emitter.result;
  SmallVector<int> flat;
  for (ArrayRef<int> dim : dims)
    flat.push_back(dim[0]);
  Value result = emitter.grouped(emitter.tensor(y, /*adds=*/false, 1, flat), dims);
  return shaped(emitter, result, cast<RankedTensorType>(root->getResult(0).getType()));
}

LogicalResult aft::raise::raiseRecurrence(RewriterBase &rewriter, Operation *root,
                                          DenseSet<Operation *> &seen, Operation *&mixer,
                                          Miss &miss) {
  Recurrence recurrence(root, miss);
  bool matched = recurrence.match();
  seen.insert(recurrence.formulas.opened.begin(), recurrence.formulas.opened.end());
  seen.insert(recurrence.joins.begin(), recurrence.joins.end());
  if (!matched)
    return rewriter.notifyMatchFailure(root, miss.reason);
  Value result = recurrence.emit(rewriter, mixer);
  if (!result) {
    miss = {"an operand lies in memory in a way that cannot be written as a view", true};
    return rewriter.notifyMatchFailure(root, miss.reason);
  }
  rewriter.replaceAllUsesWith(root->getResult(0), result);
  return success();
}
