//===- FunctionImpl.h - What the parts of the builder share ----------------===//
// A function is text that grows line by line, and what is known of each value:
// its name, its type as written, and its extents as expressions.

#ifndef AFT_BUILDER_FUNCTION_IMPL_H
#define AFT_BUILDER_FUNCTION_IMPL_H

#include "aft/graph.h"
#include "frontends/builder/Polynomial.h"

#include <deque>
#include <functional>

namespace aft {

using Shape = std::vector<Polynomial>;
using Strings = std::vector<std::string>;

/// Of inputs. Dimensions have letters in messages, and MLIR's types nest.
constexpr size_t kMostRank = 32;
/// Elements of a constant, which is text.
constexpr int64_t kMostConstant = int64_t(1) << 28;
/// Elements of a constant that is one number everywhere.
constexpr int64_t kMostSplat = int64_t(1) << 24;

bool isFloat(DType dtype);
bool isInteger(DType dtype); ///< i8, i32 or i64
/// What sums of this type are kept in: f64 for f64, f32 for other floats.
DType accumulationOf(DType dtype);
/// Whether 64 bits count the bytes, with room for what is computed from them.
bool isCountable(const TensorType &type);
std::string typeText(const TensorType &type);
/// "a, b, c"
std::string joined(const Strings &parts);
/// A string literal of MLIR.
std::string quoted(const std::string &text);
/// "value : type"; infinities and NaN are written as bits.
std::string numberText(double value, DType dtype);
/// "affine_map<(d0, d1) -> (d0)>" with the given results.
std::string mapText(int loops, const std::vector<int> &results);

/// The scalar code of one linalg.generic.
class Body {
public:
  explicit Body(Function::Impl &function) : function(function) {}

  std::string op(const std::string &name, const Strings &operands, DType dtype);
  std::string number(double value, DType dtype);
  /// The index of a loop.
  std::string index(int loop);
  std::string convert(const std::string &value, DType from, DType to);
  /// An index as a number.
  std::string fromIndex(const std::string &index, DType to);
  std::string compare(Compare kind, const std::string &a, const std::string &b, DType dtype);
  std::string compareIndex(const char *predicate, const std::string &a, const std::string &b);
  std::string addIndex(const std::string &a, int64_t offset);
  std::string select(const std::string &condition, const std::string &yes, const std::string &no,
                     DType dtype);
  /// A line "%n = text"; returns %n.
  std::string assign(const std::string &text);

  std::string text;

private:
  Function::Impl &function;
};

/// One operand of a linalg.generic and the loops that its dimensions follow.
struct GenericOperand {
  Value value;
  std::vector<int> loops;
};

struct Function::Impl {
  Function *self = nullptr;
  std::string name;

  struct Node {
    std::string name; ///< %12
    TensorType type;  ///< as the text has it
    Shape shape;
  };
  struct Argument {
    std::string name;
    int node;
    bool isParameter;
    std::vector<ExtentRange> limits = {}; ///< of all extents, or empty
  };
  struct Output {
    std::string name;
    Value value;
    int alias;
  };
  std::deque<Node> nodes; ///< a deque: references to types stay good
  std::vector<Argument> arguments;
  std::vector<Output> outputs;
  std::vector<Polynomial> expressions;          ///< of Extents
  std::vector<std::optional<Polynomial>> symbols; ///< what is known to equal each
  std::map<Polynomial, std::string> extentNames;
  std::map<Polynomial, std::pair<int, int>> extentHomes; ///< a value and its dimension
  std::map<std::pair<Polynomial, Polynomial>, Polynomial> quotients;
  std::string text, location;
  Strings errors;
  std::string current; ///< the operation whose operands were looked at last
  int names = 0;
  int64_t streams = 0;

  //===--- Errors ---------------------------------------------------------===//

  /// Records why `operation` is refused and gives the empty value.
  Value fail(const char *operation, const std::string &message);
  /// Whether all are values of this function; reports those that are not,
  /// unless empty (then their own error has been reported).
  bool check(const char *operation, const std::vector<Value> &values);
  bool checkFloat(const char *operation, Value value, const char *what);
  bool checkSameType(const char *operation, Value a, Value b, const char *what);
  bool checkElementType(const char *operation, DType dtype);
  /// Whether a number can be written as one of this type: integers are whole and
  /// within its range.
  bool checkNumber(const char *operation, double value, DType dtype);
  bool checkWindow(const char *operation, int64_t window);
  /// A dimension counted from the front, or nothing after an error.
  std::optional<int> dimension(const char *operation, int dim, int rank);
  std::optional<std::vector<int>> dimensions(const char *operation, const std::vector<int> &dims,
                                             int rank);

  //===--- Extents ----------------------------------------------------------===//

