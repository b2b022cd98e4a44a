//===- TargetTest.cpp - CPUs by features, and one object per kernel -------===//

#include "compiler/Pipeline.h"
#include "compiler/Register.h"
#include "compiler/binary/Object.h"
#include "compiler/binary/ObjectStore.h"
#include "compiler/binary/PairRate.h"
#include "compiler/llvm/Symbols.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <set>

using namespace mlir;
using namespace aft;

static Target named(const std::string &name) {
  std::string error;
  Target target = Target::named(name, error);
  EXPECT_EQ(error, "");
  return target;
}

static bool onX86() {
  return llvm::StringRef(llvm::sys::getDefaultTargetTriple()).starts_with("x86_64");
}

TEST(PairRate, PairsPayWhereTheyAreNotSlower) {
  EXPECT_FALSE(pairDotsPay(0)); // the CPU has none
  EXPECT_TRUE(pairDotsPay(1.0));
  EXPECT_TRUE(pairDotsPay(2.1));
  EXPECT_FALSE(pairDotsPay(3.9));
}

TEST(PairRate, IsMeasuredOnceWhereThereAreAny) {
  double cost = pairDotCost();
  EXPECT_EQ(cost > 0, Target::host().pairDots == PairDots::Hardware);
  EXPECT_LT(cost, 100);
  EXPECT_EQ(pairDotCost(), cost);
}

TEST(TargetTest, VectorsFollowFeatures) {
  if (!onX86())
    GTEST_SKIP() << "the names below are those of x86-64";
  EXPECT_EQ(named("x86-64").vectorBits, 128u);
  EXPECT_EQ(named("x86-64-v3").vectorBits, 256u);
  EXPECT_EQ(named("x86-64-v4").vectorBits, 512u);
  EXPECT_FALSE(named("x86-64-v4").bf16);
  EXPECT_TRUE(named("sapphirerapids").bf16);
  // Matrix products in tiles where there are any.
  EXPECT_EQ(named("sapphirerapids").productDots(), PairDots::Tiles);
  EXPECT_EQ(named("sapphirerapids").pairDots, PairDots::Hardware);
  EXPECT_EQ(named("znver4").productDots(), PairDots::Hardware);
  EXPECT_EQ(named("x86-64-v4").productDots(), PairDots::None);
}

TEST(TargetTest, NativeRunsHere) {
  for (const char *name : {"native", ""}) {
    Target target = named(name);
    EXPECT_EQ(target.missingHere(), "");
    EXPECT_EQ(target.features, Target::host().features);
    EXPECT_EQ(target.vectorBits, Target::host().vectorBits);
  }
}

TEST(TargetTest, MissingFeaturesAreNamed) {
  if (!onX86())
    GTEST_SKIP() << "the feature below is one of x86-64";
  // No CPU has all of these.
  Target target;
  target.cpu = "x86-64";
  target.features = "+tbm,+fma4,+amx-complex";
  EXPECT_NE(target.missingHere(), "");
}

TEST(TargetTest, UnknownCPUsAreRefused) {
  for (const char *name : {"z80", "NATIVE", "x86-64-v9", "native ", "../cpu"}) {
    std::string error;
    Target::named(name, error);
    EXPECT_EQ(error,
              std::string("unknown CPU '") + name + "', expected native or a CPU name of LLVM");
  }
}

namespace {
/// A module after the llvm phase.
struct Lowered {
  explicit Lowered(const std::string &text, const std::string &dumpDir = "") {
    registerCompilerDialects(registry);
    context = std::make_unique<MLIRContext>(registry);
    context->loadAllAvailableDialects();
    options.target = Target::host();
    module = parseSourceString<ModuleOp>(text, context.get());
    EXPECT_TRUE(module && succeeded(runPhases(*module, Phase::LLVM, options)));
    options.dumpDir = dumpDir;
  }
  DialectRegistry registry;
  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  PipelineOptions options;
};
} // namespace

/// Two kernels, the first launched twice.
static const char kProgram[] = R"(
  func.func @main(%x: tensor<2x?x8xf32>, %u: tensor<?x3xf32>) -> (tensor<2x?x8xf32>, tensor<?x4xf32>) {
    %0 = aft.simple %x, %x, %x : (tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
    %1 = aft.simple %0, %0, %0 : (tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
    %2 = aft.band %u, %u window = 4 causal : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x4xf32>
    return %1, %2 : tensor<2x?x8xf32>, tensor<?x4xf32>
  })";

/// Names that an object defines for others, or wants from them.
static std::set<std::string> symbolsOf(const NamedObject &object, bool defined) {
  auto buffer = llvm::MemoryBuffer::getMemBuffer(object.object, object.name, false);
  auto file = llvm::object::ObjectFile::createObjectFile(buffer->getMemBufferRef());
  std::set<std::string> names;
  if (!file) {
    ADD_FAILURE() << llvm::toString(file.takeError());
    return names;
  }
  for (const llvm::object::SymbolRef &symbol : (*file)->symbols()) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!flags || !name) {
      ADD_FAILURE() << "a symbol of " << object.name << " cannot be read";
      return names;
    }
    bool undefined = *flags & llvm::object::SymbolRef::SF_Undefined;
    if ((*flags & llvm::object::SymbolRef::SF_Global) && undefined != defined && !name->empty())
      names.insert(name->str());
  }
  return names;
}

