//===- GraphHarness.h - Builds, compiles and runs small graphs ------------===//

#ifndef AFT_TEST_GRAPH_HARNESS_H
#define AFT_TEST_GRAPH_HARNESS_H

#include "aft/graph.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

namespace aft::test {

using Floats = std::vector<float>;

/// A tensor that owns its bytes.
struct Tensor {
  TensorType type;
  std::vector<char> bytes;

  Tensor() = default;
  Tensor(DType dtype, const std::vector<int64_t> &shape) : type{dtype, shape} {
    int64_t size = sizeOf(dtype);
    for (int64_t extent : shape)
      size *= extent;
    bytes.resize(static_cast<size_t>(size));
  }
  template <typename T>
  static Tensor of(DType dtype, const std::vector<int64_t> &shape, const std::vector<T> &values) {
    Tensor tensor(dtype, shape);
    EXPECT_EQ(tensor.bytes.size(), values.size() * sizeof(T));
    std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
    return tensor;
  }
  static Tensor of(const std::vector<int64_t> &shape, const Floats &values) {
    return of<float>(DType::f32, shape, values);
  }
  static Tensor of(const std::vector<int64_t> &shape, const std::vector<int32_t> &values) {
    return of<int32_t>(DType::i32, shape, values);
  }
  static Tensor random(const std::vector<int64_t> &shape, unsigned seed = 1) {
    Tensor tensor(DType::f32, shape);
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> range(-1, 1);
    for (size_t i = 0; i < tensor.bytes.size() / 4; ++i)
      tensor.data<float>()[i] = range(generator);
    return tensor;
  }

  template <typename T> T *data() { return reinterpret_cast<T *>(bytes.data()); }
  template <typename T> std::vector<T> values() const {
    auto *first = reinterpret_cast<const T *>(bytes.data());
    return {first, first + bytes.size() / sizeof(T)};
  }
  Floats floats() const { return values<float>(); }
  Buffer buffer() { return {bytes.data(), type.dtype, type.shape}; }
};

inline std::shared_ptr<Program> compiled(const Graph &graph) {
  CompileOptions options;
  options.cacheDir = "";
  options.threads = 1;
  std::shared_ptr<Program> program;
  Status status = graph.compile(options, program);
  EXPECT_TRUE(status.ok()) << status.message << "\n" << graph.text();
  return program;
}

inline std::vector<Tensor> run(const Program &program, std::vector<Tensor> inputs,
                               const std::string &entry = "main") {
  std::vector<Buffer> ins, outs;
  for (Tensor &input : inputs)
    ins.push_back(input.buffer());
  std::vector<std::vector<int64_t>> shapes;
  Status status = program.outputShapes(entry, ins, shapes);
  EXPECT_TRUE(status.ok()) << status.message;
  std::vector<Tensor> results;
  for (size_t i = 0; i < shapes.size(); ++i)
    results.emplace_back(program.entry(entry)->outputs[i].type.dtype, shapes[i]);
  for (Tensor &result : results)
    outs.push_back(result.buffer());
  if (status.ok())
    status = program.run(entry, ins, outs);
  EXPECT_TRUE(status.ok()) << status.message;
  return results;
}

/// Builds @main on inputs of the given types (dynamic where told), then runs it.
using Build = std::function<std::vector<Value>(Function &, const std::vector<Value> &)>;
inline std::vector<Tensor> evaluate(const std::vector<Tensor> &inputs, const Build &build,
                                    bool dynamic = false) {
  Graph graph;
  Function &f = graph.function();
  std::vector<Value> values;
  for (const Tensor &input : inputs) {
    TensorType type = input.type;
    // The last extent stays known: mixers and norms need it.
    for (size_t dim = 0; dynamic && dim + 1 < type.shape.size(); ++dim)
      type.shape[dim] = kDynamic;
    values.push_back(f.input("x" + std::to_string(values.size()), type));
  }
  for (Value value : build(f, values))
    f.output(value);
  EXPECT_TRUE(graph.status().ok()) << graph.status().message;
  std::shared_ptr<Program> program = compiled(graph);
  return program ? run(*program, inputs) : std::vector<Tensor>();
}

inline void expectNear(const Floats &found, const Floats &expected, float tolerance = 2e-6f) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    if (!(std::isnan(found[i]) && std::isnan(expected[i])) && found[i] != expected[i])
      ASSERT_NEAR(found[i], expected[i], tolerance * std::max(1.f, std::abs(expected[i])))
          << "element " << i;
}

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// The definition: `bias(t, s, c)` is -inf where the key is hidden. `key(c)` is
/// the channel of k that channel c uses.
template <typename Bias, typename Key>
Floats mixer(const Tensor &q, const Tensor &k, const Tensor &v, Bias bias, Key key) {
  int64_t batch = q.type.shape[0], length = q.type.shape[1], channels = q.type.shape[2];
  int64_t keys = k.type.shape[1], keyChannels = k.type.shape[2];
  Floats qs = q.floats(), ks = k.floats(), vs = v.floats(), y;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < length; ++t)
      for (int64_t c = 0; c < channels; ++c) {
        double n = 0, z = 0;
        for (int64_t s = 0; s < keys; ++s) {
          double weight =
              std::exp(ks[(b * keys + s) * keyChannels + key(c)] + bias(b, t, s, c));
          n += weight * vs[(b * keys + s) * channels + c];
          z += weight;
        }
        y.push_back(static_cast<float>(
            z == 0 ? 0 : sigmoid(qs[(b * length + t) * channels + c]) * n / z));
      }
  return y;
}

inline int64_t same(int64_t c) { return c; }
inline constexpr double kHidden = -INFINITY;

} // namespace aft::test

#endif // AFT_TEST_GRAPH_HARNESS_H
