//===- Sizes.h - What in a captured module depends on its inputs' sizes ---===//
// A module is recorded at several sizes of its inputs. What differs between the
// runs is expressed by the extents that changed.

#ifndef AFT_TORCH_CAPTURE_SIZES_H
#define AFT_TORCH_CAPTURE_SIZES_H

#include "frontends/torch/capture/Trace.h"
#include "runtime/core/InternalApi.h"

#include <limits>
#include <map>
#include <optional>

namespace aft::capture {

/// Input dimensions that change together from call to call.
struct DynamicExtent {
  int64_t size = 0; ///< of the examples
  /// Beyond these the module does something else than what was captured.
  int64_t least = 0, most = std::numeric_limits<int64_t>::max();
  bool isGiven = false;                  ///< these are the bounds that a file gives
  std::vector<std::pair<int, int>> axes; ///< (input, dimension)
};

/// (constant + sum of factor * extent + sum of factor * product of extents) / divisor
struct SizeFormula {
  int64_t constant = 0, divisor = 1;
  std::vector<int64_t> linear; ///< per dynamic extent
  struct Product {
    std::vector<int> extents; ///< two or more, or one twice
    int64_t factor;
  };
  std::vector<Product> products;
  bool isConstant() const;
  /// Nothing where the arithmetic overflows.
  std::optional<int64_t> at(const std::vector<int64_t> &sizes) const;
};

/// scale * (product of extents + offset) ^ power, or scale * log(product of
/// extents + offset) where `isLog`.
struct RealFormula {
  double scale = 0, power = 0;
  bool isLog = false;
  std::vector<int> extents; ///< none: it is `scale`
  int64_t offset = 0;
  double at(const std::vector<int64_t> &sizes) const;
};

/// Whether two computations of a float may have given these.
bool isClose(double a, double b);

/// What two runs differ in beside numbers that may follow sizes; "": in nothing.
std::string differenceOf(const Trace &a, const Trace &b);
/// Whether the rule of an operator takes any number as this argument, one that
/// depends on sizes too.
bool takesAnyNumber(const Call &call, size_t arg);

/// A module recorded at the examples' sizes and at others.
class Capture {
public:
  Capture(torch::nn::Module &module, const Computation &computation, const Tensors &examples,
          bool dynamic, const std::function<bool(const std::string &)> &known);
  /// With extents that are known to change; those on which something depends in
  /// a way no formula has are left out. Only sizes in their ranges are tried.
  Capture(torch::nn::Module &module, const Computation &computation, const Tensors &examples,
          std::vector<DynamicExtent> extents,
          const std::function<bool(const std::string &)> &known);

  /// The run at the examples' sizes.
  const Trace &trace() const { return runs.front().trace; }
  const std::vector<DynamicExtent> &extents() const { return dynamicExtents; }
  /// The dynamic extent of an input's dimension; nothing where it is fixed.
  std::optional<int> extentOf(int input, int dimension) const;
  /// Number `index` of an integer argument.
  SizeFormula sizeOf(size_t call, size_t arg, size_t index) const;
  /// A floating-point argument.
  RealFormula numberOf(size_t call, size_t arg) const;
  /// Why a dimension of an input is fixed; "" where that is not known.
  AFT_INTERNAL std::string whyFixed(int input, int dimension) const;
  /// Whether a value is one and the same constant at all sizes.
  bool isFixed(int value) const;
  /// A dimension of a traced value.
  SizeFormula dimOf(int value, int dimension) const;

private:
  struct Run {
    std::vector<int64_t> sizes; ///< per dynamic extent
    Trace trace;
  };

  bool tryRun(const std::vector<int64_t> &sizes);
  bool addRun(const std::vector<std::vector<int64_t>> &candidates);
  void findExtents();
  void findExtents(std::vector<DynamicExtent> groups);
  bool varies(const DynamicExtent &extent, bool bothWays = false);
  void joinFound(std::vector<std::pair<int, int>> &rest, std::vector<DynamicExtent> &found);
  enum class Fit { Same, Other, Refused };
  Fit tryAt(size_t extent, int64_t size) const;
  bool foretells(const std::vector<int64_t> &sizes, const Trace &found) const;
  bool foretellsCall(const std::vector<int64_t> &sizes, size_t call, const Call &found) const;
  bool lacksOnlySlices(const std::vector<int64_t> &sizes, const Trace &found) const;
  void findLimits();
  std::optional<DynamicExtent> takeUnion(std::vector<DynamicExtent> &groups);
  void checkRuns();
  Tensors inputsAt(const std::vector<int64_t> &sizes) const;
  std::optional<SizeFormula> fit(const std::vector<int64_t> &values) const;
  std::optional<RealFormula> fitReal(const std::vector<double> &values) const;
  std::vector<double> reals(size_t call, size_t arg) const;
  void noteFixed(const DynamicExtent &extent, const std::string &reason);

  torch::nn::Module &module;
  const Computation &computation;
  Tensors examples;
  const std::function<bool(const std::string &)> &known;
  std::vector<DynamicExtent> dynamicExtents;
  std::vector<Run> runs;      ///< the examples, each extent changed alone, all changed
  std::string lastDifference; ///< of the last run that was not added
  std::map<std::pair<int, int>, std::string> fixed; ///< why, by (input, dimension)
};

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_SIZES_H
