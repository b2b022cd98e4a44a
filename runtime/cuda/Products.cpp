//===- Products.cpp - Matrix products by cuBLASLt -------------------------===//

#include "runtime/cuda/Products.h"

#include "runtime/core/Log.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
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
         " of " + nameOf(product.dtype) + (product.tf32 ? " in TF32" : "");
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

std::shared_ptr<Products> Products::shared(const std::shared_ptr<Device> &device) {
  const char *wanted = std::getenv("AFT_CUDA_PRODUCTS");
  if (wanted && std::strcmp(wanted, "kernels") == 0)
    return nullptr;
  static std::once_flag once;
  if (wanted && *wanted)
    std::call_once(once, [&] {
      warn("AFT_CUDA_PRODUCTS: expected 'kernels' or nothing, found '" + std::string(wanted) +
           "', which is ignored");
    });
  static std::mutex mutex;
  // They keep the device, so that its address is nobody else's.
  static auto &known = *new std::map<const Device *, std::shared_ptr<Products>>();
  std::lock_guard<std::mutex> lock(mutex);
  auto [place, isNew] = known.try_emplace(device.get());
  if (!isNew)
    return place->second;
  if (Status status = open(device, place->second); !status.ok())
    log("runtime", status.message + "; matrix products run as kernels of the program");
  return place->second;
}

size_t Products::planned() const {
  std::lock_guard<std::mutex> lock(mutex);
  return plans.size();
}

