//===- graph.h - Builds programs operation by operation -------------------===//
// No MLIR type appears here, and C++17 is enough. A Graph holds functions, a
// Function is built by calling its members in order, and compile() makes an
// aft::Program of all of them:
//
//   aft::Graph graph;
//   aft::Function &f = graph.function("forward");
//   aft::Value x = f.input("x", {aft::DType::f32, {-1, -1, 64}});
//   f.output(f.simple(x, x, x), "y");
//   aft::Status status = graph.compile({}, program);
//
// Shapes are inferred at once. What is wrong is collected as text and returned
// by status() and compile(); the value of a refused operation is empty, and
// operations on empty values do nothing, so that only causes are reported. What
// extents that are known only at run time must be for an operation (a slice within
// its tensor) is checked by each call of the program.
//
// Values and functions belong to their graph and must not be used after it is gone.
// A graph that was moved from can be destroyed or assigned to, and nothing else. A
// graph may grow after compile() and be compiled again. Not for several threads at
// once.

#ifndef AFT_GRAPH_H
#define AFT_GRAPH_H

#include "aft/program.h"

#include <limits>
#include <utility>

namespace aft {

class Function;

/// A tensor inside a Function. Small, to be copied; empty when default made or
/// when the operation that should have made it was refused.
class AFT_API Value {
public:
  Value() = default;
  explicit operator bool() const { return function != nullptr; }
  bool operator==(const Value &other) const {
    return function == other.function && id == other.id;
  }
  bool operator!=(const Value &other) const { return !(*this == other); }

  /// Element type and extents; kDynamic where known only at run time.
  const TensorType &type() const;
  DType dtype() const { return type().dtype; }
  int rank() const { return static_cast<int>(type().shape.size()); }
  /// Negative dimensions count from the end, here and everywhere.
  int64_t dim(int dimension) const;

private:
  friend class Function;
  Value(Function *function, int id) : function(function), id(id) {}
  Function *function = nullptr;
  int id = -1;
};

/// A length: a number, or an expression over the dynamic extents of a
/// Function's inputs. Equal expressions are known to be equal: B*T may be split
/// into B and T again.
class Extent {
public:
  Extent(int64_t value = 0) : value(value) {}
  Extent(int value) : value(value) {}
  bool isConstant() const { return function == nullptr; }
  /// kDynamic unless constant.
  int64_t constant() const { return isConstant() ? value : kDynamic; }

private:
  friend class Function;
  Function *function = nullptr;
  int64_t value; ///< or the number of the expression in the function
};

AFT_API Extent operator+(Extent a, Extent b);
AFT_API Extent operator-(Extent a, Extent b);
AFT_API Extent operator*(Extent a, Extent b);
/// Rounds down, unless the quotient is known to be exact. An extent that turns out
/// to be 0 at run time divides as 1 does.
AFT_API Extent operator/(Extent a, Extent b);

/// What an elementwise operation takes: a tensor or a number, which beside integers
/// is whole and one of their type (i64: in the digits of a double).
struct Operand {
  Operand(Value value) : value(value), isScalar(false) {}
  Operand(double scalar) : scalar(scalar), isScalar(true) {}
  Operand(int scalar) : scalar(scalar), isScalar(true) {}
  Operand(int64_t scalar) : scalar(static_cast<double>(scalar)), isScalar(true) {}
  Value value;
  double scalar = 0;
  bool isScalar;
};

enum class Compare { eq, ne, lt, le, gt, ge };

/// What the mixers have in common.
struct MixerOptions {
  bool causal = false;
  std::string gate = "sigmoid"; ///< sigmoid, relu, tanh or none
  Value lengths;                ///< [B] i32: keys from lengths[b] on are hidden
  /// Both or none: receive N/Z and log Z, which the derivatives need.
  Value *ratio = nullptr, *logz = nullptr;
};

/// Derivatives of a mixer; dw is empty for simple.
struct MixerGrads {
  Value dq, dk, dv, dw;
};

/// The state of the online mixers: running maximum, numerator, denominator, and
/// for local and conv the last window-1 keys and values.
struct MixerState {
  Value m, n, z, recentK, recentV;
};

/// One entry of a program, built in the order of the calls.
class AFT_API Function {
public:
  ~Function();
  Function(const Function &) = delete;
  Function &operator=(const Function &) = delete;

  const std::string &name() const;

  /// The place that error messages and debug information give to the operations
  /// that follow, such as "blocks.0.mixer".
  void setLocation(const std::string &location);

  //===--- Arguments, results, constants ----------------------------------===//

