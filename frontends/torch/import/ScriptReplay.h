//===- ScriptReplay.h - Replays the TorchScript of a .pt file -------------===//

#ifndef AFT_TORCH_IMPORT_SCRIPTREPLAY_H
#define AFT_TORCH_IMPORT_SCRIPTREPLAY_H

#include "frontends/torch/capture/Trace.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace aft::import {

/// One run of a scripted module's forward, node by node. LibTorch's interpreter
/// is not involved: every operator is looked up among those that may be called
/// right before it is, and the number of steps is bounded.
class ScriptReplay {
public:
  explicit ScriptReplay(const torch::jit::Module &module);
  /// `arguments`: the module, then what forward takes. Throws c10::Error.
  c10::IValue run(const c10::FunctionSchema &schema, torch::jit::Graph &graph,
                  torch::jit::Stack arguments);

private:
  using Values = std::unordered_map<const torch::jit::Value *, c10::IValue>;

  std::vector<c10::IValue> runGraph(torch::jit::Graph &graph, torch::jit::Stack arguments);
  void runBlock(const torch::jit::Block &block, Values &values);
  void runNode(const torch::jit::Node &node, Values &values);
  bool runControl(const torch::jit::Node &node, Values &values);
  bool runStructure(const torch::jit::Node &node, const torch::jit::Stack &inputs,
                    torch::jit::Stack &outputs);
  void runLoop(const torch::jit::Node &node, Values &values);
  void runOperator(const torch::jit::Node &node, torch::jit::Stack &stack);
  void callMethod(const torch::jit::Node &node, torch::jit::Stack &stack);
  void notePlace(const torch::jit::Node &node);
  std::string describe(const torch::jit::Node &node) const;

  std::unordered_map<const void *, std::string> paths; ///< of the modules
  std::vector<std::string> modules;                    ///< of the calls
  std::shared_ptr<capture::Place> place;
  int64_t steps = 0;
};

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_SCRIPTREPLAY_H
