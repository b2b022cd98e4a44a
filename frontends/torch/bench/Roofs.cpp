//===- Roofs.cpp - What the machine can do at most ------------------------===//
// Rates that no program exceeds, of the loops that reports hold kernels against:
// they say how good a measured rate is.

#include "frontends/torch/bench/Subjects.h"
#include "runtime/core/Roof.h"

#include <memory>
#include <stdexcept>

using namespace aft::bench;
using Kind = aft::RoofLoop::Kind;

static constexpr int64_t kRounds = 4'000'000; // in registers

static Kind kindOf(const Options &o) {
  if (o.op == "fma")
    return o.dtype == "bf16" ? Kind::PairProducts : Kind::MultiplyAdd;
  return o.op == "read" ? Kind::Read : Kind::Copy;
}

Subject aft::bench::makeRoof(const Options &o) {
  Kind kind = kindOf(o);
  auto loop = std::make_shared<aft::RoofLoop>(
      kind, aft::ThreadPool::shared(static_cast<int>(o.threads)), o.mib << 20);
  if (!loop->possible())
    throw std::runtime_error(kind == Kind::PairProducts
                                 ? "fma: this machine has no instruction for pairs of bf16"
                                 : o.op + ": there is not enough memory");
  int64_t rounds = o.op == "fma" ? kRounds : 1;
  Subject subject;
  subject.compiled = [loop, rounds] { loop->run(rounds); };
  subject.compiled();
  subject.check.add(loop->right() ? 0 : 1, 1e-5);
  subject.check.against = "arithmetic";
  double work = loop->workPerRound() * static_cast<double>(rounds);
  (o.op == "fma" ? subject.cost.flops : subject.cost.bytes) = work;
  return subject;
}