  Value input(const std::string &name, const TensorType &type);
  /// An input that training differentiates and updates.
  Value parameter(const std::string &name, const TensorType &type);
  /// States what an extent of an input may be; others are refused when it is run.
  void limit(Value input, int dimension, int64_t least, int64_t most = INT64_MAX);
  /// One that aliases an input (by its number) updates its buffer in place, and is the
  /// only one that does. Results have names of their own, or none.
  void output(Value value, const std::string &name = "", int aliasOfInput = -1);
  /// The same number everywhere.
  Value splat(double value, DType dtype, const std::vector<Extent> &shape);
  /// Row-major data of a static type, which is copied; an i1 takes one byte. It becomes
  /// part of the program's text: large data, such as weights, is better an input.
  Value constant(const TensorType &type, const void *data);
  /// start, start + step, ...
  Value arange(Extent length, DType dtype, double start = 0, double step = 1);

  //===--- Extents --------------------------------------------------------===//

  Extent extent(Value value, int dimension);
  std::vector<Extent> shape(Value value);
  /// An extent as a scalar tensor.
  Value number(Extent extent, DType dtype);
  /// States that two extents are equal; where they are not, running fails.
  void assumeEqual(Extent a, Extent b);

  //===--- Elementwise, with broadcasting as in numpy ----------------------===//
  // An extent broadcasts when it is the constant 1; a dynamic one never does.
  // Both operands have one element type. bf16 is computed in f32.

  Value add(Operand a, Operand b);
  Value sub(Operand a, Operand b);
  Value mul(Operand a, Operand b);
  Value div(Operand a, Operand b); ///< integers: rounds towards zero; by 0 it is 0
  Value pow(Operand a, Operand b);
  Value maximum(Operand a, Operand b);
  Value minimum(Operand a, Operand b);
  Value compare(Compare kind, Operand a, Operand b); ///< i1
  Value logicalAnd(Value a, Value b);
  Value logicalOr(Value a, Value b);
  Value logicalNot(Value a);
  Value where(Value condition, Operand yes, Operand no);

  Value neg(Value x);
  Value abs(Value x);
  Value exp(Value x);
  Value expm1(Value x);
  Value log(Value x);
  Value log1p(Value x);
  Value sqrt(Value x);
  Value rsqrt(Value x);
  Value tanh(Value x);
  Value erf(Value x);
  Value sin(Value x);
  Value cos(Value x);
  Value floor(Value x);
  Value trunc(Value x);
  Value sigmoid(Value x);
  Value relu(Value x);
  Value silu(Value x);
  Value gelu(Value x, bool tanhApproximation = false);
  Value cast(Value x, DType dtype);
  /// x, through which training sends no gradient.
  Value stopGradient(Value x);

  //===--- Reductions and scans ---------------------------------------------===//
  // No dims: all of them.

  Value sum(Value x, const std::vector<int> &dims = {}, bool keepDims = false);
  /// The product; it has no derivative yet.
  Value prod(Value x, const std::vector<int> &dims = {}, bool keepDims = false);
  Value mean(Value x, const std::vector<int> &dims = {}, bool keepDims = false);
  Value max(Value x, const std::vector<int> &dims = {}, bool keepDims = false);
  Value min(Value x, const std::vector<int> &dims = {}, bool keepDims = false);
  /// Biased variance.
  Value variance(Value x, const std::vector<int> &dims = {}, bool keepDims = false);
  Value softmax(Value x, int dim = -1);
  Value logSoftmax(Value x, int dim = -1);
  Value cumsum(Value x, int dim);
  /// Floats in reverse order along a dimension.
  Value flip(Value x, int dim);

  //===--- Matrix products ---------------------------------------------------===//

  /// [..., m, k] x [..., k, n], the leading extents broadcast; one of rank 1 is
  /// a row on the left and a column on the right. A right side of rank 2 is
  /// multiplied at once with all leading extents of the left.
  Value matmul(Value a, Value b, bool transposeA = false, bool transposeB = false);
  /// x [..., in] with weight [out, in] and bias [out].
  Value linear(Value x, Value weight, Value bias = {});

  //===--- Shapes ------------------------------------------------------------===//

  /// At most one extent is -1: it follows from the others.
  Value reshape(Value x, const std::vector<Extent> &shape);
  Value flatten(Value x, int first = 0, int last = -1);
  Value unsqueeze(Value x, int dim);
  Value squeeze(Value x, int dim);
  Value transpose(Value x, int dim0, int dim1);
  Value permute(Value x, const std::vector<int> &dims);
  /// The elements start, start + step, ... below end. Negative numbers count
  /// from the end of x, so do extents times negative numbers (-1 * T: the last T, also
  /// where T is 0), and a constant end past the end is the end where that is known.
  Value slice(Value x, int dim, Extent start, Extent end = std::numeric_limits<int64_t>::max(),
              int64_t step = 1);
  Value select(Value x, int dim, Extent index);
  /// Inverse of concat: pieces of the given lengths.
  std::vector<Value> split(Value x, int dim, const std::vector<Extent> &lengths);
  Value concat(const std::vector<Value> &values, int dim);
  Value stack(const std::vector<Value> &values, int dim);
  /// Extents of 1 (and missing leading ones) repeat; -1 keeps one.
  Value expand(Value x, const std::vector<Extent> &shape);
  /// One pair of lengths per dimension.
  Value pad(Value x, const std::vector<Extent> &low, const std::vector<Extent> &high,
            double value = 0);
  /// x[ids, ...]: rows along dimension 0, of any element type. An id outside of it
  /// gives a row of NaN, of integers 0.
  Value index(Value x, Value ids);
  /// 0 above (below) the given diagonal of the last two dimensions.
  Value tril(Value x, int64_t diagonal = 0);
  Value triu(Value x, int64_t diagonal = 0);
  /// [rows, columns] i1: row t sees the columns up to t + columns - rows.
  Value causalMask(Extent rows, Extent columns);
  /// [..., classes]: 1 where the last index is ids[...].
  Value oneHot(Value ids, int64_t classes, DType dtype);

