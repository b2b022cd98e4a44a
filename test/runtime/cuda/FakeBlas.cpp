//===- FakeBlas.cpp - cuBLASLt without a GPU, for tests -------------------===//

#include "FakeBlas.h"

#include <cmath>
#include <cstring>

using namespace aft::cuda::blas;
using namespace aft::test::fake;

namespace {

BlasState current;

struct FakeDesc {
  ComputeType compute;
  int32_t transposed[2] = {};
  uint32_t epilogue = kNoEpilogue;
  const void *bias = nullptr;
};
/// Column by column.
struct FakeLayout {
  DataType type;
  uint64_t rows, columns;
  int64_t stride;
  int32_t batch = 1;
  int64_t batchStride = 0;
};

FakeDesc *of(MatmulDesc desc) { return reinterpret_cast<FakeDesc *>(desc); }
FakeLayout *of(Layout layout) { return reinterpret_cast<FakeLayout *>(layout); }

int begin(const char *name) {
  ++current.calls[name];
  auto failure = current.failures.find(name);
  return failure == current.failures.end() ? 0 : failure->second;
}

/// Makes something that is counted.
template <typename Made, typename Handle, typename... Values>
BlasResult make(const char *name, Handle *handle, Values... values) {
  if (int status = begin(name))
    return status;
  *handle = reinterpret_cast<Handle>(new Made{values...});
  ++current.objects;
  return 0;
}

template <typename Made, typename Handle> BlasResult drop(Handle handle) {
  delete reinterpret_cast<Made *>(handle);
  --current.objects;
  return 0;
}

template <typename T> BlasResult read(T &target, const void *value, size_t bytes) {
  if (bytes != sizeof target)
    return 7;
  std::memcpy(&target, value, bytes);
  return 0;
}

template <typename T> struct Matrix {
  const FakeLayout &layout;
  T *data;
  bool transposed = false;
  T &at(int64_t batch, int64_t row, int64_t column) const {
    if (transposed)
      std::swap(row, column);
    return data[batch * layout.batchStride + row + column * layout.stride];
  }
};

template <typename T>
void multiply(const FakeDesc &desc, T alpha, Matrix<const T> a, Matrix<const T> b, T beta,
              Matrix<const T> c, Matrix<T> d) {
  const auto *bias = static_cast<const T *>(desc.bias);
  auto depth = static_cast<int64_t>(a.transposed ? a.layout.rows : a.layout.columns);
  for (int64_t batch = 0; batch < d.layout.batch; ++batch)
    for (int64_t row = 0; row < static_cast<int64_t>(d.layout.rows); ++row)
      for (int64_t column = 0; column < static_cast<int64_t>(d.layout.columns); ++column) {
        T sum = beta == 0 ? 0 : beta * c.at(batch, row, column);
        for (int64_t k = 0; k < depth; ++k)
          sum += alpha * a.at(batch, row, k) * b.at(batch, k, column);
        if (desc.epilogue & kBias)
          sum += bias[row];
        if (desc.epilogue & kGelu)
          sum = sum / 2 * (1 + std::tanh(T(0.7978845608) * (sum + T(0.044715) * sum * sum * sum)));
        d.at(batch, row, column) = sum;
      }
}

} // namespace

BlasState &aft::test::fake::blasState() { return current; }

extern "C" {

BlasResult cublasLtCreate(Handle *handle) { return make<int>("cublasLtCreate", handle, 0); }
BlasResult cublasLtDestroy(Handle handle) { return drop<int>(handle); }

BlasResult cublasLtMatmulDescCreate(MatmulDesc *desc, ComputeType compute, DataType) {
  return make<FakeDesc>("cublasLtMatmulDescCreate", desc, compute);
}
BlasResult cublasLtMatmulDescDestroy(MatmulDesc desc) { return drop<FakeDesc>(desc); }

BlasResult cublasLtMatmulDescSetAttribute(MatmulDesc desc, DescAttribute attribute,
                                          const void *value, size_t bytes) {
  switch (attribute) {
  case DescAttribute::TransposeA:
    return read(of(desc)->transposed[0], value, bytes);
  case DescAttribute::TransposeB:
    return read(of(desc)->transposed[1], value, bytes);
  case DescAttribute::Epilogue:
    return read(of(desc)->epilogue, value, bytes);
  case DescAttribute::BiasPointer:
    return read(of(desc)->bias, value, bytes);
  }
  return 7;
}

BlasResult cublasLtMatrixLayoutCreate(Layout *layout, DataType type, uint64_t rows,
                                      uint64_t columns, int64_t stride) {
  return make<FakeLayout>("cublasLtMatrixLayoutCreate", layout, type, rows, columns, stride);
}
BlasResult cublasLtMatrixLayoutDestroy(Layout layout) { return drop<FakeLayout>(layout); }

BlasResult cublasLtMatrixLayoutSetAttribute(Layout layout, LayoutAttribute attribute,
                                            const void *value, size_t bytes) {
  return attribute == LayoutAttribute::BatchCount ? read(of(layout)->batch, value, bytes)
                                                  : read(of(layout)->batchStride, value, bytes);
}

BlasResult cublasLtMatmulPreferenceCreate(Preference *preference) {
  return make<int>("cublasLtMatmulPreferenceCreate", preference, 0);
}
BlasResult cublasLtMatmulPreferenceDestroy(Preference preference) { return drop<int>(preference); }

BlasResult cublasLtMatmulPreferenceSetAttribute(Preference, PreferenceAttribute attribute,
                                                const void *value, size_t bytes) {
  uint64_t most;
  uint32_t other;
  if (attribute == PreferenceAttribute::MaxWorkspaceBytes)
    return read(most, value, bytes);
  return read(attribute == PreferenceAttribute::AlignmentA   ? current.alignmentA
              : attribute == PreferenceAttribute::AlignmentD ? current.alignmentD
                                                             : other,
              value, bytes);
}

BlasResult cublasLtMatmulAlgoGetHeuristic(Handle, MatmulDesc, Layout, Layout, Layout, Layout,
                                          Preference, int, Heuristic *results, int *found) {
  if (int status = begin("cublasLtMatmulAlgoGetHeuristic"))
    return status;
  *found = current.knowsAlgorithms ? 1 : 0;
  results->workspaceBytes = current.workspaceBytes;
  results->algorithm.data[0] = 42;
  return 0;
}

BlasResult cublasLtMatmul(Handle, MatmulDesc desc, const void *alpha, const void *a, Layout aLayout,
                          const void *b, Layout bLayout, const void *beta, const void *c,
                          Layout cLayout, void *d, Layout dLayout, const Algorithm *algorithm,
                          void *workspace, size_t workspaceBytes, aft::cuda::Stream) {
  if (int status = begin("cublasLtMatmul"))
    return status;
  current.workspace = workspace;
  if (algorithm->data[0] != 42 || workspaceBytes < current.workspaceBytes)
    return 7;
  auto run = [&](auto number) {
    using T = decltype(number);
    multiply<T>(*of(desc), *static_cast<const T *>(alpha),
                {*of(aLayout), static_cast<const T *>(a), of(desc)->transposed[0] != 0},
                {*of(bLayout), static_cast<const T *>(b), of(desc)->transposed[1] != 0},
                *static_cast<const T *>(beta), {*of(cLayout), static_cast<const T *>(c)},
                {*of(dLayout), static_cast<T *>(d)});
    return 0;
  };
  return of(desc)->compute == ComputeType::F64 ? run(0.0) : run(0.0f);
}

} // extern "C"
