//===- Products.h - Matrix products by cuBLASLt ---------------------------===//
// Each is a kernel of the program, too, which runs where the library is missing or knows no
// algorithm: see ProductCode.

#ifndef AFT_RUNTIME_CUDA_PRODUCTS_H
#define AFT_RUNTIME_CUDA_PRODUCTS_H

#include "runtime/cuda/Allocator.h"
#include "runtime/cuda/BlasApi.h"
#include "runtime/cuda/DeviceCode.h"

#include <compare>

namespace aft::cuda {

/// D = A B, all row-major and dense: A [batch,m,k], B [batch,k,n], D [batch,m,n], of f32,
/// bf16 or f64; sums are in f32 (of factors in TF32 where that is asked for), of f64 in f64,
/// and rounded once.
struct Product {
  DType dtype = DType::f32;  ///< of A and B
  DType result = DType::f32; ///< of C, D and bias: the same, or f32 for products of bf16
  int64_t m = 0, n = 0, k = 0, batch = 1;
  bool transposedA = false, transposedB = false; ///< stored as [k,m], [n,k]
  /// What is done on the way out, in this order.
  bool residual = false; ///< + C [batch,m,n]
  bool bias = false;     ///< + bias [n]
  bool gelu = false;     ///< by tanh, as is cuBLASLt's
  bool tf32 = false;     ///< factors of f32 may be rounded to TF32
  /// Without bias and GELU: sums of A, [m], or of B, [n], over the depth, besides D and of its
  /// type; their address is that of the bias.
  enum class Sums : uint8_t { None, OfA, OfB } sums = Sums::None;

  auto operator<=>(const Product &) const = default;
};

struct ProductOperands {
  Address a = 0, b = 0, d = 0, c = 0, bias = 0;
  /// Memory and its size; -1: from the allocator, which cannot give any to a stream that is
  /// recorded.
  Address workspace = 0;
  int64_t workspaceBytes = -1;
};

/// Whether a product gives, besides, the sums of a launch that comes right before it, and then
/// what it is with them.
bool takeSums(const ColumnSumsCode &sums, void *const *buffers, const int64_t *dims,
              Product &product, ProductOperands &operands);

/// A launch of a kernel as the product that it says to be.
std::pair<Product, ProductOperands> productOf(const ProductCode &code, void *const *buffers,
                                              const int64_t *dims);

/// The library and the algorithms it has chosen, each once per product and alignment of
/// its operands. Safe to use from several threads; calls are made within a Device::Scope.
class Products {
public:
  /// What a product may use besides its operands.
  static constexpr int64_t kWorkspaceBytes = 32 << 20;
  /// Products that are remembered; then all are forgotten.
  static constexpr size_t kMostPlans = 4096;

  /// libcublasLt.so.13 or .12: the one that is in the process, else the newest that the
  /// driver bears.
  static Status open(std::shared_ptr<Device> device, std::shared_ptr<Products> &products);
  /// The same from the first of some files that loads.
  static Status open(std::shared_ptr<Device> device, const std::vector<std::string> &paths,
                     std::shared_ptr<Products> &products);
  /// Of the system's library for a GPU, opened once. Null where there is none, or where
  /// AFT_CUDA_PRODUCTS is "kernels"; AFT_LOG=runtime tells why.
  static std::shared_ptr<Products> shared(const std::shared_ptr<Device> &device);
  ~Products();
  Products(const Products &) = delete;
  Products &operator=(const Products &) = delete;

  /// Whether there is an algorithm for a product, which is looked for the first time.
  bool knows(const Product &product, const ProductOperands &operands);
  /// Puts a product on a stream.
  Status run(const Product &product, const ProductOperands &operands, Stream stream);

  /// Products that an algorithm has been chosen for.
  size_t planned() const;
  /// The most that any of these algorithms uses.
  int64_t workspaceBytes() const;

private:
  struct Plan {
    blas::MatmulDesc desc = nullptr;
    blas::Layout a = nullptr, b = nullptr, d = nullptr;
    blas::Algorithm algorithm{};
    int64_t workspaceBytes = 0;
    Status refused = {}; ///< why there is no algorithm
  };
  /// The alignments of all operands, in bytes.
  struct Key {
    Product product;
    uint32_t a, b, c, d;
    auto operator<=>(const Key &) const = default;
  };

  explicit Products(std::shared_ptr<Device> device) : device(std::move(device)) {}
  Status load(const std::vector<std::string> &paths);
  static Key keyOf(const Product &product, const ProductOperands &operands);
  /// `bias`: some address, which the library asks for before it has an algorithm.
  Plan &find(const Key &key, Address bias);
  blas::BlasResult describe(const Product &product, Plan &plan) const;
  blas::BlasResult choose(const Key &key, Plan &plan, int &found) const;
  void destroy(Plan &plan) const;

  const std::shared_ptr<Device> device;
  blas::Functions library;
  blas::Handle handle = nullptr;
  mutable std::mutex mutex; ///< guards everything below
  std::map<Key, Plan> plans;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_PRODUCTS_H
