//===- Products.cpp - Matrix products by cuBLASLt -------------------------===//

#include "runtime/cuda/Products.h"

#include <algorithm>
#include <dlfcn.h>

using namespace aft;
using namespace aft::cuda;
using namespace aft::cuda::blas;

/// What cuBLASLt takes for granted where nothing is said.
static constexpr uint32_t kMostAlignment = 256;

static uint32_t alignmentOf(Address address) {
  return address ? static_cast<uint32_t>(std::min<Address>(address & -address, kMostAlignment))
                 : kMostAlignment;
}

static std::string textOf(const Product &product) {
  auto matrix = [&](int64_t rows, int64_t columns) {
    return "[" + (product.batch > 1 ? std::to_string(product.batch) + ", " : "") +
           std::to_string(rows) + ", " + std::to_string(columns) + "]";
  };
  return "the product " + matrix(product.m, product.k) + " x " + matrix(product.k, product.n) +
         " of " + nameOf(product.dtype);
}

static Status refuse(const Device &device, const Product &product, BlasResult result) {
  if (result == 0)
    return {};
  return {device.properties().label() + ": cuBLASLt cannot compute " + textOf(product) +
          ": status " + std::to_string(result)};
}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

Status Products::load(const std::vector<std::string> &paths) {
  void *found = nullptr;
  // Two of them in a process would do no harm, but take gigabytes.
  for (int flags : {RTLD_NOLOAD, 0})
    for (const std::string &path : paths)
      if (!found)
        found = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | flags);
  std::string all;
  for (const std::string &path : paths)
    all += (all.empty() ? "'" : ", '") + path + "'";
  if (!found)
    return {"no cuBLASLt: the system loads none of " + all};
  std::string missing;
#define AFT_CUBLASLT_LOOK_UP(name, symbol, parameters)                                             \
  library.name = reinterpret_cast<BlasResult(*) parameters>(dlsym(found, symbol));                 \
  if (!library.name && missing.empty())                                                            \
    missing = symbol;
  AFT_CUBLASLT_FUNCTIONS(AFT_CUBLASLT_LOOK_UP)
#undef AFT_CUBLASLT_LOOK_UP
  if (!missing.empty())
    return {"cuBLASLt (" + all + ") lacks " + missing};
  Device::Scope scope(*device);
  if (!scope.status().ok())
    return scope.status();
  if (BlasResult result = library.create(&handle); result != 0)
    return {device->properties().label() + ": cuBLASLt cannot be used: status " +
            std::to_string(result)};
  return {};
}

Status Products::open(std::shared_ptr<Device> device, const std::vector<std::string> &paths,
                      std::shared_ptr<Products> &products) {
  std::shared_ptr<Products> made(new Products(std::move(device)));
  if (Status status = made->load(paths); !status.ok())
    return status;
  products = std::move(made);
  return {};
}

Status Products::open(std::shared_ptr<Device> device, std::shared_ptr<Products> &products) {
  std::vector<std::string> paths{"libcublasLt.so.12"};
  if (device->driver().version() >= 13000)
    paths.insert(paths.begin(), "libcublasLt.so.13");
  return open(std::move(device), paths, products);
}

Products::~Products() {
  if (!handle)
    return;
  Device::Scope scope(*device);
  for (auto &[key, plan] : plans)
    destroy(plan);
  (void)library.destroy(handle);
}

size_t Products::planned() const {
  std::lock_guard<std::mutex> lock(mutex);
  return plans.size();
}

//===----------------------------------------------------------------------===//
// Plans
//===----------------------------------------------------------------------===//

void Products::destroy(Plan &plan) const {
  for (Layout layout : {plan.a, plan.b, plan.d})
    if (layout)
      (void)library.layoutDestroy(layout);
  if (plan.desc)
    (void)library.descDestroy(plan.desc);
  plan = {};
}

