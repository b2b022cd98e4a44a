//===- Online.cpp - Mixers with a carried state in double -----------------===//

#include "dialect/reference/MixerTerms.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

static FailureOr<RTensors> fullOnline(FullOnlineOp op, const Frame &frame) {
  const RTensor &k = frame.get(op.getK()), &v = frame.get(op.getV()), &w = frame.get(op.getW());
  RTensor m = frame.get(op.getM()), n = frame.get(op.getN()), z = frame.get(op.getZ());
  int64_t queries = m.shape[1], channels = m.shape[2], keys = k.shape[1];
  int64_t batchStep = w.shape.size() == 3 ? queries * keys : 0;
  for (int64_t i = 0, count = m.size(); i < count; ++i) {
    int64_t c = i % channels, t = i / channels % queries, b = i / channels / queries;
    Sums sums{m.reals[i], n.reals[i], z.reals[i]};
    for (int64_t s = 0; s < keys; ++s) {
      int64_t place = (b * keys + s) * channels + c;
      sums.add(k.reals[place] + w.reals[b * batchStep + t * keys + s], v.reals[place]);
    }
    m.reals[i] = sums.m;
    n.reals[i] = sums.n;
    z.reals[i] = sums.z;
  }
  return RTensors{m, n, z};
}

static FailureOr<RTensors> finish(FinishOp op, const Frame &frame) {
  const RTensor &q = frame.get(op.getQ()), &n = frame.get(op.getN()), &z = frame.get(op.getZ());
  RTensor y = RTensor::zeros(q.shape);
  for (int64_t i = 0, count = y.size(); i < count; ++i)
    y.reals[i] =
        z.reals[i] == 0 ? 0 : gateOf(op.getGate(), q.reals[i]) * n.reals[i] / z.reals[i];
  return RTensors{y};
}

namespace {
/// A chunk: its keys follow those of the memory in one run.
struct Chunk {
  RTensor q, keys, values, m, n, z;
  int64_t memory = 0; ///< s - 1, or 0 for simple
  Gate gate;
};
} // namespace

/// [B,S,h] and [B,C,h] one after the other.
static RTensor joined(const RTensor &first, const RTensor &second) {
  int64_t batches = first.shape[0], left = first.shape[1] * first.shape[2],
          right = second.shape[1] * second.shape[2];
  RTensor result =
      RTensor::zeros({batches, first.shape[1] + second.shape[1], first.shape[2]});
  for (int64_t b = 0; b < batches; ++b) {
    auto out = result.reals.begin() + b * (left + right);
    std::copy_n(first.reals.begin() + b * left, left, out);
    std::copy_n(second.reals.begin() + b * right, right, out + left);
  }
  return result;
}

/// `bias(t, tap, head)`; without one every key counts with bias 0 at once.
static RTensors runChunk(Chunk chunk,
                         llvm::function_ref<double(int64_t, int64_t, int64_t)> bias) {
  int64_t batches = chunk.q.shape[0], length = chunk.q.shape[1], channels = chunk.q.shape[2],
          heads = chunk.keys.shape[2], run = chunk.keys.shape[1];
  RTensor y = RTensor::zeros(chunk.q.shape), m = chunk.m, n = chunk.n, z = chunk.z;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t c = 0; c < channels; ++c) {
      int64_t head = c / (channels / heads), state = b * channels + c, shared = b * heads + head;
      Sums sums{chunk.m.reals[shared], chunk.n.reals[state], chunk.z.reals[shared]};
      auto key = [&](int64_t i) { return chunk.keys.reals[(b * run + i) * heads + head]; };
      auto value = [&](int64_t i) { return chunk.values.reals[(b * run + i) * channels + c]; };
      for (int64_t t = 0; t < length; ++t) {
        Sums all = sums;
        for (int64_t tap = 0; tap <= chunk.memory; ++tap)
          all.add(key(t + tap) + bias(t, tap, head), value(t + tap));
        sums.add(key(t), value(t));
        int64_t place = (b * length + t) * channels + c;
        y.reals[place] = all.z == 0 ? 0 : gateOf(chunk.gate, chunk.q.reals[place]) * all.ratio();
      }
      m.reals[shared] = sums.m;
      n.reals[state] = sums.n;
      z.reals[shared] = sums.z;
    }
  return {y, m, n, z};
}

/// The last s - 1 entries of the run.
static RTensor lastOf(const RTensor &run, int64_t count) {
  int64_t batches = run.shape[0], length = run.shape[1], width = run.shape[2];
  RTensor result = RTensor::zeros({batches, count, width});
  for (int64_t b = 0; b < batches; ++b)
    std::copy_n(run.reals.begin() + (b * length + length - count) * width, count * width,
                result.reals.begin() + b * count * width);
  return result;
}

template <typename OpT> static Chunk chunkOf(OpT op, const Frame &frame) {
  Chunk chunk{frame.get(op.getQ()), frame.get(op.getK()), frame.get(op.getV()),
              frame.get(op.getM()), frame.get(op.getN()), frame.get(op.getZ()),
              0, op.getGate()};
  if constexpr (!std::is_same_v<OpT, SimpleOnlineOp>) {
    const RTensor &recent = frame.get(op.getRecentK());
    chunk.memory = recent.shape[1];
    chunk.keys = joined(recent, chunk.keys);
    chunk.values = joined(frame.get(op.getRecentV()), chunk.values);
  }
  return chunk;
}

static RTensors withMemory(RTensors results, const Chunk &chunk) {
  results.push_back(lastOf(chunk.keys, chunk.memory));
  results.push_back(lastOf(chunk.values, chunk.memory));
  return results;
}

Evaluated aft::evaluateOnline(Operation *op, const Frame &frame) {
  return llvm::TypeSwitch<Operation *, Evaluated>(op)
      .Case<FullOnlineOp>([&](auto online) { return fullOnline(online, frame); })
      .Case<FinishOp>([&](auto last) { return finish(last, frame); })
      .Case<SimpleOnlineOp>([&](auto online) {
        auto none = [](int64_t, int64_t, int64_t) { return 0.0; };
        return FailureOr<RTensors>(runChunk(chunkOf(online, frame), none));
      })
      .Case<LocalOnlineOp>([&](auto online) {
        Chunk chunk = chunkOf(online, frame);
        const RTensor &band = frame.get(online.getBand());
        auto bias = [&](int64_t t, int64_t tap, int64_t) {
          return band.reals[t * band.shape[1] + tap];
        };
        return FailureOr<RTensors>(withMemory(runChunk(chunk, bias), chunk));
      })
      .Case<ConvOnlineOp>([&](auto online) {
        Chunk chunk = chunkOf(online, frame);
        const RTensor &filter = frame.get(online.getFilter());
        auto bias = [&](int64_t, int64_t tap, int64_t head) {
          return filter.reals[head * filter.shape[1] + tap];
        };
        return FailureOr<RTensors>(withMemory(runChunk(chunk, bias), chunk));
      })
      .Default([](Operation *) { return Evaluated(); });
}
