//===- ExportedGraph.h - Replays the graph of a .pt2 file -----------------===//

#ifndef AFT_TORCH_IMPORT_EXPORTEDGRAPH_H
#define AFT_TORCH_IMPORT_EXPORTEDGRAPH_H

#include "frontends/torch/capture/Trace.h"
#include "frontends/torch/import/ExportedArguments.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <map>
#include <memory>
#include <vector>

namespace aft::import {

/// The nodes of a graph and of those inside it. Making it refuses what cannot be
/// replayed, before anything is run. `graph` must stay alive.
class ExportedGraph {
public:
  explicit ExportedGraph(JsonValue graph, int depth = 0);
  /// Runs the nodes one by one with what `names` holds.
  void run(Names &names) const;

private:
  struct Step {
    JsonValue node;
    std::string target;
    std::optional<c10::OperatorHandle> op; ///< nothing for sizes and higher order
    std::shared_ptr<const capture::Place> place;
    std::shared_ptr<ExportedGraph> inner; ///< of a node around a graph
    bool gradients;                       ///< false: that graph is computed without
  };

  void prepare(Step &step, int depth);
  void prepareInner(Step &step, int depth);
  void run(const Step &step, Names &names) const;
  void runOperator(const Step &step, Names &names) const;
  void runInner(const Step &step, Names &names) const;
  static std::string describe(const Step &step);

  JsonValue graph;
  std::vector<Step> steps;
};

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_EXPORTEDGRAPH_H