TEST(ObjectTest, OnePerKernelAndOneForTheHost) {
  Lowered lowered(kProgram);
  auto objects = compileObjects(*lowered.module, lowered.options);
  ASSERT_TRUE(succeeded(objects));
  ASSERT_EQ(objects->size(), 3u);
  std::set<std::string> names, defined;
  for (const NamedObject &object : *objects) {
    names.insert(object.name);
    for (const std::string &symbol : symbolsOf(object, /*defined=*/true))
      EXPECT_TRUE(defined.insert(symbol).second) << symbol << " is defined twice";
  }
  EXPECT_EQ(names, (std::set<std::string>{"kernel_0_simple", "kernel_1_band", "host"}));
  for (const char *function : {"main", "main.plan"})
    EXPECT_TRUE(defined.count(symbolOf(function))) << function;
  // A kernel is called by what it is, and by a hash of its code.
  std::vector<std::string> kernels;
  for (const char *label : {"band", "simple"}) {
    std::string prefix = symbolOf(label) + ".";
    auto symbol =
        llvm::find_if(defined, [&](const std::string &name) { return name.rfind(prefix, 0) == 0; });
    ASSERT_NE(symbol, defined.end()) << label;
    EXPECT_EQ(symbol->size(), prefix.size() + 32);
    kernels.push_back(*symbol);
  }
  // The host knows the kernels; a kernel knows no other function of the program.
  for (const NamedObject &object : *objects) {
    std::set<std::string> wanted = symbolsOf(object, /*defined=*/false);
    for (const std::string &kernel : kernels)
      EXPECT_EQ(wanted.count(kernel), object.name == "host" ? 1u : 0u);
    EXPECT_EQ(wanted.count(symbolOf("main")), 0u);
  }
}

namespace {
struct RememberedObjects : ObjectStore {
  std::optional<std::string> load(const std::string &key) override {
    std::lock_guard lock(mutex);
    auto found = objects.find(key);
    if (found == objects.end())
      return std::nullopt;
    ++hits;
    return found->second;
  }
  void store(const std::string &key, const std::string &object) override {
    std::lock_guard lock(mutex);
    objects[key] = object;
  }
  std::mutex mutex;
  std::map<std::string, std::string> objects;
  int hits = 0;
};

std::map<std::string, std::string> objectsOf(Lowered &lowered) {
  std::map<std::string, std::string> result;
  auto objects = compileObjects(*lowered.module, lowered.options);
  EXPECT_TRUE(succeeded(objects));
  if (succeeded(objects))
    for (NamedObject &object : *objects)
      result[object.name] = std::move(object.object);
  return result;
}
} // namespace

/// The same kernels as kProgram's, but with other numbers and in another program.
static const char kOtherProgram[] = R"(
  func.func @other(%u: tensor<?x3xf32>, %x: tensor<2x?x8xf32>) -> (tensor<?x4xf32>, tensor<2x?x8xf32>) {
    %0 = aft.band %u, %u window = 4 causal : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x4xf32>
    %1 = aft.simple %x, %x, %x : (tensor<2x?x8xf32>, tensor<2x?x8xf32>, tensor<2x?x8xf32>) -> tensor<2x?x8xf32>
    return %0, %1 : tensor<?x4xf32>, tensor<2x?x8xf32>
  })";

TEST(ObjectTest, KernelsOfAnotherProgramAreNotCompiledAgain) {
  Lowered first(kProgram), second(kOtherProgram), alone(kOtherProgram);
  RememberedObjects store;
  first.options.objects = second.options.objects = &store;
  auto firstObjects = objectsOf(first);
  EXPECT_EQ(store.hits, 0);
  EXPECT_EQ(store.objects.size(), 2u); // the host's functions are every program's own
  auto objects = objectsOf(second);
  EXPECT_EQ(store.hits, 2);
  EXPECT_EQ(objects, objectsOf(alone));
  EXPECT_EQ(objects["kernel_0_band"], firstObjects["kernel_1_band"]);
  EXPECT_EQ(objects["kernel_1_simple"], firstObjects["kernel_0_simple"]);
}

