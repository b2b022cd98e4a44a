//===- Expression.h - What one element of a tensor is, as a formula -------===//
// Spellings of one computation (matmul, einsum, generic, views, transposes) fall
// together when a tensor is read at symbolic places: the element of a transposed
// tensor is that of the tensor itself at another place, that of a product is a
// sum over a variable. Tensors are opened one definition at a time, on demand.

#ifndef AFT_COMPILER_GRAPH_RAISE_EXPRESSION_H
#define AFT_COMPILER_GRAPH_RAISE_EXPRESSION_H

#include "compiler/kernels/MirrorForm.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SetVector.h"

#include <deque>

namespace aft::raise {

/// An extent by where it comes from: a number, or a dimension of a tensor that
/// nothing tells more of. Equal ids are equal extents.
struct ExtentId {
  void *source = nullptr;
  int64_t number = 0;
  bool isNumber() const { return !source; }
  bool operator==(const ExtentId &other) const {
    return source == other.source && number == other.number;
  }
};

/// A place along one dimension: a number, a variable plus a number, the
/// difference of two variables plus a number, or the row-major place of several
/// places in a dimension that holds them all.
struct Index {
  int var = -1;
  int minus = -1; ///< the variable that is subtracted
  int64_t offset = 0;
  bool partial = false;     ///< the variable may not reach all of the dimension
  std::vector<Index> parts; ///< outermost first
  llvm::SmallVector<ExtentId, 2> extents;

  static Index variable(int var) {
    Index index;
    index.var = var;
    return index;
  }
  static Index number(int64_t number) {
    Index index;
    index.offset = number;
    return index;
  }
  /// Whether it is a variable that runs over the whole dimension.
  bool isVariable() const { return var >= 0 && minus < 0 && offset == 0 && !partial; }
  bool operator==(const Index &other) const {
    return var == other.var && minus == other.minus && offset == other.offset &&
           partial == other.partial && parts == other.parts && extents == other.extents;
  }
};

using Place = llvm::SmallVector<Index, 4>;
using Vars = uint64_t; ///< a set of variables

enum class Kind {
  Element, ///< of `tensor` at `place`; or a scalar value of the program
  Number,
  Variable, ///< the index itself: `var`, or where it is given the only one of `place`
  Scalar,   ///< `op` of the operands
  Sum,      ///< of the operand over `var`, as `op` computes it
  Inside,   ///< the operand where each of `place` lies in [0, bound), else 0
  Lookup,   ///< of `tensor` at the places that the operands compute
  Below,    ///< whether the sum of the operands, each times one of `bounds`, and the last bound
            ///< is 0 or less
  Choice,   ///< the second operand where the first, a condition, holds, else the third
  Scaled,   ///< the operand times `number`, an f64
  Log,      ///< of the operand
  LogPower, ///< of the first operand to the power of the second: 0 where that is 0
};

class DistanceTables;
class TapReader;
struct Node;
using Expr = const Node *;

struct Node {
  Kind kind;
  mlir::Value tensor;
  Place place;
  mlir::TypedAttr number;
  int var = -1;
  mlir::Operation *op = nullptr;
  llvm::SmallVector<Expr, 3> operands;
  llvm::SmallVector<int64_t, 2> bounds;
  Vars vars = 0;
  int size = 1; ///< as a tree

  /// Of a Variable.
  Index index() const { return place.empty() ? Index::variable(var) : place[0]; }
};

/// Of a dimension of a tensor, or a size of the program.
ExtentId extentOf(mlir::Value tensor, int64_t dim);
ExtentId extentIdOf(mlir::OpFoldResult size);

/// The expressions of one attempt at a match. Only definitions in one block are
/// opened.
class Formulas {
public:
  /// Flipped tensors are opened only where that is asked for.
  explicit Formulas(mlir::Block *block, bool mirrors = true, DistanceTables *tables = nullptr)
      : block(block), mirrors(mirrors), tables(tables) {}
  int newVariable(int64_t extent);
  int count() const { return static_cast<int>(extents.size()); }
  /// What `Vars` has place for.
  static constexpr int kMaxVariables = 60;
  int64_t staticExtent(int var) const { return extents[var]; }

  Expr element(mlir::Value tensor, Place place);
  Expr variable(int var);
  Expr index(Index index);
  /// Null where it grows too large: formulas are walked as trees.
  Expr scalar(mlir::Operation *op, llvm::ArrayRef<Expr> operands);
  Expr sum(int var, Expr term, mlir::Operation *op);
  Expr inside(Expr term, Place place, llvm::ArrayRef<int64_t> bounds);
  Expr number(mlir::FloatAttr number);
  /// Whether the sum of coefficient * integer, and a number, is at most 0.
  Expr below(llvm::ArrayRef<std::pair<Expr, int64_t>> terms, int64_t number);
  /// An f32 that is one number where a condition holds and another one elsewhere.
  Expr choice(Expr condition, double then, double otherwise);
  Expr scaled(Expr e, double factor);
  Expr log(Expr e);
  Expr logPower(Expr base, Expr exponent);
  /// Null where it grows too large.
  Expr lookup(mlir::Value tensor, llvm::ArrayRef<Expr> places);

