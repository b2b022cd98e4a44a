//===- ProductsTest.cpp - Matrix products by cuBLASLt ---------------------===//

#include "runtime/cuda/Products.h"
#include "CudaHarness.h"
#include "FakeBlas.h"

#include <algorithm>
#include <cmath>

using namespace aft;
using namespace aft::cuda;
using namespace aft::test;
using fake::blasState;
using fake::state;

namespace {

class ProductsTest : public CudaTest {
protected:
  void SetUp() override {
    CudaTest::SetUp();
    blasState() = {};
    ASSERT_EQ(open(), "");
    Status status = Products::open(device, {AFT_FAKE_BLAS}, products);
    ASSERT_TRUE(status.ok()) << status.message;
  }
  void TearDown() override {
    products.reset();
    EXPECT_EQ(blasState().objects, 0);
    CudaTest::TearDown();
  }

  /// Numbers of some size, which a sum of products keeps exact.
  template <typename T> static std::vector<T> numbers(int64_t count, int seed) {
    std::vector<T> values(static_cast<size_t>(count));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<T>((static_cast<int>(i) * 7 + seed) % 11 - 5);
    return values;
  }
  template <typename T> static Address addressOf(std::vector<T> &values) {
    return reinterpret_cast<Address>(values.data());
  }

  /// Whether a product is what the definition says.
  template <typename T> void check(const Product &p) {
    auto a = numbers<T>(p.batch * p.m * p.k, 1), b = numbers<T>(p.batch * p.k * p.n, 2),
         c = numbers<T>(p.batch * p.m * p.n, 3), bias = numbers<T>(std::max(p.m, p.n), 4);
    std::vector<T> d(c.size(), std::nan(""));
    Device::Scope scope(*device);
    Status status = products->run(
        p, {addressOf(a), addressOf(b), addressOf(d), addressOf(c), addressOf(bias)}, nullptr);
    ASSERT_TRUE(status.ok()) << status.message;
    for (int64_t i = 0; i < p.batch; ++i)
      for (int64_t row = 0; row < p.m; ++row)
        for (int64_t column = 0; column < p.n; ++column) {
          double sum = 0;
          for (int64_t k = 0; k < p.k; ++k)
            sum += a[i * p.m * p.k + (p.transposedA ? k * p.m + row : row * p.k + k)] *
                   b[i * p.k * p.n + (p.transposedB ? column * p.k + k : k * p.n + column)];
          int64_t place = (i * p.m + row) * p.n + column;
          sum += p.residual ? c[place] : 0;
          sum += p.bias ? bias[column] : 0;
          if (p.gelu)
            sum = sum / 2 * (1 + std::tanh(0.7978845608 * (sum + 0.044715 * sum * sum * sum)));
          ASSERT_NEAR(d[place], sum, 1e-5 * (1 + std::abs(sum))) << row << ", " << column;
        }
    bool ofA = p.sums == Product::Sums::OfA;
    for (int64_t i = 0; p.sums != Product::Sums::None && i < (ofA ? p.m : p.n); ++i) {
      double sum = 0;
      for (int64_t k = 0; k < p.k; ++k)
        sum += ofA ? a[p.transposedA ? k * p.m + i : i * p.k + k]
                   : b[p.transposedB ? i * p.k + k : k * p.n + i];
      ASSERT_NEAR(bias[i], sum, 1e-5 * (1 + std::abs(sum))) << i;
    }
  }