int64_t Products::workspaceBytes() const {
  std::lock_guard<std::mutex> lock(mutex);
  int64_t most = 0;
  for (const auto &[key, plan] : plans)
    most = std::max(most, plan.workspaceBytes);
  return most;
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

static DataType dataTypeOf(DType type) {
  return type == DType::f64 ? DataType::F64 : type == DType::bf16 ? DataType::BF16 : DataType::F32;
}

static bool hasBiasPointer(const Product &product) {
  return product.bias || product.sums != Product::Sums::None;
}

/// cuBLASLt reads matrices column by column: what it sees are transposes, and it computes
/// D^T = B^T A^T.
BlasResult Products::describe(const Product &product, Plan &plan) const {
  bool isDouble = product.dtype == DType::f64;
  ComputeType compute = isDouble       ? ComputeType::F64
                        : product.tf32 ? ComputeType::F32FastTF32
                                       : ComputeType::F32;
  BlasResult result =
      library.descCreate(&plan.desc, compute, isDouble ? DataType::F64 : DataType::F32);
  auto set = [&](DescAttribute attribute, auto value) {
    if (result == 0)
      result = library.descSet(plan.desc, attribute, &value, sizeof value);
  };
  auto layOut = [&](Layout &layout, DType type, int64_t rows, int64_t columns) {
    int64_t stride = rows * columns;
    auto batch = static_cast<int32_t>(product.batch);
    if (result == 0)
      result = library.layoutCreate(&layout, dataTypeOf(type), static_cast<uint64_t>(columns),
                                    static_cast<uint64_t>(rows), columns);
    if (result == 0)
      result = library.layoutSet(layout, LayoutAttribute::BatchCount, &batch, sizeof batch);
    if (result == 0)
      result = library.layoutSet(layout, LayoutAttribute::BatchStride, &stride, sizeof stride);
  };
  set(DescAttribute::TransposeA, product.transposedB ? kTransposed : kPlain);
  set(DescAttribute::TransposeB, product.transposedA ? kTransposed : kPlain);
  // What is A to cuBLASLt is B here.
  uint32_t epilogue = (product.bias ? kBias : 0) | (product.gelu ? kGelu : 0) |
                      (product.sums == Product::Sums::OfB ? kSumsOfA : 0) |
                      (product.sums == Product::Sums::OfA ? kSumsOfB : 0);
  set(DescAttribute::Epilogue, epilogue ? epilogue : kNoEpilogue);
  const int64_t m = product.m, n = product.n, k = product.k;
  layOut(plan.a, product.dtype, product.transposedA ? k : m, product.transposedA ? m : k);
  layOut(plan.b, product.dtype, product.transposedB ? n : k, product.transposedB ? k : n);
  layOut(plan.d, product.result, m, n);
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
  // Parts of a sum are added up before it is rounded.
  set(PreferenceAttribute::ReductionSchemes, kReduceInComputeType);
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

Products::Key Products::keyOf(const Product &product, const ProductOperands &operands) {
  return {product, alignmentOf(operands.a), alignmentOf(operands.b),
          alignmentOf(product.residual ? operands.c : operands.d), alignmentOf(operands.d)};
}

Products::Plan &Products::find(const Key &key, Address bias) {
  if (plans.size() >= kMostPlans && !plans.count(key)) {
    for (auto &[known, plan] : plans)
      destroy(plan);
    plans.clear();
  }
  auto [place, isNew] = plans.try_emplace(key);
  Plan &plan = place->second;
  if (!isNew)
    return plan;
  int found = 0;
  BlasResult result = describe(key.product, plan);
  if (result == 0 && hasBiasPointer(key.product))
    result = library.descSet(plan.desc, DescAttribute::BiasPointer, &bias, sizeof bias);
  if (result == 0)
    result = choose(key, plan, found);
  if (result == 0 && found >= 1)
    return plan;
  destroy(plan);
  plan.refused = refuse(*device, key.product, result);
  if (result == 0)
    plan.refused = {device->properties().label() + ": cuBLASLt has no algorithm for " +
                    textOf(key.product)};
  return plan;
}

bool Products::knows(const Product &product, const ProductOperands &operands) {
  std::lock_guard<std::mutex> lock(mutex);
  Key key = keyOf(product, operands);
  bool isNew = !plans.count(key);
  const Plan &plan = find(key, operands.bias);
  if (isNew && !plan.refused.ok())
    log("runtime", plan.refused.message + "; it runs as a kernel of the program");
  return plan.refused.ok();
}

Status Products::run(const Product &product, const ProductOperands &operands, Stream stream) {
  for (DType type : {product.dtype, product.result})
    if (type != DType::f32 && type != DType::bf16 && type != DType::f64)
      return {"a product is of f32, bf16 or f64, found " + std::string(nameOf(type))};
  // A plan's description holds the address of the bias of one call at a time.
  std::lock_guard<std::mutex> lock(mutex);
  Address c = product.residual ? operands.c : operands.d;
  Plan *plan = &find(keyOf(product, operands), operands.bias);
  if (!plan->refused.ok())
    return plan->refused;
  DeviceMemory own;
  bool given = operands.workspaceBytes >= 0;
  if (given && plan->workspaceBytes > operands.workspaceBytes)
    return {device->properties().label() + ": " + textOf(product) + " needs a workspace of " +
            std::to_string(plan->workspaceBytes) + " bytes, found " +
            std::to_string(operands.workspaceBytes)};
  if (plan->workspaceBytes > 0 && !given)
    if (Status status = own.allocate(device->allocator(), plan->workspaceBytes, stream);
        !status.ok())
      return status;
  Address workspace = given ? operands.workspace : own.address();
  BlasResult result = 0;
  if (hasBiasPointer(product))
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

std::pair<Product, ProductOperands> cuda::productOf(const ProductCode &code, void *const *buffers,
                                                    const int64_t *dims) {
  Product product{code.type,    code.result,  dims[code.m],
                  dims[code.n], dims[code.k], code.batch < 0 ? 1 : dims[code.batch]};
  product.transposedA = code.transposedA;
  product.transposedB = code.transposedB;
  product.residual = code.c >= 0;
  product.bias = code.bias >= 0;
  product.gelu = code.gelu;
  product.tf32 = code.tf32;
  auto address = [&](int number) {
    return number < 0 ? 0 : reinterpret_cast<Address>(buffers[number]);
  };
  return {product,
          {address(code.a), address(code.b), address(code.d), address(code.c), address(code.bias)}};
}

bool cuda::takeSums(const ColumnSumsCode &sums, void *const *buffers, const int64_t *dims,
                    Product &product, ProductOperands &operands) {
  auto matrix = reinterpret_cast<Address>(buffers[sums.matrix]);
  int64_t rows = dims[sums.rows], columns = dims[sums.columns];
  // In TF32 the sums might be of rounded numbers, too.
  if (product.tf32 || product.bias || product.gelu || product.batch != 1 ||
      product.dtype != sums.type || product.result != sums.result || product.k != rows)
    return false;
  // The rows are those that are summed over: A is stored as [k,m], or B as [k,n].
  if (product.transposedA && operands.a == matrix && product.m == columns)
    product.sums = Product::Sums::OfA;
  else if (!product.transposedB && operands.b == matrix && product.n == columns)
    product.sums = Product::Sums::OfB;
  else
    return false;
  operands.bias = reinterpret_cast<Address>(buffers[sums.sums]);
  return true;
}
