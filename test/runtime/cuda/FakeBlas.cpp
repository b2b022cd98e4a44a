//===- FakeBlas.cpp - cuBLASLt without a GPU, for tests -------------------===//

#include "FakeBlas.h"
#include "FakeDriver.h"

#include <bit>
#include <cmath>
#include <cstring>

using namespace aft::cuda::blas;
using namespace aft::test::fake;

namespace {

BlasState current;
constexpr BlasResult kNotSupported = 15; ///< CUBLAS_STATUS_NOT_SUPPORTED

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

/// Numbers of a type in memory, as numbers that sums are taken in.
template <typename T> T load(DataType type, const void *data, int64_t place) {
  if (type == DataType::F64)
    return static_cast<T>(static_cast<const double *>(data)[place]);
  if (type == DataType::F32)
    return static_cast<T>(static_cast<const float *>(data)[place]);
  return std::bit_cast<float>(uint32_t(static_cast<const uint16_t *>(data)[place]) << 16);
}

/// 10 bits of mantissa, of two numbers the one farther from 0.
float roundToTF32(float x) {
  return std::isfinite(x) ? std::bit_cast<float>((std::bit_cast<uint32_t>(x) + 0x1000) & ~0x1fffu)
                          : x;
}

template <typename T> void store(DataType type, void *data, int64_t place, T value) {
  if (type == DataType::F64) {
    static_cast<double *>(data)[place] = value;
  } else if (type == DataType::F32) {
    static_cast<float *>(data)[place] = static_cast<float>(value);
  } else {
    auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
    static_cast<uint16_t *>(data)[place] = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  }
}

struct Matrix {
  FakeLayout layout;
  void *data;
  bool transposed = false;
  int64_t place(int64_t batch, int64_t row, int64_t column) const {
    if (transposed)
      std::swap(row, column);
    return batch * layout.batchStride + row + column * layout.stride;
  }
  template <typename T> T at(int64_t batch, int64_t row, int64_t column) const {
    return load<T>(layout.type, data, place(batch, row, column));
  }
};

template <typename T>
void multiply(const FakeDesc &desc, T alpha, const Matrix &a, const Matrix &b, T beta,
              const Matrix &c, const Matrix &d) {
  auto depth = static_cast<int64_t>(a.transposed ? a.layout.rows : a.layout.columns);
  bool rounds = desc.compute == ComputeType::F32FastTF32;
  auto factor = [&](T number) {
    return rounds ? static_cast<T>(roundToTF32(static_cast<float>(number))) : number;
  };
  for (int64_t batch = 0; batch < d.layout.batch; ++batch)
    for (int64_t row = 0; row < static_cast<int64_t>(d.layout.rows); ++row)
      for (int64_t column = 0; column < static_cast<int64_t>(d.layout.columns); ++column) {
        T sum = beta == 0 ? 0 : beta * c.at<T>(batch, row, column);
        for (int64_t k = 0; k < depth; ++k)
          sum += alpha * factor(a.at<T>(batch, row, k)) * factor(b.at<T>(batch, k, column));
        if (desc.epilogue == kBias || desc.epilogue == (kBias | kGelu))
          sum += load<T>(d.layout.type, desc.bias, row);
        if (desc.epilogue & kGelu)
          sum = sum / 2 * (1 + std::tanh(T(0.7978845608) * (sum + T(0.044715) * sum * sum * sum)));
        store(d.layout.type, d.data, d.place(batch, row, column), sum);
      }
  // Sums of A per row of D, or of B per column, over the depth.
  bool ofA = desc.epilogue == kSumsOfA;
  if (!ofA && desc.epilogue != kSumsOfB)
    return;
  auto count = static_cast<int64_t>(ofA ? d.layout.rows : d.layout.columns);
  for (int64_t i = 0; i < count; ++i) {
    T sum = 0;
    for (int64_t k = 0; k < depth; ++k)
      sum += ofA ? a.at<T>(0, i, k) : b.at<T>(0, k, i);
    store(d.layout.type, const_cast<void *>(desc.bias), i, sum);
  }
}

/// Whether the arguments of a product fit each other, as far as the library can tell.
bool fits(const FakeDesc &desc, const FakeLayout &a, const FakeLayout &b, const FakeLayout &c,
          const FakeLayout &d) {
  uint64_t rows = desc.transposed[0] ? a.columns : a.rows,
           columns = desc.transposed[1] ? b.rows : b.columns,
           depth = desc.transposed[0] ? a.rows : a.columns,
           other = desc.transposed[1] ? b.columns : b.rows;
  bool epilogue = desc.epilogue == kNoEpilogue || desc.epilogue == kBias ||
                  desc.epilogue == kGelu || desc.epilogue == (kBias | kGelu) ||
                  desc.epilogue == kSumsOfA || desc.epilogue == kSumsOfB;
  bool needsPointer = desc.epilogue != kNoEpilogue && desc.epilogue != kGelu;
  bool isDouble = desc.compute == ComputeType::F64;
  auto isDense = [](const FakeLayout &layout) {
    return layout.stride == static_cast<int64_t>(layout.rows) &&
           layout.batchStride == layout.stride * static_cast<int64_t>(layout.columns);
  };
  return epilogue && depth > 0 && rows == d.rows && columns == d.columns && depth == other &&
         c.rows == d.rows && c.columns == d.columns && c.type == d.type && a.type == b.type &&
         (a.type == DataType::F64) == isDouble &&
         (desc.compute != ComputeType::F32FastTF32 || a.type == DataType::F32) &&
         (d.type == a.type || d.type == DataType::F32) && a.batch == d.batch &&
         b.batch == d.batch && (desc.bias || !needsPointer) &&
         (d.batch == 1 || desc.epilogue < kSumsOfA) && isDense(a) && isDense(b) && isDense(d);
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
  return read(attribute == PreferenceAttribute::AlignmentA         ? current.alignmentA
              : attribute == PreferenceAttribute::AlignmentD       ? current.alignmentD
              : attribute == PreferenceAttribute::ReductionSchemes ? current.reductionSchemes
                                                                   : other,
              value, bytes);
}

BlasResult cublasLtMatmulAlgoGetHeuristic(Handle, MatmulDesc desc, Layout a, Layout b, Layout c,
                                          Layout d, Preference, int, Heuristic *results,
                                          int *found) {
  if (int status = begin("cublasLtMatmulAlgoGetHeuristic"))
    return status;
  if (!fits(*of(desc), *of(a), *of(b), *of(c), *of(d)))
    return kNotSupported;
  bool sums = of(desc)->epilogue >= kSumsOfA;
  *found = current.knowsAlgorithms && (!sums || current.knowsSums) ? 1 : 0;
  results->workspaceBytes = current.workspaceBytes;
  results->algorithm.data[0] = 42;
  return 0;
}

BlasResult cublasLtMatmul(Handle, MatmulDesc desc, const void *alpha, const void *a, Layout aLayout,
                          const void *b, Layout bLayout, const void *beta, const void *c,
                          Layout cLayout, void *d, Layout dLayout, const Algorithm *algorithm,
                          void *workspace, size_t workspaceBytes, aft::cuda::Stream stream) {
  if (int status = begin("cublasLtMatmul"))
    return status;
  current.workspace = workspace;
  if (algorithm->data[0] != 42 || workspaceBytes < current.workspaceBytes ||
      !fits(*of(desc), *of(aLayout), *of(bLayout), *of(cLayout), *of(dLayout)))
    return 7;
  current.sums += of(desc)->epilogue >= kSumsOfA;
  current.tf32 += of(desc)->compute == ComputeType::F32FastTF32;
  auto matrix = [](Layout layout, const void *data, bool transposed = false) {
    return Matrix{*of(layout), const_cast<void *>(data), transposed};
  };
  auto run = [&](auto number) {
    using T = decltype(number);
    // All by value: descriptions may change before what is recorded is launched.
    enqueue(stream, "cublasLtMatmul",
            [desc = *of(desc), alpha = *static_cast<const T *>(alpha),
             a = matrix(aLayout, a, of(desc)->transposed[0] != 0),
             b = matrix(bLayout, b, of(desc)->transposed[1] != 0),
             beta = *static_cast<const T *>(beta), c = matrix(cLayout, c),
             d = matrix(dLayout, d)] { multiply<T>(desc, alpha, a, b, beta, c, d); });
    return 0;
  };
  return of(desc)->compute == ComputeType::F64 ? run(0.0) : run(0.0f);
}

} // extern "C"