TEST(ObjectTest, KernelsForAnotherTargetAreOthers) {
  Lowered first(kProgram), second(kProgram);
  RememberedObjects store;
  first.options.objects = second.options.objects = &store;
  objectsOf(first);
  second.options.target.features += ",-fma";
  objectsOf(second);
  EXPECT_EQ(store.hits, 0);
  EXPECT_EQ(store.objects.size(), 4u);
}

/// A kernel that calls another one finds it under the name of its code.
TEST(ObjectTest, KernelsMayCallEachOther) {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  auto module = parseSourceString<ModuleOp>(R"(
    llvm.func @aft.code.caller(%x: i64) -> i64 attributes {aft.kernel} {
      %y = llvm.call @aft.code.called(%x) : (i64) -> i64
      llvm.return %y : i64
    }
    llvm.func @aft.code.called(%x: i64) -> i64 attributes {aft.kernel} {
      llvm.return %x : i64
    })",
                                            &context);
  ASSERT_TRUE(module);
  PipelineOptions options;
  options.target = Target::host();
  auto objects = compileObjects(*module, options);
  ASSERT_TRUE(succeeded(objects));
  std::set<std::string> defined, wanted;
  for (const NamedObject &object : *objects) {
    defined.merge(symbolsOf(object, /*defined=*/true));
    wanted.merge(symbolsOf(object, /*defined=*/false));
  }
  EXPECT_TRUE(defined.count("aft.code.caller"));
  EXPECT_EQ(wanted.size(), 1u);
  for (const std::string &symbol : wanted) {
    EXPECT_TRUE(defined.count(symbol)) << symbol;
    EXPECT_EQ(symbol.rfind("aft.code.called.", 0), 0u) << symbol;
  }
}

/// What is wanted as text is compiled, known or not.
TEST(ObjectTest, DumpsAreOfCodeThatIsCompiledThen) {
  Lowered lowered(kProgram);
  RememberedObjects store;
  lowered.options.objects = &store;
  objectsOf(lowered);
  std::string assembly;
  ASSERT_TRUE(succeeded(compileObjects(*lowered.module, lowered.options, &assembly)));
  EXPECT_EQ(store.hits, 0);
  EXPECT_NE(assembly.find("# kernel_0_simple\n"), std::string::npos);
  EXPECT_NE(assembly.find(symbolOf("simple.")), std::string::npos);
}

TEST(ObjectTest, DumpsAreWritten) {
  llvm::SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("aft-target-test", folder));
  Lowered lowered(kProgram, folder.str().str());
  ASSERT_TRUE(succeeded(compileObjects(*lowered.module, lowered.options)));
  for (const char *name :
       {"host.ll", "host.s", "kernel_0_simple.ll", "kernel_0_simple.s", "kernel_1_band.ll"})
    EXPECT_TRUE(llvm::sys::fs::exists(folder.str() + "/06-binary-" + name)) << name;
  llvm::sys::fs::remove_directories(folder);
}

TEST(ObjectTest, CodeThatIsNotLoweredIsAnError) {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  std::string message;
  ScopedDiagnosticHandler handler(
      &context, [&](Diagnostic &diagnostic) { message += diagnostic.str() + "\n"; });
  auto module = parseSourceString<ModuleOp>("func.func @f() { return }", &context);
  ASSERT_TRUE(module);
  EXPECT_TRUE(failed(compileObject(*module, Target::host(), false)));
  EXPECT_NE(message.find("translation to LLVM IR failed"), std::string::npos) << message;
}

TEST(TargetTest, ArchitectureOfADevice) {
  for (auto [capability, expected] : std::initializer_list<std::pair<int, const char *>>{
           {80, "sm_80"}, {86, "sm_86"}, {89, "sm_89"}, {90, "sm_90a"}, {100, "sm_90"}}) {
    Target target;
    target.setGpu(capability);
    EXPECT_EQ(target.gpu, expected);
    EXPECT_EQ(target.device, Device::Cuda);
  }
}

TEST(TargetTest, NamesOfDevices) {
  Target target;
  EXPECT_EQ(target.setDevice("cuda"), "");
  EXPECT_EQ(target.device, Device::Cuda);
  EXPECT_EQ(target.gpu, "sm_90a");
  EXPECT_EQ(target.setDevice("cuda:sm_80"), "");
  EXPECT_EQ(target.gpu, "sm_80");
  EXPECT_TRUE(target.threadBlocks());
  EXPECT_EQ(target.setDevice("cuda-emulated"), "");
  EXPECT_EQ(target.device, Device::CudaEmulated);
  EXPECT_TRUE(target.threadBlocks());
  EXPECT_EQ(target.setDevice("cpu"), "");
  EXPECT_FALSE(target.threadBlocks());
  EXPECT_THAT(target.setDevice("cuda:sm_70"), testing::HasSubstr("'sm_70'"));
  EXPECT_THAT(target.setDevice("cudax"), testing::HasSubstr("expected cpu, cuda, cuda:sm_XX"));
}