  /// One step into the definition of an element; null where it has none that
  /// can be told as a formula. Steps into aft.stop_gradient are not taken.
  Expr open(Expr element);
  /// What an element is the largest of, with the variables that it is taken over; null where
  /// it is no such element.
  Expr openMaximum(Expr element, llvm::SmallVectorImpl<int> &vars);
  /// The same formula where a variable is a number.
  Expr at(Expr e, int var, int64_t number);
  /// The same formula with another variable.
  Expr renamed(Expr e, int from, int to);

  /// Opens as many definitions, where more than usual are to be expected.
  void allow(int count) { limit = count; }
  /// The variable that runs over the same places from their end; made where there is none.
  int mirrored(int var);
  /// The same, or -1.
  int mirrorOf(int var) const { return opposites[var]; }
  bool anyMirror() const {
    return llvm::any_of(opposites, [](int var) { return var >= 0; });
  }

  /// States that a variable runs over a dimension.
  void note(int var, mlir::Value tensor, int64_t dim);
  /// States that a variable stays below a number.
  void noteBelow(int var, int64_t bound) { bounds[var] = std::min(bounds[var], bound); }
  /// Whether both variables surely run over equally many places.
  bool sameExtent(int a, int b) const;
  /// Whether a variable surely runs over as many places as all of the others together.
  bool isProduct(int var, llvm::ArrayRef<int> factors) const;
  void unify(int a, int b);
  /// A dimension that the variable runs over.
  std::pair<mlir::Value, int64_t> home(int var) const { return homes[var].front(); }
  bool hasHome(int var) const { return !homes[var].empty(); }

  /// Of what extents a dimension consists that a variable runs over, where that dimension was
  /// made of several: the variable would have to be as many.
  llvm::SmallDenseMap<int, llvm::SmallVector<int64_t, 2>> splits;

  /// A factor of weights that is a constant table of distances, as it is masked; else itself.
  Expr asWeights(Expr element);
  /// The logarithm of a constant table of distances; null where it is none, or has none.
  Expr logOfTable(Expr element);

  /// The operations whose results were opened.
  llvm::SetVector<mlir::Operation *> opened;

private:
  Node *make(Kind kind);
  Expr openStructured(mlir::linalg::LinalgOp op, const Place &place);
  bool enterLoops(mlir::linalg::LinalgOp op, const Place &place,
                  llvm::SmallVectorImpl<Index> &loops, llvm::SmallVectorImpl<int> &summed);
  Expr openView(mlir::Operation *op, const Place &place);
  Expr openTaps(mlir::linalg::LinalgOp op, const Place &place);
  std::optional<Place> divided(const Index &index, llvm::ArrayRef<ExtentId> extents);
  Expr openMirror(mlir::linalg::LinalgOp op, const MirrorForm &form, const Place &place);
  friend class TapReader;

  mlir::Block *block;
  bool mirrors;
  DistanceTables *tables;     ///< null: none are known
  int steps = 0, limit = 500; ///< definitions; a mixer is made of a few dozen
  std::deque<Node> nodes;
  std::vector<int64_t> extents;
  std::vector<int> opposites;
  std::vector<int64_t> bounds; ///< of variables whose extents are not known
  std::vector<llvm::SmallVector<std::pair<mlir::Value, int64_t>, 2>> homes;
};

/// Whether two formulas are the same, whoever made them.
bool same(Expr a, Expr b);
/// The variables that a place depends on.
Vars varsOf(const Index &index);
/// Without casts between float types around it.
Expr stripped(Expr e);
/// What a Scaled is times.
double factorOf(Expr e);
/// Its number, where it is one.
std::optional<double> numberOf(Expr e);
/// Whether it is this scalar operation.
template <typename OpT> bool is(Expr e) { return e->kind == Kind::Scalar && llvm::isa<OpT>(e->op); }
inline bool has(Expr e, int var) { return e->vars >> var & 1; }
/// Whether it is made of an exponential by sums, products and maxima.
bool hasExponential(Expr e);
/// Whether it is an element read at plain, different variables.
bool isPlain(Expr e);
/// The same, where a place may consist of several variables whose extents are known.
bool isTidy(Expr e);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_EXPRESSION_H