  Polynomial canonical(const Polynomial &extent) const;
  /// Makes two extents equal where a symbol can be given a value; false if they
  /// differ for certain.
  bool unify(const Polynomial &a, const Polynomial &b);
  Polynomial newSymbol();
  /// The quotient, rounded down; both are canonical.
  Polynomial divided(const Polynomial &a, const Polynomial &b);
  /// The SSA name of an extent of type index.
  std::string materialise(const Polynomial &extent);
  /// "4" or "%n", as in the brackets of tensor operations.
  std::string sizeText(const Polynomial &extent);
  Extent toExtent(const Polynomial &extent);
  std::optional<Polynomial> fromExtent(const char *operation, Extent extent);
  std::optional<Shape> fromExtents(const char *operation, const std::vector<Extent> &extents);
  std::string describe(const Polynomial &extent) const;
  std::string describe(const Shape &shape) const;

  //===--- Values -----------------------------------------------------------===//

  Node &node(Value value) { return nodes[value.id]; }
  Shape shapeOf(Value value) const;
  Polynomial extentOf(Value value, int dim) const;
  TensorType typeOf(DType dtype, const Shape &shape) const;
  std::string nameOf(Value value) { return node(value).name; }
  std::string typeTextOf(Value value) { return typeText(node(value).type); }
  /// Whether no extent has turned out to be negative.
  bool checkExtents(const Shape &shape);
  /// The value with all extents in its type that are known by now.
  Value refined(Value value);

  //===--- Text ---------------------------------------------------------------===//

  std::string fresh() { return "%" + std::to_string(names++); }
  /// A line of the function with its location.
  void line(const std::string &content);
  std::string constantIndex(int64_t value);
  /// A value that `content` (without "%n = ") defines; empty where it would be too
  /// large to count its bytes.
  Value define(const std::string &content, DType dtype, const Shape &shape);
  /// The same of a value that is there already, under another type.
  Value retyped(Value value, const TensorType &type, const Shape &shape);
  std::vector<Value> defineAll(const std::string &content,
                               const std::vector<std::pair<DType, Shape>> &results);
  std::vector<Value> record(const std::string &content,
                            const std::vector<std::pair<DType, Shape>> &results);
  Value empty(DType dtype, const Shape &shape);
  Value filled(const std::string &scalar, DType dtype, const Shape &shape);
  /// `scalar` is the text of a number.
  Value splat(const std::string &scalar, DType dtype, const Shape &shape);

  /// A generic whose loops are first the dimensions of the result, then
  /// `reductions` more. Without init the result starts undefined. The body maps
  /// the names of its operands (and, with init, of the result so far) to its
  /// result.
  using Emit = std::function<std::string(Body &, const Strings &)>;
  Value generic(const std::vector<GenericOperand> &inputs, DType dtype, const Shape &shape,
                const Emit &emit, int reductions = 0, Value init = {});
  /// Loops in another order than the result's dimensions.
  Value generic(const std::vector<GenericOperand> &inputs, int loops, DType dtype,
                const Shape &shape, const std::vector<int> &resultLoops, Value init,
                const Emit &emit);

  Value argument(const std::string &argumentName, const TensorType &type, bool isParameter);
  std::string functionText() const;

  //===--- Parts of operations ------------------------------------------------===//

  /// Broadcasts, computes in the wide type, and stores as `result` (by default
  /// the operands' type). The first `conditions` operands are i1.
  Value elementwise(const char *operation, const std::vector<Operand> &operands, const Emit &emit,
                    std::optional<DType> result = std::nullopt, size_t conditions = 0);
  std::optional<Shape> broadcast(const char *operation, const std::vector<Shape> &shapes);
  Value unary(const char *operation, Value x, const Emit &emit);
  Value unaryMath(const char *operation, Value x, const char *name);
  /// Views without checks; the element counts are equal.
  Value viewAs(Value x, const Shape &shape);
  Value broadcastTo(Value x, const Shape &shape);
  Value sliced(Value x, int dim, const Polynomial &start, const Polynomial &length, int64_t step);
  Value permuted(Value x, const std::vector<int> &dims);
  /// `start` is the text of what an empty reduction gives.
  Value reduce(const char *operation, Value x, const std::vector<int> &dims, bool keepDims,
               const char *floatName, const char *intName,
               const std::function<std::string(DType)> &start);
  Value matmul2or3(Value a, Value b, bool transposeA, bool transposeB);
  Value dropUnits(Value x, const std::vector<bool> &drop);

  /// An aft operation checked by dimension letters.
  struct Named {
    const char *name;
    Value value;
    std::string letters;
  };
  struct Result {
    DType dtype;
    std::string letters;
  };
  /// What a letter stands for, and the operand that says so.
  using Letters = std::map<char, std::pair<Polynomial, std::string>>;
  bool bind(const char *operation, const std::vector<Named> &operands, Letters &letters);
  /// In `form`, $0, $1, ... stand for the operands.
  std::vector<Value> aftOp(const char *mnemonic, const std::string &form,
                           const std::vector<Named> &operands, const std::vector<Result> &results,
                           Letters letters = {});
};

} // namespace aft

#endif // AFT_BUILDER_FUNCTION_IMPL_H