  //===--- Attention-free mixers (see the dialect for the mathematics) -------===//

  /// q [B,T,d], k and v [B,S,d], w [T,S] or [B,T,S].
  Value full(Value q, Value k, Value v, Value w, const MixerOptions &options = {});
  /// q, k, v [B,T,d], band [T, 2*window-1], causal [T, window].
  Value local(Value q, Value k, Value v, Value band, int64_t window,
              const MixerOptions &options = {});
  Value simple(Value q, Value k, Value v, const MixerOptions &options = {});
  /// q, v [B,T,d], k [B,T,h], filter [h,s], [h,sy,sx] or [h,sz,sy,sx]; an empty
  /// grid: one dimension.
  Value conv(Value q, Value k, Value v, Value filter, const std::vector<int64_t> &grid = {},
             const MixerOptions &options = {});
  /// The band of the bias u[t] . v[t'], u and v [Tmax, r]: [length, taps].
  Value band(Value u, Value v, int64_t window, bool causal, Extent length);
  Value band(Value u, Value v, int64_t window, bool causal = false);

  MixerGrads fullGrad(Value dy, Value q, Value k, Value v, Value w, Value ratio, Value logz,
                      const MixerOptions &options = {});
  MixerGrads localGrad(Value dy, Value q, Value k, Value v, Value band, Value ratio, Value logz,
                       int64_t window, const MixerOptions &options = {});
  MixerGrads simpleGrad(Value dy, Value q, Value k, Value v, Value ratio, Value logz,
                        const MixerOptions &options = {});
  MixerGrads convGrad(Value dy, Value q, Value k, Value v, Value filter, Value ratio, Value logz,
                      const std::vector<int64_t> &grid = {}, const MixerOptions &options = {});
  /// (du, dv).
  std::pair<Value, Value> bandGrad(Value dband, Value u, Value v, int64_t window,
                                   bool causal = false);

  // Online forms: `state` is replaced by the state after the chunk.

  /// Folds a block of keys into the state of every query; then finish.
  void fullOnline(Value k, Value v, Value w, MixerState &state);
  Value finish(Value q, Value n, Value z, const std::string &gate = "sigmoid");
  Value simpleOnline(Value q, Value k, Value v, MixerState &state,
                     const std::string &gate = "sigmoid");
  Value localOnline(Value q, Value k, Value v, Value band, int64_t window, MixerState &state,
                    const std::string &gate = "sigmoid");
  Value convOnline(Value q, Value k, Value v, Value filter, MixerState &state,
                   const std::string &gate = "sigmoid");

  //===--- Layers ------------------------------------------------------------===//

  /// Over the last dimension; without gamma 1, without beta 0.
  Value layerNorm(Value x, Value gamma = {}, Value beta = {}, double eps = 1e-5);
  Value embedding(Value ids, Value table);
  /// Mean over the rows whose target is not negative: logits [..., classes],
  /// targets [...] i32 or i64; a scalar in
  /// the accumulation type.
  Value crossEntropy(Value logits, Value targets);
  /// seed: a scalar i64. Calls with the same seed and stream drop the same
  /// elements; stream -1 counts up, so that every call drops others.
  Value dropout(Value x, Value seed, double p, int64_t stream = -1);

  // Internal.
  static Extent arithmetic(char operation, Extent a, Extent b);
  struct AFT_HIDDEN Impl;
  explicit Function(std::unique_ptr<Impl> impl);
  Impl &get() { return *impl; }

private:
  std::unique_ptr<Impl> impl;
};

/// A program under construction.
class AFT_API Graph {
public:
  /// `name` appears in error messages and reports.
  explicit Graph(std::string name = "graph");
  ~Graph();
  Graph(Graph &&);
  Graph &operator=(Graph &&);

  /// A program in MLIR text, which compile() parses. `name` appears in error
  /// messages in place of a file name.
  static Graph fromText(std::string text, const std::string &name);

  /// The function of this name; made when there is none yet. It lives as long
  /// as the graph.
  Function &function(const std::string &name = "main");

  /// What was refused so far, a line each: where, what was expected, what found.
  Status status() const;
  /// The program as MLIR text.
  std::string text() const;
  Status compile(const CompileOptions &options, std::shared_ptr<Program> &program) const;

private:
  struct AFT_HIDDEN Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace aft

#endif // AFT_GRAPH_H
