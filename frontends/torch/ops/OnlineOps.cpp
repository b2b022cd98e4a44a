//===- OnlineOps.cpp - Causal mixers over the next chunk ------------------===//
// They carry a state from chunk to chunk and have no derivative.

#include "frontends/torch/ops/Autograd.h"
#include "frontends/torch/ops/Mixer.h"

#include <ATen/ATen.h>
#include <torch/library.h>

using namespace aft::ops;
using std::string_view;
using FourTensors = std::tuple<Tensor, Tensor, Tensor, Tensor>;
using SixTensors = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

namespace {
/// One online mixer: named operands in the order of the dialect, the state
/// beginning at `state`.
struct Chunk {
  std::string name;
  struct Named {
    const char *name;
    Tensor tensor;
    std::string letters;
  };
  std::vector<Named> operands;
  size_t state;
  std::string attributes;
};
} // namespace

static std::vector<Tensor> runChunk(Chunk &chunk, Extents &extents, bool meta) {
  std::string op = "aft::" + chunk.name;
  at::ScalarType type = chunk.operands[0].tensor.scalar_type(), sum = accumulationOf(type);
  TORCH_CHECK(type == at::kFloat || type == at::kDouble || type == at::kBFloat16, op,
              ": 'q' must be float, double or bfloat16, found ", type);
  Operation operation{chunk.name, {}, {{type, chunk.operands[0].letters}}, ""};
  std::vector<Tensor> results = {
      at::empty_like(chunk.operands[0].tensor, at::MemoryFormat::Contiguous)};
  for (size_t i = 0; i < chunk.operands.size(); ++i) {
    auto &[name, tensor, letters] = chunk.operands[i];
    bool sums = i >= chunk.state && i < chunk.state + 3;
    // LibTorch code keeps m, n and z in the element type or the wider one; the
    // dialect always in the wider one.
    at::ScalarType expected = sums ? sum : type;
    TORCH_CHECK(tensor.scalar_type() == type || tensor.scalar_type() == expected, op, ": '",
                name, "' must be ", expected, ", found ", tensor.scalar_type());
    extents.check(name, tensor, letters);
    operation.operands.push_back({tensor.to(expected), letters});
    operation.form += (i == 0 ? "$" : i == chunk.state ? " state($" : ", $") + std::to_string(i);
    if (i < chunk.state)
      continue;
    operation.results.push_back({expected, letters});
    results.push_back(at::empty_like(tensor, tensor.options().dtype(expected),
                                     at::MemoryFormat::Contiguous));
  }
  operation.form += ")" + chunk.attributes;
  return meta ? results : run(operation, extents);
}

static std::string gateText(const std::string &op, string_view gate) {
  checkGate(op, std::string(gate));
  return gate == "sigmoid" ? "" : " gate = " + std::string(gate);
}

static SixTensors six(const std::vector<Tensor> &r) { return {r[0], r[1], r[2], r[3], r[4], r[5]}; }

template <bool meta>
static FourTensors simpleOnline(const Tensor &q, const Tensor &k, const Tensor &v,
                                const Tensor &m, const Tensor &n, const Tensor &z,
                                string_view gate) {
  Chunk chunk{"simple_online",
              {{"q", q, "BCd"}, {"k", k, "BCd"}, {"v", v, "BCd"},
               {"m", m, "Bd"}, {"n", n, "Bd"}, {"z", z, "Bd"}},
              3,
              gateText("aft::simple_online", gate)};
  Extents extents("aft::simple_online");
  auto r = runChunk(chunk, extents, meta);
  return {r[0], r[1], r[2], r[3]};
}

template <bool meta>
static SixTensors localOnline(const Tensor &q, const Tensor &k, const Tensor &v,
                              const Tensor &band, const Tensor &m, const Tensor &n,
                              const Tensor &z, const Tensor &recentK, const Tensor &recentV,
                              int64_t window, string_view gate) {
  TORCH_CHECK(window >= 1, "aft::local_online: window must be at least 1, found ", window);
  Chunk chunk{"local_online",
              {{"q", q, "BCd"}, {"k", k, "BCd"}, {"v", v, "BCd"}, {"band", band, "Cl"},
               {"m", m, "Bd"}, {"n", n, "Bd"}, {"z", z, "Bd"},
               {"recent_k", recentK, "Brd"}, {"recent_v", recentV, "Brd"}},
              4,
              " window = " + std::to_string(window) + gateText("aft::local_online", gate)};
  Extents extents("aft::local_online");
  extents.bind('l', window);
  extents.bind('r', window - 1);
  return six(runChunk(chunk, extents, meta));
}

template <bool meta>
static SixTensors convOnline(const Tensor &q, const Tensor &k, const Tensor &v,
                             const Tensor &filter, const Tensor &m, const Tensor &n,
                             const Tensor &z, const Tensor &recentK, const Tensor &recentV,
                             string_view gate) {
  TORCH_CHECK(filter.dim() == 2 && filter.size(1) >= 1,
              "aft::conv_online: 'filter' must have shape [h, s] with s >= 1, found ",
              filter.sizes());
  Chunk chunk{"conv_online",
              {{"q", q, "BCd"}, {"k", k, "BCh"}, {"v", v, "BCd"}, {"filter", filter, "hx"},
               {"m", m, "Bh"}, {"n", n, "Bd"}, {"z", z, "Bh"},
               {"recent_k", recentK, "Brh"}, {"recent_v", recentV, "Brd"}},
              4,
              gateText("aft::conv_online", gate)};
  Extents extents("aft::conv_online");
  extents.bind('r', filter.size(1) - 1);
  return six(runChunk(chunk, extents, meta));
}

template <bool meta> static void implement(torch::Library &m) {
  m.impl("simple_online", simpleOnline<meta>);
  m.impl("local_online", localOnline<meta>);
  m.impl("conv_online", convOnline<meta>);
}

TORCH_LIBRARY_IMPL(aft, CPU, m) { implement<false>(m); }
TORCH_LIBRARY_IMPL(aft, CUDA, m) { implement<false>(m); }
TORCH_LIBRARY_IMPL(aft, Meta, m) { implement<true>(m); }

TORCH_LIBRARY_IMPL(aft, Autograd, m) {
  for (const char *name : {"simple_online", "local_online", "conv_online"})
    m.impl(name, torch::autograd::autogradNotImplementedFallback());
}