  std::shared_ptr<Products> products;
};

TEST_F(ProductsTest, ComputesWhatTheDefinitionSays) {
  for (int bits = 0; bits < 32; ++bits) {
    Product product{DType::f32, DType::f32, 3, 5, 4};
    product.transposedA = bits & 1;
    product.transposedB = bits & 2;
    product.residual = bits & 4;
    product.bias = bits & 8;
    product.gelu = bits & 16;
    SCOPED_TRACE(bits);
    check<float>(product);
    product.batch = 2;
    product.dtype = product.result = DType::f64;
    check<double>(product);
  }
}

TEST_F(ProductsTest, SumsFactorsBesides) {
  for (int bits = 0; bits < 8; ++bits) {
    Product product{DType::f32, DType::f32, 3, 5, 4};
    product.transposedA = bits & 1;
    product.transposedB = bits & 2;
    product.sums = bits & 4 ? Product::Sums::OfA : Product::Sums::OfB;
    SCOPED_TRACE(bits);
    check<float>(product);
    product.residual = true;
    product.dtype = product.result = DType::f64;
    check<double>(product);
  }
  EXPECT_EQ(blasState().sums, 16);
}

/// The sums must be of the matrix and over the rows that the product sums over.
TEST_F(ProductsTest, TakesSumsOfItsOwnRows) {
  alignas(16) float dy[12], x[20], dw[15], db[3];
  void *buffers[] = {dy, x, dw};
  int64_t dims[] = {4, 3, 4, 5, 3, 5};
  ProductCode code;
  code.transposedA = true;
  code.a = 0, code.b = 1, code.d = 2, code.m = 4, code.n = 5, code.k = 0;
  ColumnSumsCode sums;
  sums.matrix = 0, sums.sums = 1, sums.rows = 0, sums.columns = 1;
  void *matrix[] = {dy, db};
  int64_t extents[] = {4, 3, 3};
  auto take = [&] {
    auto [product, operands] = productOf(code, buffers, dims);
    bool takes = takeSums(sums, matrix, extents, product, operands);
    EXPECT_EQ(takes, product.sums != Product::Sums::None);
    if (takes) {
      EXPECT_EQ(operands.bias, reinterpret_cast<Address>(db));
    }
    return product.sums;
  };
  EXPECT_EQ(take(), Product::Sums::OfA);
  matrix[0] = x;
  extents[1] = 5;
  EXPECT_EQ(take(), Product::Sums::OfB);
  extents[0] = 3;
  EXPECT_EQ(take(), Product::Sums::None) << "other rows";
  extents[0] = 4;
  sums.result = DType::bf16;
  EXPECT_EQ(take(), Product::Sums::None) << "another type";
  sums.result = DType::f32;
  code.transposedB = true;
  EXPECT_EQ(take(), Product::Sums::None) << "columns are summed over";
  code.transposedB = false;
  code.bias = 2;
  EXPECT_EQ(take(), Product::Sums::None);
  code.bias = -1;
  EXPECT_EQ(take(), Product::Sums::OfB);
  code.tf32 = true;
  EXPECT_EQ(take(), Product::Sums::None) << "of rounded numbers";
}

/// Factors are as they are unless it is said otherwise, also where both products are the same
/// but for that.
TEST_F(ProductsTest, RoundsFactorsOnRequest) {
  Device::Scope scope(*device);
  constexpr float more = 1 + 1.0f / 4096, tie = 1 + 1.0f / 2048, next = 1 + 1.0f / 1024;
  std::vector<float> a{more, tie}, b{1, 1}, d(4);
  Product product{DType::f32, DType::f32, 2, 1, 1};
  auto run = [&] {
    Status status = products->run(product, {addressOf(a), addressOf(b), addressOf(d)}, nullptr);
    EXPECT_EQ(status.message, "");
    return std::pair(d[0], d[1]);
  };
  EXPECT_EQ(run(), std::pair(more, tie));
  EXPECT_EQ(blasState().tf32, 0);
  product.tf32 = true;
  EXPECT_EQ(run(), std::pair(1.0f, next));
  EXPECT_EQ(blasState().tf32, 1);
  product.tf32 = false;
  EXPECT_EQ(run(), std::pair(more, tie));
  EXPECT_EQ(products->planned(), 2u);
}

TEST_F(ProductsTest, ChoosesOncePerProductAndAlignment) {
  Device::Scope scope(*device);
  alignas(256) float memory[64] = {};
  auto base = reinterpret_cast<Address>(memory);
  Product product{DType::f32, DType::f32, 2, 2, 2};
  auto run = [&](Address a) {
    EXPECT_TRUE(products->run(product, {a, base + 64, base + 128}, nullptr).ok());
  };
  run(base);
  EXPECT_EQ(blasState().alignmentA, 64u) << "cuBLASLt's A is B";
  EXPECT_EQ(blasState().alignmentD, 128u);
  run(base);
  EXPECT_EQ(blasState().calls["cublasLtMatmulAlgoGetHeuristic"], 1);
  run(base + 4);
  EXPECT_EQ(blasState().calls["cublasLtMatmulAlgoGetHeuristic"], 2);
  product.bias = true;
  EXPECT_TRUE(products->run(product, {base, base + 64, base + 128, 0, base}, nullptr).ok());
  EXPECT_EQ(products->planned(), 3u);
  EXPECT_EQ(blasState().calls["cublasLtMatmul"], 4);
}

TEST_F(ProductsTest, GivesAlgorithmsTheirWorkspace) {
  blasState().workspaceBytes = 1000;
  check<float>({DType::f32, DType::f32, 2, 2, 2});
  EXPECT_NE(blasState().workspace, nullptr);
  EXPECT_EQ(device->allocator().stats().mostUsed, 1024);
  EXPECT_EQ(device->allocator().stats().used, 0);
  Device::Scope scope(*device);
  float memory[16] = {}, own[1000];
  auto base = reinterpret_cast<Address>(memory);
  ProductOperands operands{base, base, base + 32};
  operands.workspace = reinterpret_cast<Address>(own);
  operands.workspaceBytes = 1000;
  EXPECT_TRUE(products->run({DType::f32, DType::f32, 2, 2, 2}, operands, nullptr).ok());
  EXPECT_EQ(blasState().workspace, own);
  state().failures["cuMemAlloc_v2"] = {Result::OutOfMemory, 0, true};
  device->allocator().trim();
  operands.workspaceBytes = 999;
  EXPECT_EQ(products->run({DType::f32, DType::f32, 2, 2, 2}, operands, nullptr).message,
            "GPU 0 (Fake GPU): the product [2, 2] x [2, 2] of f32 needs a workspace of 1000 bytes, "
            "found 999");
  operands.workspaceBytes = -1;
  EXPECT_NE(products->run({DType::f32, DType::f32, 2, 2, 2}, operands, nullptr)
                .message.find("out of memory"),
            std::string::npos);
}

TEST_F(ProductsTest, ForgetsProductsBeforeThereAreTooMany) {
  Device::Scope scope(*device);
  float memory[16] = {};
  auto base = reinterpret_cast<Address>(memory);
  for (size_t rows = 1; rows <= Products::kMostPlans + 2; ++rows)
    EXPECT_TRUE(products->knows({DType::f32, DType::f32, static_cast<int64_t>(rows), 2, 2},
                                {base, base, base}));
  EXPECT_EQ(products->planned(), 2u);
  EXPECT_LE(blasState().objects, 20);
}

TEST_F(ProductsTest, SaysWhatIsWrong) {
  Device::Scope scope(*device);
  float memory[16] = {};
  auto base = reinterpret_cast<Address>(memory);
  ProductOperands operands{base, base, base + 32};
  EXPECT_EQ(products->run({DType::i32, DType::i32, 2, 2, 2}, operands, nullptr).message,
            "a product is of f32, bf16 or f64, found i32");
  blasState().knowsAlgorithms = false;
  EXPECT_EQ(products->run({DType::bf16, DType::bf16, 2, 3, 4}, operands, nullptr).message,
            "GPU 0 (Fake GPU): cuBLASLt has no algorithm for the product [2, 4] x [4, 3] of bf16");
  blasState().knowsAlgorithms = true;
  int64_t rows = 2; // what was refused once is not asked for again
  for (const char *function :
       {"cublasLtMatmulDescCreate", "cublasLtMatrixLayoutCreate", "cublasLtMatmulPreferenceCreate",
        "cublasLtMatmulAlgoGetHeuristic", "cublasLtMatmul"}) {
    blasState().failures = {{function, 14}};
    ++rows;
    EXPECT_EQ(products->run({DType::f32, DType::f32, rows, 2, 2, 2}, operands, nullptr).message,
              "GPU 0 (Fake GPU): cuBLASLt cannot compute the product [2, " + std::to_string(rows) +
                  ", 2] x [2, 2, 2] of f32: status 14")
        << function;
  }
  blasState().failures.clear();
  EXPECT_FALSE(products->knows({DType::f32, DType::f32, 3, 2, 2, 2}, operands));
  EXPECT_TRUE(products->knows({DType::f32, DType::f32, rows, 2, 2, 2}, operands));
}

TEST_F(ProductsTest, SaysWhyTheLibraryIsNotUsed) {
  std::shared_ptr<Products> none;
  EXPECT_EQ(Products::open(device, {"libaft-none.so.13", "libaft-none.so.12"}, none).message,
            "no cuBLASLt: the system loads none of 'libaft-none.so.13', 'libaft-none.so.12'");
  EXPECT_EQ(Products::open(device, {"libm.so.6"}, none).message,
            "cuBLASLt ('libm.so.6') lacks cublasLtCreate");
  blasState().failures["cublasLtCreate"] = 1;
  EXPECT_EQ(Products::open(device, {"libaft-none.so", AFT_FAKE_BLAS}, none).message,
            "GPU 0 (Fake GPU): cuBLASLt cannot be used: status 1");
}

} // namespace
