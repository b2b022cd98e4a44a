//===- Arguments.h - Tensors on their way into a compiled program ---------===//

#ifndef AFT_TORCH_CAPTURE_ARGUMENTS_H
#define AFT_TORCH_CAPTURE_ARGUMENTS_H

#include "frontends/torch/capture/Translation.h"
#include "frontends/torch/ops/Mirror.h"
#include "frontends/torch/ops/Placement.h"
#include "runtime/core/InternalApi.h"

namespace aft::capture {

/// The inputs of a captured module, as it expects them.
class InputCheck {
public:
  InputCheck(const Capture &capture, ops::Placement placement);
  /// The inputs, contiguous. Throws c10::Error with the input, what was expected
  /// and found. `mirror`, where there is one, may hold some of them.
  Tensors operator()(const Tensors &inputs, const ops::Mirror *mirror = nullptr) const;

private:
  /// An input that an operator takes for places in a dimension of a tensor.
  struct Indices {
    int input;
    SizeFormula count;  ///< the dimension's extent
    bool fromEnd;       ///< negative ones count from the end
    std::string reader; ///< the operator, as messages name it
  };

  void findIndices(const Capture &capture);
  void checkOne(size_t index, const at::Tensor &found, bool isHeld) const;
  void checkIndices(const Tensors &inputs) const;

  ops::Placement placement;
  std::vector<TensorType> types;                  ///< kDynamic where a size may change
  std::vector<std::vector<std::string>> whyFixed; ///< per input and dimension
  std::vector<DynamicExtent> extents;
  std::vector<Indices> indices;
};

/// Tensors by name, kept until they are written.
class Weights {
public:
  void add(const std::string &name, const at::Tensor &tensor);
  SaveOptions options;

private:
  Tensors kept;
};

/// The memory of tensors, which must stay alive meanwhile.
AFT_INTERNAL std::vector<Buffer> buffersOf(const Tensors &tensors);
/// Where a captured module computes: where its parameters are, else its buffers, else its
/// inputs. Throws c10::Error with the first tensor that is elsewhere.
ops::Placement placementOf(const Capture &capture, const std::vector<TracedState> &states);
/// A parameter or buffer in messages.
std::string labelOf(const TracedState &state);
/// The program's options, with the target that follows from the place, and LibTorch's
/// number of threads and the examples' shapes where nothing else is said.
CompileOptions programOptions(const CompileOptions &options, const ops::Placement &placement,
                              const Tensors &examples);
/// What keeps tensors on the GPU for a program that is compiled with `program`; null where
/// nothing does.
std::shared_ptr<ops::Mirror> mirrorOf(const CompileModuleOptions &options,
                                      const CompileOptions &program,
                                      const ops::Placement &placement);
/// The program's name: what the options say, else the module's class.
std::string programName(const torch::nn::Module &module, const CompileModuleOptions &options);
/// Builds and compiles; throws c10::Error.
std::shared_ptr<Program> compileGraph(const Graph &graph, const CompileOptions &options);
/// Translates a capture for inference and compiles it; throws c10::Error.
CompiledModule compileCapture(const Capture &capture, const Tensors &examples,
                              const CompileModuleOptions &options);

} // namespace aft::capture

#endif // AFT_TORCH_CAPTURE_ARGUMENTS_H