/// cuBLASLt reads matrices column by column: what it sees are transposes, and it computes
/// D^T = B^T A^T.
BlasResult Products::describe(const Product &product, Plan &plan) const {
  bool isDouble = product.dtype == DType::f64;
  DataType type = isDouble                       ? DataType::F64
                  : product.dtype == DType::bf16 ? DataType::BF16
                                                 : DataType::F32;
  BlasResult result = library.descCreate(&plan.desc, isDouble ? ComputeType::F64 : ComputeType::F32,
                                         isDouble ? DataType::F64 : DataType::F32);
  auto set = [&](DescAttribute attribute, auto value) {
    if (result == 0)
      result = library.descSet(plan.desc, attribute, &value, sizeof value);
  };
  auto layOut = [&](Layout &layout, int64_t rows, int64_t columns) {
    int64_t stride = rows * columns;
    auto batch = static_cast<int32_t>(product.batch);
    if (result == 0)
      result = library.layoutCreate(&layout, type, static_cast<uint64_t>(columns),
                                    static_cast<uint64_t>(rows), columns);
    if (result == 0)
      result = library.layoutSet(layout, LayoutAttribute::BatchCount, &batch, sizeof batch);
    if (result == 0)
      result = library.layoutSet(layout, LayoutAttribute::BatchStride, &stride, sizeof stride);
  };
  set(DescAttribute::TransposeA, product.transposedB ? kTransposed : kPlain);
  set(DescAttribute::TransposeB, product.transposedA ? kTransposed : kPlain);
  uint32_t epilogue = (product.bias ? kBias : 0) | (product.gelu ? kGelu : 0);
  set(DescAttribute::Epilogue, epilogue ? epilogue : kNoEpilogue);
  const int64_t m = product.m, n = product.n, k = product.k;
  layOut(plan.a, product.transposedA ? k : m, product.transposedA ? m : k);
  layOut(plan.b, product.transposedB ? n : k, product.transposedB ? k : n);
  layOut(plan.d, m, n);
  return result;
}

/// `found` is 0 where no algorithm does it.
BlasResult Products::choose(const Key &key, Plan &plan, int &found) const {
  Preference preference = nullptr;
  BlasResult result = library.preferenceCreate(&preference);
  auto set = [&](PreferenceAttribute attribute, auto value) {
    if (result == 0)
      result = library.preferenceSet(preference, attribute, &value, sizeof value);
  };
  set(PreferenceAttribute::MaxWorkspaceBytes, static_cast<uint64_t>(kWorkspaceBytes));
  set(PreferenceAttribute::AlignmentA, key.b);
  set(PreferenceAttribute::AlignmentB, key.a);
  set(PreferenceAttribute::AlignmentC, key.c);
  set(PreferenceAttribute::AlignmentD, key.d);
  Heuristic best{};
  if (result == 0)
    result = library.getHeuristic(handle, plan.desc, plan.b, plan.a, plan.d, plan.d, preference, 1,
                                  &best, &found);
  if (preference)
    (void)library.preferenceDestroy(preference);
  plan.algorithm = best.algorithm;
  plan.workspaceBytes = static_cast<int64_t>(best.workspaceBytes);
  return result;
}

Status Products::find(const Key &key, Plan *&plan) {
  if (auto known = plans.find(key); known != plans.end()) {
    plan = &known->second;
    return {};
  }
  Plan made;
  int found = 0;
  BlasResult result = describe(key.product, made);
  if (result == 0)
    result = choose(key, made, found);
  if (result != 0 || found < 1) {
    destroy(made);
    if (result != 0)
      return refuse(*device, key.product, result);
    return {device->properties().label() + ": cuBLASLt has no algorithm for " +
            textOf(key.product)};
  }
  plan = &plans.emplace(key, made).first->second;
  return {};
}

Status Products::run(const Product &product, const ProductOperands &operands, Stream stream) {
  if (product.dtype != DType::f32 && product.dtype != DType::bf16 && product.dtype != DType::f64)
    return {"a product is of f32, bf16 or f64, found " + std::string(nameOf(product.dtype))};
  // A plan's description holds the address of the bias of one call at a time.
  std::lock_guard<std::mutex> lock(mutex);
  Address c = product.residual ? operands.c : operands.d;
  Plan *plan = nullptr;
  Key key{product, alignmentOf(operands.a), alignmentOf(operands.b), alignmentOf(c),
          alignmentOf(operands.d)};
  if (Status status = find(key, plan); !status.ok())
    return status;
  DeviceMemory own;
  if (plan->workspaceBytes > 0 && !operands.workspace)
    if (Status status = own.allocate(device->allocator(), plan->workspaceBytes, stream);
        !status.ok())
      return status;
  Address workspace = operands.workspace ? operands.workspace : own.address();
  BlasResult result = 0;
  if (product.bias)
    result = library.descSet(plan->desc, DescAttribute::BiasPointer, &operands.bias,
                             sizeof operands.bias);
  float alpha = 1, beta = product.residual ? 1 : 0;
  double wideAlpha = alpha, wideBeta = beta;
  bool isDouble = product.dtype == DType::f64;
  auto pointer = [](Address address) { return reinterpret_cast<void *>(address); };
  if (result == 0)
    result = library.matmul(handle, plan->desc, isDouble ? static_cast<void *>(&wideAlpha) : &alpha,
                            pointer(operands.b), plan->b, pointer(operands.a), plan->a,
                            isDouble ? static_cast<void *>(&wideBeta) : &beta, pointer(c), plan->d,
                            pointer(operands.d), plan->d, &plan->algorithm, pointer(workspace),
                            static_cast<size_t>(plan->workspaceBytes), stream);
  return refuse(*device, product, result);
}
